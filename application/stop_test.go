package application

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

func TestStopOrder(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.ok(Start(k.ctx, a, Permanent))
		k.want("", "a.start")
		k.ok(Stop(k.ctx, a))
		k.want("before the tree, the tree, after it (APP-29); a permanent one may be stopped (APP-26)",
			"a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,permanent)")
		k.is(Stop(k.ctx, a), ErrNotStarted, "")
		k.ok(Start(k.ctx, a, Temporary))
		k.wantRunning("a")
	})
}

func TestTopEndsByItself(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		k.ensure(Temporary, b)
		k.end("a", errBoom)
		k.want("both callbacks run, after the tree (APP-32); others go on (APP-24)",
			"a.start b.start a_top.down(boom) a.prep_stop a.stop a:exited(boom,temporary)")
		k.wantRunning("b")
		k.ok(Start(k.ctx, a, Temporary)) // APP-09
		k.wantRunning("a b")
	})
}

func (k *kit) pid(name string) process.PID {
	k.Helper()
	pid, ok := process.Whereis(k.ctx, name)
	if !ok {
		k.Fatalf("nobody is called %s", name)
	}
	return pid
}

func TestStopWarnsOfDependents(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		c := k.app("c", b)
		k.ensure(Temporary, c, k.app("other"))
		k.set(func() { k.journal = nil })
		k.ok(Stop(k.ctx, a))
		k.want("it stops, and who needs it is named (APP-27)",
			"a:still needed(b, c) a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)")
		k.wantRunning("other c b")
	})
}

// Callbacks may use the package, whatever is going on (D8).
func TestCallbacksMayAsk(t *testing.T) {
	inBubble(t, func(k *kit) {
		a, b := k.app("a"), k.app("b")
		late := k.app("late")
		b.PrepStop = func(ctx context.Context) error {
			k.log("b.prep_stop")
			k.is(Stop(ctx, b), ErrOwnCallback, "")
			if err := Start(ctx, b, Temporary); !errors.Is(err, ErrOwnCallback) && !errors.Is(err, ErrNodeDown) {
				t.Errorf("start of b from its own PrepStop: %v", err)
			}
			k.wantRunning("a")
			if err := Load(ctx, late); err != nil && !errors.Is(err, ErrAlreadyLoaded) {
				t.Error(err)
			}
			return Start(ctx, late, Temporary)
		}
		k.ensure(Temporary, a, b)
		k.ok(Stop(k.ctx, b))
		k.wantRunning("late a")
		k.ok(Stop(k.ctx, late))
		k.ok(Start(k.ctx, b, Temporary))
		k.set(func() { k.journal = nil })
		k.ok(k.node.Stop(context.Background()))
		k.want("while the node goes down nothing starts, and nobody waits", `
			b.prep_stop b:callback failed(application: b: PrepStop: application: start late: application: the node is going down)
			b_top.down(shutdown) b.stop b:exited(stopped,temporary)+down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)+down`)
	})
}

func TestTwoStopsOfOne(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.PrepStop = func(context.Context) error { time.Sleep(short); return errBoom }
		k.ok(Start(k.ctx, a, Temporary))
		second := make(chan error, 1)
		_, err := process.Go(k.ctx, func(ctx context.Context) error { second <- Stop(ctx, a); return nil })
		k.ok(err)
		k.is(Stop(k.ctx, a), errBoom, "has stopped, but")
		k.is(<-second, errBoom, "has stopped, but")
	})
}

func TestStartWhileStopping(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.PrepStop = func(context.Context) error { time.Sleep(time.Second); return nil }
		k.ok(Start(k.ctx, a, Temporary))
		done := make(chan error, 1)
		_, err := process.Go(k.ctx, func(ctx context.Context) error { done <- Stop(ctx, a); return nil })
		k.ok(err)
		synctest.Wait()
		k.ok(Start(k.ctx, a, Temporary))
		k.ok(<-done)
		k.want("it starts when it has stopped", "a.start a_top.down(shutdown) a.stop a:exited(stopped,temporary) a.start")
	})
}

func TestWorkerStopsItsOwnApplication(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.ok(Start(k.ctx, a, Temporary))
		k.ok(process.Send(k.ctx, k.pid("a_top"), func(ctx context.Context) {
			if err := Stop(ctx, a); err == nil {
				t.Error("Stop returned to a process that it has ended")
			}
		}))
		synctest.Wait()
		k.wantRunning("")
		k.want("it is told to stop while it waits, and does", "a.start a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)")
	})
}

// A probe that holds an application up at the moment at which it says that it
// runs, before the controller has heard of it.
type holdUp struct {
	*kit
	do func()
}

func (h *holdUp) Event(e process.Event) {
	if r, is := e.Detail.(*Report); is && r.What == PhaseBegan && r.Phase == phaseRunning.String() {
		h.do()
	}
	h.kit.Event(e)
}

func TestStopJustBeforeItIsUp(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		answer := make(chan error, 1)
		k.node.SetProbe(&holdUp{k, func() {
			go func() { answer <- Stop(k.ctx, a) }()
			time.Sleep(short)
		}})
		k.ok(Start(k.ctx, a, Permanent))
		k.is(<-answer, ErrNotStarted, "")
		k.want("it is starting until the answer is out; a half stop would be an end of its own, and of the node", "a.start")
		k.wantRunning("a")
	})
}
