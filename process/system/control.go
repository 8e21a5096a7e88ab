package system

import (
	"context"
	"errors"

	"github.com/coppice-go/coppice/process"
)

// Suspend lets a process take nothing from its mailbox until [Resume]. It still
// answers what this package asks, and can be ended by its parent, by
// process.Stop and by signals. Suspending twice changes nothing. Time-outs run
// on; what fires meanwhile waits with the other messages.
func Suspend(ctx context.Context, to process.Target) error { return process.Suspend(ctx, to) }

// Resume ends a suspension. Resuming a process that is not suspended is fine.
func Resume(ctx context.Context, to process.Target) error { return process.Resume(ctx, to) }

// Terminate asks a process to end with that reason, nil being normal, and does
// not wait for it (OTP: sys:terminate): it takes what was sent before, runs
// Terminate, and ends. process.Stop waits. An error says that it was not asked:
// it is of kind process.ErrNoProc if there is no such process.
func Terminate(ctx context.Context, to process.Target, reason error) error {
	pid, err := to.Resolve(ctx)
	if err != nil {
		return err
	}
	// Stop asks, and then waits for the end or for ctx, which is done already.
	asked, cancel := context.WithCancel(ctx)
	cancel()
	err = process.Stop(asked, pid, reason)
	var ended *process.ExitError
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() == nil:
		return nil
	case errors.As(err, &ended) && ended.PID == pid && ended.Reason != process.ErrNoProc:
		return nil // at once, if not with that reason
	}
	return err
}
