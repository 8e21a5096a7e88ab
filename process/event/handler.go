package event

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/coppice-go/coppice/process"
)

// A Handler describes a handler of events of type E, with a state S that only
// its manager's process touches. ID and On are needed. Its functions have the
// form of methods of *S: On: (*journal).on.
type Handler[E, S any] struct {
	// ID is what the handler is called, deleted and swapped by. It need not be
	// unique: two of one ID both have every event, and what asks for the ID
	// gets the one that was added last.
	ID string
	// Init makes the state; nil: the zero S. An error is a failed add.
	Init func(ctx context.Context) (*S, error)
	// On handles an event. [Remove] and [Become], returned from it, end the
	// handler in an orderly way; any other error is a failure.
	On func(s *S, ctx context.Context, ev E) error
	// Info gets everything else that is sent to the manager: a
	// *process.ExitSignal of somebody linked to it, a *process.Down of a
	// monitor, a message that is no E. It returns as On does. nil: ignored.
	Info func(s *S, ctx context.Context, msg any) error
	// Terminate cleans up, whatever ends the handler. Its error goes to who
	// deletes the handler, otherwise into a report.
	Terminate func(s *S, ctx context.Context, gone Gone) error
	// Inspect is what reports and tools show of the state; nil: nothing.
	Inspect func(s *S) any
}

// An AnyHandler of E is a [Handler] of E, whatever its state.
type AnyHandler[E any] interface {
	install(ctx context.Context) (*slot[E], error)
	name() string
}

// Remove, returned by a handler, takes it away: in an orderly way if reason is
// nil (OTP: remove_handler), else as one that has failed with that reason. The
// caller of a request gets what was returned with it, and reason.
func Remove(reason error) error { return &removal{reason} }

type removal struct{ reason error }

func (e *removal) Error() string { return fmt.Sprintf("event: remove: %v", e.reason) }

func (e *removal) Unwrap() error { return e.reason }

// Become, returned by a handler, puts another in its place and with its owner
// (OTP: swap_handler, from inside): its Terminate runs, then next's Init, and
// next has the events from the following one on. If next's Init fails both are
// gone, and that is reported.
func Become[E, S any](next Handler[E, S]) error { return &becoming{next} }

type becoming struct{ next interface{ name() string } }

func (e *becoming) Error() string { return "event: become " + e.next.name() }

// A slot is a handler in a manager's list.
type slot[E any] struct {
	id    string
	code  code[E]
	owner *owner // nil: nobody's
	gone  bool   // its Terminate has begun
}

// code is a handler whatever the type of its state.
type code[E any] interface {
	on(ctx context.Context, ev E) error
	info(ctx context.Context, msg any) (taken bool, err error)
	terminate(ctx context.Context, gone Gone) error
	state() any // a pointer to it
	value() any // a copy of it
	setState(any) error
	inspect() any
}

func (h Handler[E, S]) name() string { return h.ID }

func (h *Handler[E, S]) validate() error {
	var faults []error
	if h.ID == "" {
		faults = append(faults, fmt.Errorf("event: %T has no ID: give it one, to be called and deleted by", *h))
	}
	if h.On == nil {
		faults = append(faults, fmt.Errorf("event: %T %q has no On: it would handle nothing", *h, h.ID))
	}
	return errors.Join(faults...)
}

// install makes a handler that runs. It is called in the manager's process.
func (h Handler[E, S]) install(ctx context.Context) (*slot[E], error) {
	if err := h.validate(); err != nil {
		return nil, err
	}
	s := new(S)
	if h.Init != nil {
		err := guard(func() (err error) { s, err = h.Init(ctx); return err })
		if err == nil && s == nil {
			err = errors.New("event: Init returned neither a state nor an error")
		}
		if err != nil {
			return nil, err
		}
	}
	return &slot[E]{id: h.ID, code: &installed[E, S]{spec: h, s: s}}, nil
}

// installed is a handler with its state.
type installed[E, S any] struct {
	spec Handler[E, S]
	s    *S
}

func (i *installed[E, S]) on(ctx context.Context, ev E) error { return i.spec.On(i.s, ctx, ev) }

func (i *installed[E, S]) info(ctx context.Context, msg any) (bool, error) {
	if i.spec.Info == nil {
		return false, nil
	}
	return true, i.spec.Info(i.s, ctx, msg)
}

func (i *installed[E, S]) terminate(ctx context.Context, gone Gone) error {
	if i.spec.Terminate == nil {
		return nil
	}
	return i.spec.Terminate(i.s, ctx, gone)
}

func (i *installed[E, S]) inspect() any {
	if i.spec.Inspect == nil {
		return nil
	}
	return i.spec.Inspect(i.s)
}

// guard calls code of a handler's. A panic there is its failure, not the
// manager's.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			pcs := make([]uintptr, 64)
			err = &process.PanicError{Value: v, Stack: pcs[:runtime.Callers(2, pcs)]}
		}
	}()
	return f()
}
