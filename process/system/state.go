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
	return with(ctx, to, func(_ Stateful, s *S) (R, error) { return f(*s) })
}

// ReplaceState lets f make a new state out of the old one, in the process, and
// returns it (OTP: sys:replace_state). If f fails, or the behaviour refuses,
// the state stays; what f has changed through pointers it had better not.
//
// It is for repairs: no handler runs, and nothing is told. A state machine that
// is given another state does not enter it: no Enter, no postponed event comes
// back, its time-outs run on.
func ReplaceState[S any](ctx context.Context, to process.Target, f func(S) (S, error)) (S, error) {
	return with(ctx, to, func(b Stateful, s *S) (S, error) {
		v, err := f(*s)
		if err != nil {
			return v, err
		}
		return v, b.SetSystemState(&v)
	})
}

// with runs f in a process that has a state of S.
func with[S, R any](ctx context.Context, to process.Target, f func(Stateful, *S) (R, error)) (R, error) {
	return ask(ctx, to, func(ctx context.Context, b process.Behaviour) (none R, err error) {
		pid := process.Self(ctx)
		show, ok := b.(Stateful)
		if !ok {
			return none, fmt.Errorf("system: state of %v: %w", pid, ErrUnsupported)
		}
		state := show.SystemState()
		s, ok := state.(*S)
		if !ok {
			return none, fmt.Errorf("system: the state of %v is a %s, not a %s", pid, pointee(state), pointee(new(S)))
		}
		return f(show, s)
	})
}

// ask is process.System for a function that answers. If that fails nobody looks
// at the answer: f may still run, for a caller that has given up.
func ask[R any](ctx context.Context, to process.Target, f func(context.Context, process.Behaviour) (R, error)) (R, error) {
	answer := new(R)
	err := process.System(ctx, to, func(ctx context.Context, b process.Behaviour) (err error) {
		*answer, err = f(ctx, b)
		return err
	})
	if err != nil {
		return *new(R), err
	}
	return *answer, nil
}

// pointee names the type that a pointer points to.
func pointee(p any) string { return fmt.Sprintf("%T", p)[1:] }
