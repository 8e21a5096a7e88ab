package system

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// A Stateful behaviour shows its state, and lets it be replaced. Both methods
// are called in its process, between two turns.
type Stateful interface {
	// SystemState returns a pointer to a copy of the state.
	SystemState() any
	// SetSystemState sets the state to what a pointer of that same type points
	// to, or says why it cannot be.
	SetSystemState(state any) error
}

// ErrUnsupported says that a behaviour has nothing to show to the function that
// asked.
var ErrUnsupported = errors.New("not supported by its behaviour")

// State returns the state of a process, copied (OTP: sys:get_state). It is an
// error, which names both types, if the state is no S.
func State[S any](ctx context.Context, to process.Target) (S, error) {
	return Look(ctx, to, func(s S) (S, error) { return s, nil })
}

// Look calls f with the state of a process, in that process, and returns what f
// does. There f may follow pointers and range over maps; it must not keep them.
func Look[S, R any](ctx context.Context, to process.Target, f func(S) (R, error)) (R, error) {
	var out R
	err := with(ctx, to, func(_ Stateful, s *S) (err error) {
		out, err = f(*s)
		return err
	})
	return out, err
}

// ReplaceState lets f make a new state out of the old one, in the process, and
// returns it (OTP: sys:replace_state). If f fails, or the behaviour refuses,
// the state stays; what f has changed through pointers it had better not.
//
// It is for repairs: no handler runs, and nothing is told. A state machine that
// is given another state does not enter it: no Enter, no postponed event comes
// back, its time-outs run on.
func ReplaceState[S any](ctx context.Context, to process.Target, f func(S) (S, error)) (S, error) {
	var out S
	err := with(ctx, to, func(b Stateful, s *S) error {
		v, err := f(*s)
		if err != nil {
			return err
		}
		if err := b.SetSystemState(&v); err != nil {
			return err
		}
		out = v
		return nil
	})
	return out, err
}

// with runs f in a process that has a state of S.
func with[S any](ctx context.Context, to process.Target, f func(Stateful, *S) error) error {
	return process.System(ctx, to, func(ctx context.Context, b process.Behaviour) error {
		pid := process.Self(ctx)
		show, ok := b.(Stateful)
		if !ok {
			return fmt.Errorf("system: state of %v: %w", pid, ErrUnsupported)
		}
		state := show.SystemState()
		s, ok := state.(*S)
		if !ok {
			return fmt.Errorf("system: the state of %v is a %s, not a %s", pid, pointee(state), pointee(new(S)))
		}
		return f(show, s)
	})
}

// pointee names the type that a pointer points to.
func pointee(p any) string { return fmt.Sprintf("%T", p)[1:] }
