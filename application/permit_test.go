package application

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

func TestPermit(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		k.is(Permit(k.ctx, a, false), ErrNotLoaded, "permit a: not loaded")
		k.ok(Load(k.ctx, a))
		k.ok(Permit(k.ctx, a, false))
		k.is(Start(k.ctx, b, Temporary), ErrNotPermitted, "it needs a: not started: it is not permitted to run on this node")
		k.ok(Start(k.ctx, a, Transient))
		k.want("a start that may not be is put off, and said so", "a:withheld")
		k.wantPhase(a, Transient, "not permitted")
		k.is(Start(k.ctx, b, Temporary), ErrNotStarted, "it needs a")
		k.ok(Permit(k.ctx, a, true))
		k.want("it starts when it may", "a.start")
		k.wantPhase(a, Transient, "running")
		k.ok(Start(k.ctx, b, Temporary))
		k.ok(Permit(k.ctx, a, false))
		k.want("it stops as by Stop", `b.start a:still needed(b) a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,transient)`)
		k.wantPhase(a, Transient, "not permitted")
		k.ok(Stop(k.ctx, a)) // nobody wants it any more
		k.ok(Permit(k.ctx, a, true))
		k.is(Stop(k.ctx, a), ErrNotStarted, "")
		k.want("what was stopped does not start again", "")
	})
}

// wantPhase checks what Infos shows of an application.
func (k *kit) wantPhase(app *App, typ Type, phase string) {
	k.Helper()
	infos, err := Infos(k.ctx)
	k.ok(err)
	for _, i := range infos {
		if i.App == app && (i.Type != typ || i.Phase != phase) {
			k.Errorf("%s is %s, %s; want %s, %s", app, i.Phase, i.Type, phase, typ)
		}
	}
}

// A start that is forbidden on its way is let come up, and then stopped, as in
// OTP: whoever asked for it hears nothing else than in any other order of events.
func TestForbidWhileStarting(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		open := gate(a)
		started := k.start(a)
		forbidden := make(chan error, 1)
		go func() { forbidden <- Permit(k.ctx, a, false) }()
		synctest.Wait()
		open()
		k.ok(<-started)
		k.ok(<-forbidden)
		k.want("", "a.start a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)")
		k.ok(Permit(k.ctx, a, true))
		k.wantRunning("a")
	})
}

func TestForbidAndPermitWhileStarting(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		open := gate(a)
		answers := make(chan error, 3)
		for _, do := range []func() error{
			func() error { return Start(k.ctx, a, Temporary) },
			func() error { return Permit(k.ctx, a, false) },
			func() error { return Permit(k.ctx, a, true) },
		} {
			go func() { answers <- do() }()
			synctest.Wait()
		}
		open()
		for range 3 {
			k.ok(<-answers)
		}
		k.wantRunning("a")
		k.want("it was never stopped", "a.start")
	})
}

func TestForbidWhileStartingThatFails(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.Start = func(context.Context) (process.PID, error) { time.Sleep(short); return process.PID{}, errBoom }
		started := k.start(a)
		k.ok(Permit(k.ctx, a, false))
		k.is(<-started, errBoom, "")
		k.ok(Permit(k.ctx, a, true))
		k.wantRunning("") // who asked for it has had an answer
	})
}

func TestForbidFromItsOwnStart(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		start := a.Start
		a.Start = func(ctx context.Context) (process.PID, error) {
			k.is(Permit(ctx, a, false), ErrOwnCallback, "permit a")
			return start(ctx)
		}
		k.ok(Start(k.ctx, a, Temporary))
		k.wantRunning("a")
	})
}

// Two starts, one of which wants the other forbidden, which waits for it, would
// wait for ever.
func TestForbidWhoWaitsForMe(t *testing.T) {
	inBubble(t, func(k *kit) {
		a, b := k.app("a"), k.app("b")
		startA, startB := a.Start, b.Start
		a.Start = func(ctx context.Context) (process.PID, error) {
			synctest.Wait() // until b waits for us
			k.is(Permit(ctx, b, false), ErrOwnCallback, "permit b")
			return startA(ctx)
		}
		b.Start = func(ctx context.Context) (process.PID, error) {
			if err := Start(ctx, a, Temporary); err != nil {
				return process.PID{}, err
			}
			return startB(ctx)
		}
		k.ok(Start(k.ctx, b, Temporary))
		k.wantRunning("b a")
	})
}

// The same, in the other order.
func TestStartOfWhoForbidsMe(t *testing.T) {
	inBubble(t, func(k *kit) {
		a, b := k.app("a"), k.app("b")
		startA, startB := a.Start, b.Start
		b.Start = func(ctx context.Context) (process.PID, error) {
			time.Sleep(short) // until a waits for us
			k.is(Start(ctx, a, Temporary), ErrOwnCallback, "start a")
			return startB(ctx)
		}
		a.Start = func(ctx context.Context) (process.PID, error) {
			if err := Permit(ctx, b, false); err != nil {
				return process.PID{}, err
			}
			return startA(ctx)
		}
		answer := k.start(b)
		k.ok(Start(k.ctx, a, Temporary))
		k.ok(<-answer)
		k.wantRunning("a")
	})
}

func TestForbidWhileStopping(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.PrepStop = func(context.Context) error { time.Sleep(time.Second); return nil }
		k.ok(Start(k.ctx, a, Temporary))
		stopped := make(chan error, 1)
		go func() { stopped <- Stop(k.ctx, a) }()
		synctest.Wait()
		again := k.start(a)
		k.ok(Permit(k.ctx, a, false))
		k.ok(<-stopped)
		k.ok(<-again)
		k.wantPhase(a, Temporary, "not permitted") // the second start is put off
		k.ok(Permit(k.ctx, a, true))
		k.wantRunning("a")
	})
}

// A permission ends with its application's load.
func TestPermissionIsForgotten(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.ok(Load(k.ctx, a))
		k.ok(Permit(k.ctx, a, false))
		k.ok(Unload(k.ctx, a))
		k.ok(Start(k.ctx, a, Temporary))
		k.end("a", errBoom)
		k.ok(Unload(k.ctx, a))
		k.ok(Stop(k.ctx, a)) // it ended, and is forgotten
		k.is(Stop(k.ctx, a), ErrNotStarted, "")
	})
}
