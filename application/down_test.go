package application

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

// What the end of one does to the others, by type (APP-22 to APP-24).
func TestEndTakesNodeDown(t *testing.T) {
	for _, tt := range []struct {
		typ    Type
		reason error
		down   bool
	}{
		{Permanent, errBoom, true},
		{Permanent, process.ErrShutdown, true},
		{Permanent, nil, true},
		{Transient, errBoom, true},
		{Transient, process.ErrShutdown, true}, // a supervisor that gives up
		{Transient, nil, false},
		{Temporary, errBoom, false},
	} {
		t.Run(tt.typ.String()+" "+describe(tt.reason), func(t *testing.T) {
			inBubble(t, func(k *kit) {
				a := k.app("a")
				b := k.app("b", a)
				c := k.app("c")
				k.ensure(Temporary, a)
				k.ok(Start(k.ctx, b, tt.typ))
				k.ok(Start(k.ctx, c, Temporary))
				k.want("", "a.start b.start c.start")
				k.end("b", tt.reason)
				lines := "b_top.down(" + describe(tt.reason) + ") b.prep_stop b.stop b:exited(" + describe(tt.reason) + "," + tt.typ.String() + ")"
				if !tt.down {
					k.want("others go on", lines)
					k.wantRunning("c a")
					return
				}
				k.want("the others stop, latest first, after it", lines+` b:node goes down
					c.prep_stop c_top.down(shutdown) c.stop c:exited(stopped,temporary)+down
					a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)+down`)
				time.Sleep(2 * lastWords)
				if left := k.node.Processes(); len(left) != 0 {
					t.Errorf("the node is down, but has %v", left)
				}
			})
		})
	}
}

func describe(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}

// A start that fails takes the node down too, after the caller has its error
// (APP-25).
func TestFailedStartTakesNodeDown(t *testing.T) {
	for _, tt := range []struct {
		name string
		typ  Type
		fail func(ctx context.Context) error
		down bool
	}{
		{"permanent, error", Permanent, func(context.Context) error { return errBoom }, true},
		{"permanent, normal exit", Permanent, func(ctx context.Context) error { process.Exit(ctx, nil); return nil }, true},
		{"transient, error", Transient, func(context.Context) error { return errBoom }, true},
		{"transient, normal exit", Transient, func(ctx context.Context) error { process.Exit(ctx, nil); return nil }, false},
		{"temporary, error", Temporary, func(context.Context) error { return errBoom }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(k *kit) {
				z, a := k.app("z"), k.app("a")
				a.Start = func(ctx context.Context) (process.PID, error) { return process.PID{}, tt.fail(ctx) }
				k.ensure(Temporary, z)
				var cause, waitErr error
				done := make(chan struct{})
				ctx, cancel := context.WithCancelCause(k.ctx)
				go func() { cause, waitErr = Wait(ctx); close(done) }()
				synctest.Wait()
				err := Start(k.ctx, a, tt.typ)
				if _, ok := errors.AsType[*CallbackError](err); !ok {
					t.Errorf("the caller got %v, want the failure of Start", err)
				}
				synctest.Wait()
				cancel(errStillUp)
				<-done
				ended, _ := errors.AsType[*EndedError](cause)
				if tt.down && (ended == nil || ended.App != a || !ended.Starting || !errors.Is(ended, err)) {
					t.Errorf("the node went down because of %v, want the start of a", cause)
				}
				if !tt.down && (waitErr != errStillUp || cause != nil) {
					t.Errorf("the node went down: %v", cause)
				}
			})
		})
	}
}

// Who asked is a process of the node that goes down, and hears of it first.
func TestCallerHearsBeforeTheNodeGoesDown(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.Start = func(context.Context) (process.PID, error) { return process.PID{}, errBoom }
		answer := make(chan error, 1)
		_, err := process.Go(k.ctx, func(ctx context.Context) error { answer <- Start(ctx, a, Permanent); return nil })
		k.ok(err)
		k.is(<-answer, errBoom, "a: Start")
	})
}

var errStillUp = errors.New("still up")

func TestNodeStopIsInReverseOrderOfStart(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b")
		c := k.app("c", a)
		d := k.app("d", b, c)
		k.ok(Start(k.ctx, b, Temporary))
		k.ok(Start(k.ctx, a, Temporary))
		k.ensure(Temporary, d)
		k.ok(Stop(k.ctx, b))
		k.ok(Start(k.ctx, b, Temporary))
		k.wantRunning("b d c a")
		k.set(func() { k.journal = nil })
		k.ok(k.node.Stop(context.Background()))
		k.want("not the order of needs: b came back last (APP-36)", `
			b.prep_stop b_top.down(shutdown) b.stop b:exited(stopped,temporary)+down
			d.prep_stop d_top.down(shutdown) d.stop d:exited(stopped,temporary)+down
			c.prep_stop c_top.down(shutdown) c.stop c:exited(stopped,temporary)+down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)+down`)
		if err := Start(k.ctx, a, Temporary); err == nil {
			t.Error("an application started on a node that has stopped")
		}
	})
}

// The node is stopped while something starts: that is told to give up, and what
// runs is stopped after it has.
func TestNodeStopsDuringStart(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		gate(b)
		k.ok(Start(k.ctx, a, Temporary))
		answer := k.start(b)
		k.ok(k.node.Stop(context.Background()))
		k.is(<-answer, ErrNodeDown, "b: Start")
		k.want("b unwinds first", `a.start b:exited(application: b: Start: application: the node is going down,temporary)+down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)+down`)
	})
}

func TestNodeStopsDuringStartThatIgnoresIt(t *testing.T) {
	inBubble(t, func(k *kit) {
		hang := make(chan struct{})
		defer close(hang)
		a := k.app("a")
		b := k.app("b", a)
		b.TreeTimeout = time.Second
		b.Start = func(context.Context) (process.PID, error) { <-hang; return process.PID{}, nil }
		k.ok(Start(k.ctx, a, Temporary))
		answer := k.start(b)
		begun := time.Now()
		if err := k.node.Stop(context.Background()); err == nil || !strings.Contains(err.Error(), "abandoned") {
			t.Errorf("node.Stop = %v, want the goroutine that is left named", err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the stop took %v", took)
		}
		k.is(<-answer, ErrNodeDown, "")
		k.want("", `a.start b:hung b:exited(application: b: Start: application: the node is going down,temporary)+down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)+down`)
	})
}
