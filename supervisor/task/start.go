package task

import (
	"context"
	"errors"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// Kind is the process.Spec.Kind of tasks.
const Kind = "task"

// Async runs f in a process that is linked to the calling one.
func Async[R any](ctx context.Context, f func(context.Context) (R, error)) (*Task[R], error) {
	t := &Task[R]{}
	if err := t.start(ctx, process.CallerPC(1), run(t, f, process.PID{})); err != nil {
		return nil, err
	}
	return t, nil
}

// Supervisor describes a supervisor of tasks; MaxChildren and what else it does
// not set is free to set. Its tasks are never restarted; a function that should
// be is a child for supervisor.StartChild and supervisor.Go, which it takes too.
//
//	{ID: "tasks", Start: supervisor.StartFunc(task.Supervisor("tasks"))}
//
//	t, err := task.AsyncNoLink(ctx, process.Name("tasks"), fetch)
func Supervisor(name string) supervisor.Spec {
	return supervisor.Spec{Name: name, Strategy: supervisor.Mixed}
}

// startUnder starts a process as a child of a supervisor.
func startUnder(ctx context.Context, sup process.Target, start func(context.Context) (process.PID, error)) (process.PID, error) {
	return supervisor.StartChild(ctx, sup, supervisor.Child{ID: Kind, Restart: supervisor.Temporary, Start: start})
}

// AsyncUnder is [Async] for a task that is a child of a supervisor, see
// [Supervisor], and linked to the calling process as well.
func AsyncUnder[R any](ctx context.Context, sup process.Target, f func(context.Context) (R, error)) (*Task[R], error) {
	t := &Task[R]{}
	return t.under(ctx, sup, process.CallerPC(1), run(t, f, process.Self(ctx)))
}

// AsyncNoLink runs f in a child of a supervisor, see [Supervisor]. The calling
// process and the task do not hear of each other's ends.
func AsyncNoLink[R any](ctx context.Context, sup process.Target, f func(context.Context) (R, error)) (*Task[R], error) {
	t := &Task[R]{}
	return t.under(ctx, sup, process.CallerPC(1), run(t, f, process.PID{}))
}

// Start runs f in a child of a supervisor, see [Supervisor], for its own sake:
// nobody waits for it, so its error is its exit reason.
func Start(ctx context.Context, sup process.Target, f func(context.Context) error) (process.PID, error) {
	if f == nil {
		return process.PID{}, errNoFunction
	}
	pc := process.CallerPC(1)
	return startUnder(ctx, sup, func(ctx context.Context) (process.PID, error) {
		return process.GoSpec(ctx, process.Spec{Kind: Kind, Caller: pc}, f)
	})
}

// under starts the task's process below a supervisor.
func (t *Task[R]) under(ctx context.Context, sup process.Target, pc uintptr, f func(context.Context) error) (*Task[R], error) {
	_, err := startUnder(ctx, sup, func(ctx context.Context) (process.PID, error) {
		err := t.start(ctx, pc, f)
		return t.pid, err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// start starts the task's process, linked to the calling one.
func (t *Task[R]) start(ctx context.Context, pc uintptr, f func(context.Context) error) (err error) {
	if f == nil {
		return errNoFunction
	}
	t.pid, err = process.GoSpec(ctx, process.Spec{Kind: Kind, Caller: pc}, f)
	return err
}

var errNoFunction = errors.New("task: without a function there is nothing to run")

// run is what the task's process does: f, for its result. owner, if any, is
// linked to it first.
func run[R any](t *Task[R], f func(context.Context) (R, error), owner process.PID) func(context.Context) error {
	if f == nil {
		return nil
	}
	return func(ctx context.Context) error {
		if !owner.IsZero() {
			err := process.Link(ctx, owner)
			if err == nil && !owner.Alive() { // it has been killed, and is on its way out
				err = &process.ExitError{PID: owner, Name: owner.Path(), Reason: process.ErrNoProc}
			}
			if err != nil {
				return process.Shutdown(err) // nobody is left who wants it
			}
		}
		return t.run(ctx, f)
	}
}
