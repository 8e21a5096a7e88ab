package supervisor

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// Template makes the Start of a dynamic supervisor's template from a function
// that takes an argument: what makes one child different from the next. Several
// arguments are a struct.
//
//	supervisor.Spec{
//		Name:     "conns",
//		Strategy: supervisor.Dynamic,
//		Children: []supervisor.Child{{ID: "conn", Start: supervisor.Template(startConn), Restart: supervisor.Temporary}},
//	}
//
//	pid, err := supervisor.StartOne(ctx, process.Name("conns"), conn)
func Template[A any](start func(ctx context.Context, arg A) (process.PID, error)) func(context.Context) (process.PID, error) {
	return func(ctx context.Context) (process.PID, error) {
		a, ok := ctx.Value(argumentKey{}).(*argument)
		if !ok {
			return process.PID{}, &ArgumentError{Want: typeName[A]()}
		}
		arg, ok := a.value.(A)
		if !ok && !(a.value == nil && any(arg) == nil) { // a nil of an interface type is fine
			return process.PID{}, &ArgumentError{Want: typeName[A](), Got: fmt.Sprintf("%T", a.value)}
		}
		return start(ctx, arg)
	}
}

func typeName[A any]() string { return fmt.Sprintf("%T", (*A)(nil))[1:] }

// An argument is what StartOne was given. It travels to the template's start
// function in the ctx of that one call; the started process does not see it.
type argument struct{ value any }

type argumentKey struct{}

func withArgument(ctx context.Context, a *argument) context.Context {
	return context.WithValue(ctx, argumentKey{}, a)
}

// StartOne starts one more child of a dynamic supervisor. The template must
// take an A (see [Template]); one with a plain start function takes anything.
// A child that is restarted gets the same arg again.
//
// A child that fails to start, with a [*StartError], or that returns
// process.ErrIgnore is not kept; nor is one too many, with [ErrMaxChildren].
func StartOne[A any](ctx context.Context, sup process.Target, arg A) (process.PID, error) {
	return ask(ctx, sup, "start one", func(ctx context.Context, s *supervisor) (process.PID, error) {
		return s.startOne(ctx, &argument{arg})
	})
}

func (s *supervisor) startOne(ctx context.Context, arg *argument) (process.PID, error) {
	switch {
	case !s.kids.dynamic:
		return process.PID{}, ErrNotDynamic
	case s.template == nil:
		return process.PID{}, ErrNoTemplate
	}
	c := &child{spec: s.template, arg: arg}
	pid, err := s.addAndStart(ctx, c)
	if c.spec.Restart == Temporary {
		c.arg = nil // it will not be needed again, and there may be very many
	}
	return pid, err
}

// TerminateOne stops a child of a dynamic supervisor and forgets it. A child
// that waits for a restart is found by the PID it had. Terminating one that is
// gone already is no error; a living process that is no child of the supervisor
// is left alone, with [ErrNotFound].
func TerminateOne(ctx context.Context, sup process.Target, pid process.PID) error {
	return order(ctx, sup, "terminate one", func(ctx context.Context, s *supervisor) error {
		if !s.kids.dynamic {
			return ErrNotDynamic
		}
		if c := s.kids.byPID[pid]; c != nil {
			return s.terminate(ctx, c)
		}
		if pid.Alive() {
			return fmt.Errorf("%w: %v", ErrNotFound, pid)
		}
		return nil
	})
}

// GetOne is [GetChild] for a child of a dynamic supervisor: the template, or, if
// there is none, what the child was started with.
func GetOne(ctx context.Context, sup process.Target, pid process.PID) (Child, error) {
	return ask(ctx, sup, "get one", func(_ context.Context, s *supervisor) (Child, error) {
		if !s.kids.dynamic {
			return Child{}, ErrNotDynamic
		}
		c := s.kids.byPID[pid]
		if c == nil {
			return Child{}, fmt.Errorf("%w: %v", ErrNotFound, pid)
		}
		return c.spec.resolved(c.sup), nil
	})
}
