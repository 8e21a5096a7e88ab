package task

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coppice-go/coppice/process"
)

// ErrRunning says that a task has no result yet.
var ErrRunning = errors.New("task: still running")

// A Task is a function that runs in a process of its own, and its result. It may
// be used from any goroutine.
type Task[R any] struct {
	pid process.PID

	mu       sync.Mutex
	cancel   context.CancelCauseFunc // of the ctx that the function has, once it has one
	told     error                   // to stop, and why
	over     bool                    // value and err are final
	returned bool                    // by the function
	value    R
	err      error
}

// PID returns the task's process.
func (t *Task[R]) PID() process.PID { return t.pid }

// Resolve makes t a [process.Target].
func (t *Task[R]) Resolve(ctx context.Context) (process.PID, error) { return t.pid.Resolve(ctx) }

// Result returns the result of a task that is over, and [ErrRunning] of one
// that is not. Once the task's Down is seen it is over.
func (t *Task[R]) Result() (R, error) {
	if v, over, err := t.result(); over {
		return v, err
	}
	// Waiting with a ctx that is done returns what there is.
	ctx, cancel := context.WithCancel(t.pid.Node().Context())
	cancel()
	reason, err := process.Wait(ctx, t.pid)
	switch {
	case err == nil:
		t.crashed(reason)
	case errors.Is(err, context.Canceled):
		err = ErrRunning
	}
	if v, over, err := t.result(); over {
		return v, err
	}
	var none R
	return none, err
}

func (t *Task[R]) result() (v R, over bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.value, t.over, t.err
}

// Await waits until the task is over and returns its result; if it crashed, a
// [*process.ExitError]. When ctx is done first the error is its cause, and the
// task goes on.
func (t *Task[R]) Await(ctx context.Context) (R, error) {
	r, _, err := t.Yield(ctx, process.Infinity)
	return r, err
}

// Yield is Await for so long at most; over reports whether the task is. If it is
// not, that is no error.
func (t *Task[R]) Yield(ctx context.Context, within time.Duration) (r R, over bool, err error) {
	if process.Self(ctx) == t.pid {
		return r, false, process.ErrCallingSelf
	}
	reason, err := process.WaitFor(ctx, t.pid, within)
	if err == nil {
		t.crashed(reason) // unless it has a result
	}
	// A result that is there is returned, even if ctx is done.
	if v, over, err := t.result(); over {
		return v, true, err
	}
	if err == process.ErrTimeout {
		err = nil
	}
	return r, false, err
}

// Shutdown tells the task to stop, waits for that for so long, and then kills
// it. If the task was over by itself before it obeyed, that is what is returned,
// as by Yield. Otherwise there is no error: it ended as it should. The caller is
// no longer linked to it.
func (t *Task[R]) Shutdown(ctx context.Context, within time.Duration) (r R, over bool, err error) {
	if err := t.release(ctx); err != nil {
		return r, false, err
	}
	t.tell(process.ErrShutdown)
	if r, over, err = t.Yield(ctx, within); !over {
		t.kill()
	}
	if !over && err == nil {
		r, over, err = t.Yield(ctx, process.Infinity)
	}
	if over && t.obeyed(err) {
		return r, false, nil
	}
	return r, over, err
}

// obeyed reports whether err is that of a task that ended as it was told.
func (t *Task[R]) obeyed(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.returned && (errors.Is(err, process.ErrShutdown) || errors.Is(err, process.ErrKilled))
}

// Ignore lets go of the task: it goes on, but is no longer linked to the caller.
// If it is over already its result is returned.
func (t *Task[R]) Ignore(ctx context.Context) (r R, over bool, err error) {
	if err := t.release(ctx); err != nil {
		return r, false, err
	}
	return t.Yield(ctx, 0)
}

// release takes away the link between the caller and the task, if there is one.
func (t *Task[R]) release(ctx context.Context) error { return process.Unlink(ctx, t.pid) }

// tell cancels the ctx that the function has, or will have.
func (t *Task[R]) tell(why error) {
	t.mu.Lock()
	if t.told == nil {
		t.told = why
	}
	cancel := t.cancel
	t.mu.Unlock()
	if cancel != nil {
		cancel(why)
	}
}

// kill ends the task in the name of the node, which may do so even if whoever
// wanted it has been ended meanwhile.
func (t *Task[R]) kill() {
	// It is refused only if the node has been stopped, and its tasks with it.
	_ = process.Kill(t.pid.Node().Context(), t.pid)
}

// run is what the task's process does.
func (t *Task[R]) run(ctx context.Context, f func(context.Context) (R, error)) error {
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if why := t.begin(cancel); why != nil {
		return why
	}
	v, err := f(own)
	switch {
	case err == nil || own.Err() == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.Cause(own)):
		t.returns(ctx, v, err)
		return nil
	case ctx.Err() != nil: // its supervisor or its caller wants it to stop
		return ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.told
}

// begin takes note of how the function is told to stop; or returns why it is.
func (t *Task[R]) begin(cancel context.CancelCauseFunc) (told error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel = cancel
	return t.told
}

// returns is finish by the function; one that was killed meanwhile has no say.
func (t *Task[R]) returns(ctx context.Context, v R, err error) {
	if process.Self(ctx).Alive() {
		t.finish(v, err, true)
	}
}

// finish makes v and err the result, unless there is one.
func (t *Task[R]) finish(v R, err error, returned bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.over, t.returned, t.value, t.err = true, returned, v, err
	}
}

// crashed is finish for a task whose process has ended; that of one that went
// well has a result.
func (t *Task[R]) crashed(reason error) {
	var none R
	t.finish(none, &process.ExitError{PID: t.pid, Name: t.pid.Path(), Reason: reason}, false)
}

// AwaitAll waits for all tasks and returns their results in order; at the first
// that failed its error.
func AwaitAll[R any](ctx context.Context, tasks ...*Task[R]) ([]R, error) {
	out := make([]R, len(tasks))
	for i, t := range tasks {
		var err error
		if out[i], err = t.Await(ctx); err != nil {
			return nil, fmt.Errorf("task %d of %d: %w", i+1, len(tasks), err)
		}
	}
	return out, nil
}
