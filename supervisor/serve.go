package supervisor

import (
	"context"
	"errors"

	"github.com/coppice-go/coppice/process"
)

// Go makes a [Child]'s Start from any function. What it returns is the child's
// exit reason; a panic is too.
//
// The function must return when its ctx is done, within the child's Shutdown.
// Until it does it may still send, and call with process.Uninterrupted(ctx).
// Returning nil or ctx's error then is obeying; returning at any other time is
// ending by itself, and the child's restart type decides. The child counts as
// started at once, so what can fail at the start is better done in a start
// function of your own, before it.
//
// The process takes no messages.
func Go(fn func(ctx context.Context) error) func(context.Context) (process.PID, error) {
	pc := process.CallerPC(1)
	return func(ctx context.Context) (process.PID, error) { return goFunc(ctx, fn, pc) }
}

// Service is [Go] for everything that has a Serve like this one.
func Service(s interface {
	Serve(ctx context.Context) error
}) func(context.Context) (process.PID, error) {
	pc := process.CallerPC(1)
	return func(ctx context.Context) (process.PID, error) { return goFunc(ctx, s.Serve, pc) }
}

func goFunc(ctx context.Context, fn func(context.Context) error, pc uintptr) (process.PID, error) {
	if fn == nil {
		return process.PID{}, errors.New("supervisor: Go without a function: there is nothing to run")
	}
	return process.GoSpec(ctx, process.Spec{Caller: pc}, func(ctx context.Context) error {
		err := fn(ctx)
		if err == nil && ctx.Err() != nil {
			return ctx.Err() // it was told to stop, and did
		}
		return err
	})
}
