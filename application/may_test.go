package application

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

// gate makes a Start that waits until it is opened.
func gate(app *App) (open func()) {
	ch := make(chan struct{})
	start := app.Start
	app.Start = func(ctx context.Context) (process.PID, error) {
		select {
		case <-ch:
			return start(ctx)
		case <-ctx.Done():
			return process.PID{}, context.Cause(ctx)
		}
	}
	return func() { close(ch) }
}

// start starts an application from elsewhere, and returns where the answer will
// be.
func (k *kit) start(app *App) chan error {
	answer := make(chan error, 1)
	go func() { answer <- Start(k.ctx, app, Temporary) }()
	synctest.Wait()
	return answer
}

func TestTwoStartsOfOne(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		open := gate(a)
		first, second := k.start(a), k.start(a)
		k.is(Start(k.ctx, k.app("b", a), Temporary), ErrNotStarted, "it needs a") // starting is not started
		k.is(Stop(k.ctx, a), ErrNotStarted, "stop a: not started")
		k.wantRunning("")
		time.Sleep(time.Minute) // a start takes the time it takes, whatever the node's CallTimeout
		open()
		k.ok(<-first)
		k.ok(<-second)
		k.want("one start for both (APP-08)", "a.start")
	})
}

func TestTwoStartsOfOneFail(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		open := gate(a)
		inner := a.Start
		a.Start = func(ctx context.Context) (process.PID, error) {
			_, _ = inner(ctx)
			return process.PID{}, errBoom
		}
		first, second := k.start(a), k.start(a)
		open()
		k.is(<-first, errBoom, "")
		k.is(<-second, errBoom, "")
	})
}

func TestStartFromAStart(t *testing.T) {
	inBubble(t, func(k *kit) {
		inner, outer := k.app("inner"), k.app("outer")
		start := outer.Start
		outer.Start = func(ctx context.Context) (process.PID, error) {
			if err := Start(ctx, inner, Temporary); err != nil { // APP-35
				return process.PID{}, err
			}
			k.is(Start(ctx, outer, Temporary), ErrOwnCallback, "")
			return start(ctx)
		}
		k.ok(Start(k.ctx, outer, Temporary))
		k.wantRunning("outer inner")
		k.ok(k.node.Stop(context.Background()))
		k.want("the one that came up last goes first, whichever was begun first", `inner.start outer.start
			outer.prep_stop outer_top.down(shutdown) outer.stop outer:exited(stopped,temporary)+down
			inner.prep_stop inner_top.down(shutdown) inner.stop inner:exited(stopped,temporary)+down`)
	})
}

// Two that start each other would wait for ever.
func TestStartsThatWaitForEachOther(t *testing.T) {
	inBubble(t, func(k *kit) {
		a, b := k.app("a"), k.app("b")
		startA, startB := a.Start, b.Start
		a.Start = func(ctx context.Context) (process.PID, error) {
			if err := Start(ctx, b, Temporary); err != nil {
				return process.PID{}, err
			}
			return startA(ctx)
		}
		b.Start = func(ctx context.Context) (process.PID, error) {
			k.is(Start(ctx, a, Temporary), ErrOwnCallback, "start a: the caller is part of it")
			return startB(ctx)
		}
		k.ok(Start(k.ctx, a, Temporary))
		k.wantRunning("a b")
	})
}

// A worker whose Init asks for the start that it is part of would wait for ever.
func TestWorkerStartsItsOwnApplication(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.Start = func(ctx context.Context) (process.PID, error) {
			pid, err := process.Go(ctx, func(ctx context.Context) error {
				k.is(Start(ctx, a, Temporary), ErrOwnCallback, "")
				<-ctx.Done()
				return nil
			})
			synctest.Wait()
			return pid, err
		}
		k.ok(Start(k.ctx, a, Temporary))
	})
}

func TestInvalidType(t *testing.T) {
	inBubble(t, func(k *kit) {
		k.is(Start(k.ctx, k.app("a"), Type(9)), ErrInvalidType, "Type(9)")
		k.want("nothing was started", "")
	})
}

func TestNoNode(t *testing.T) {
	err := Start(context.Background(), &App{Name: "a"}, Temporary)
	if !errors.Is(err, process.ErrNoNode) {
		t.Errorf("a start without a node: %v, want ErrNoNode, which names the cure", err)
	}
}

func TestCallerGivesUp(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		open := gate(a)
		ctx, cancel := context.WithTimeout(k.ctx, time.Second)
		defer cancel()
		k.is(Start(ctx, a, Temporary), context.DeadlineExceeded, "")
		open()
		synctest.Wait()
		k.wantRunning("a")
	})
}
