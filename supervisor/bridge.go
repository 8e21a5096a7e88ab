package supervisor

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/coppice-go/coppice/process"
)

// A Foreign is something that runs and is no process, say a library with
// goroutines of its own. [Bridge] makes a child of it.
type Foreign struct {
	// Wait returns when it has ended, with the reason. nil: it never ends by
	// itself. Wait need not watch its ctx: Stop makes it return.
	Wait func(ctx context.Context) error
	// Stop stops it and returns when it is gone; reason is why. It has the child's
	// Shutdown to do so, and when that is over its ctx is done. An error is the
	// child's exit reason. Stop is not called after Wait has returned.
	Stop func(ctx context.Context, reason error) error
}

// Bridge makes a [Child]'s Start of a function that starts something foreign
// (OTP: supervisor_bridge). What start returns runs when start has returned, and
// an error of start is the child's failed start.
//
//	{ID: "index", Start: supervisor.Bridge(func(context.Context) (supervisor.Foreign, error) {
//		ix, err := index.Open(dir)
//		return supervisor.Foreign{Stop: func(context.Context, error) error { return ix.Close() }}, err
//	})}
//
// The child stands for it: it ends when Wait returns, with what Wait returned,
// and when it is told to stop it calls Stop. What start starts with its ctx is
// linked to the child; if such a process crashes, so does the child, and Stop is
// called. A child that is killed calls nothing: then the foreign thing lives on,
// so give it a Shutdown that suffices.
func Bridge(start func(ctx context.Context) (Foreign, error)) func(context.Context) (process.PID, error) {
	pc := process.CallerPC(1)
	return func(ctx context.Context) (process.PID, error) {
		if start == nil {
			return process.PID{}, errors.New("supervisor: Bridge without a function: there is nothing to start")
		}
		return process.Start(ctx, process.Spec{TrapExit: true, Kind: "bridge", Caller: pc, Behaviour: &bridge{start: start}})
	}
}

// A bridge is the behaviour of the process that stands for something foreign.
type bridge struct {
	start  func(ctx context.Context) (Foreign, error)
	thing  Foreign
	waiter process.PID // in which Wait runs; zero if there is none
	ended  atomic.Bool // Wait has returned
}

func (b *bridge) Init(ctx context.Context) (err error) {
	if b.thing, err = b.start(ctx); err != nil {
		return err
	}
	if b.thing.Stop == nil {
		return errors.New("supervisor: Bridge to a Foreign without Stop: nothing could end it")
	}
	if b.thing.Wait == nil {
		return nil
	}
	b.waiter, err = process.Go(process.WithBirth(ctx, process.Birth{ID: "wait"}), func(ctx context.Context) error {
		err := b.thing.Wait(ctx)
		b.ended.Store(true)
		return err
	})
	if err != nil { // we have been killed
		return errors.Join(err, b.thing.Stop(ctx, err))
	}
	return nil
}

// Handle ends the bridge when the thing has ended, or a process of it crashed.
func (b *bridge) Handle(ctx context.Context, msg any) error {
	m, ok := msg.(*process.ExitSignal)
	switch {
	case !ok:
		return nil
	case m.From == b.waiter:
	case m.From.Parent() != process.Self(ctx), m.Reason == nil: // a stranger, or a helper that is done
		return nil
	}
	if !process.Clean(m.Reason) {
		process.Emit(ctx, process.Event{Kind: process.Supervised, Level: process.LevelError, Text: TextTerminated, Peer: m.From, Reason: m.Reason})
	}
	return process.End(m.Reason)
}

// Terminate stops the thing, and waits until Wait has seen that.
func (b *bridge) Terminate(ctx context.Context, reason error) error {
	if b.ended.Load() {
		return nil
	}
	err := b.thing.Stop(ctx, reason)
	if err == nil && b.waiter.Alive() {
		// Interrupted only if we are killed; then that is our reason.
		_, _ = process.Wait(ctx, b.waiter)
	}
	return err
}
