package event_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/supervisor"
)

// However a manager ends in an orderly way, its handlers are terminated, the
// newest first; a kill leaves no time for that.
func TestEnd(t *testing.T) {
	ends := map[string]struct {
		end  func(ctx context.Context, parent process.PID, m event.Manager[string]) error
		want []string
	}{
		"stop": {func(ctx context.Context, _ process.PID, m event.Manager[string]) error {
			return process.Stop(ctx, m, process.Shutdown(errBoom))
		}, []string{"h2 gone: stopped: shutdown: boom", "h1 gone: stopped: shutdown: boom"}},
		"parent": {func(ctx context.Context, parent process.PID, _ event.Manager[string]) error {
			return process.Stop(ctx, parent, errBoom)
		}, []string{"h2 gone: stopped: boom", "h1 gone: stopped: boom"}},
		"kill": {func(ctx context.Context, _ process.PID, m event.Manager[string]) error {
			return process.Kill(ctx, m)
		}, nil},
		"stranger": {func(ctx context.Context, _ process.PID, m event.Manager[string]) error {
			return process.SendExit(ctx, m, errBoom) // it is only told
		}, []string{"h2 info exit boom", "h1 info exit boom"}},
	}
	for name, tt := range ends {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
				d, parent := &diary{}, owner(t, ctx, false)
				var m event.Manager[string]
				as(t, ctx, parent, func(ctx context.Context) (err error) {
					m, err = event.Start(ctx, event.Spec[string]{})
					return err
				})
				ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d})))
				ok(t, event.Add(ctx, m, handler(book{id: "h2", d: d})))
				d.lines = nil
				ok(t, tt.end(ctx, parent.PID(), m))
				d.want(t, tt.want...)
			})
		})
	}
}

// A parent that owns a handler is told of the stop, and keeps its link.
func TestParentAsOwner(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		parent := owner(t, ctx, true)
		var m event.Manager[string]
		as(t, ctx, parent, func(ctx context.Context) (err error) {
			m, err = event.Start(ctx, event.Spec[string]{})
			return err
		})
		addSup(t, ctx, parent, m, book{id: "h1", d: &diary{}})
		ok(t, event.Delete(ctx, m, "h1"))
		if !m.PID().Linked(parent.PID()) {
			t.Error("a handler took the link to the parent with it")
		}
		addSup(t, ctx, parent, m, book{id: "h1", d: &diary{}})
		ok(t, process.Stop(ctx, m, nil))
		wantTold(t, ctx, parent, "h1 deleted", "h1 stopped")
	})
}

// A manager that is killed while a handler has the event gives it to no other.
func TestKilledInTheMiddle(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		m, d := start(t, ctx, event.Spec[string]{}), &diary{}
		ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d})))
		ok(t, event.Add(ctx, m, handler(book{id: "h2", d: d, react: func(any) error { time.Sleep(time.Millisecond); return nil }})))
		ok(t, m.Notify(ctx, "x"))
		synctest.Wait()
		ok(t, process.Kill(ctx, m))
		time.Sleep(time.Second)
		d.want(t, "h1 init", "h2 init", "h2 event x")
	})
}

// A handler that gives up because the manager is told to stop has not failed.
func TestObedientHandler(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
		parent, d := owner(t, ctx, false), &diary{}
		var m event.Manager[string]
		as(t, ctx, parent, func(ctx context.Context) (err error) {
			m, err = event.Start(ctx, event.Spec[string]{})
			return err
		})
		h := handler(book{id: "h1", d: d})
		h.On = func(_ *book, ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		ok(t, event.Add(ctx, m, h))
		ok(t, m.Notify(ctx, "x"))
		synctest.Wait()
		ok(t, process.Stop(ctx, parent, nil))
		d.want(t, "h1 init", "h1 gone: stopped")
		wantReport(t, rec)
	})
}

// process.Exit in a handler ends the manager, and every handler is terminated
// once, also one that exits in its Terminate.
func TestExitInHandler(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		m, d := start(t, ctx, event.Spec[string]{}), &diary{}
		for _, id := range []string{"h1", "h2", "h3"} {
			h := handler(book{id: id, d: d})
			if id == "h2" {
				h.On = func(*book, context.Context, string) error { return event.Remove(nil) }
				h.Terminate = func(b *book, ctx context.Context, g event.Gone) error {
					b.d.add("h2 gone: %s", shown(g))
					process.Exit(ctx, errBoom)
					return nil
				}
			}
			ok(t, event.Add(ctx, m, h))
		}
		d.lines = nil
		ok(t, m.Notify(ctx, "x"))
		d.want(t, "h3 event x", "h2 gone: removed", "h3 gone: stopped: boom", "h1 gone: stopped: boom")
		if reason, err := process.Wait(ctx, m); !errors.Is(reason, errBoom) || err != nil {
			t.Errorf("the manager ended with %v, %v", reason, err)
		}
	})
}

// Become into a handler of other events is a failure that says so.
func TestBecomeOfAnotherManager(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
		m, d := start(t, ctx, event.Spec[string]{}), &diary{}
		alien := event.Handler[int, int]{ID: "alien", On: func(*int, context.Context, int) error { return nil }}
		ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d, react: func(any) error { return event.Become(alien) }})))
		ok(t, m.SyncNotify(ctx, "x"))
		wantReport(t, rec, "h1 failed")
		bad := handler(book{id: "bad", d: d})
		bad.Init = func(context.Context) (*book, error) { return nil, errBoom }
		o := owner(t, ctx, true)
		addSup(t, ctx, o, m, book{id: "h2", d: d, react: func(any) error { return event.Become(bad) }})
		ok(t, m.SyncNotify(ctx, "x"))
		wantReport(t, rec, "h1 failed", "bad not started")
		wantTold(t, ctx, o, "h2 swapped bad", "bad not started: boom")
		wantHandlers(t, ctx, m)
	})
}

// A manager that its supervisor restarts has the handlers of its Spec again.
func TestRestart(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		d := &diary{}
		spec := event.Spec[string]{Name: "bus", Handlers: []event.AnyHandler[string]{handler(book{id: "h1", d: d})}}
		_, err := supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{{ID: "bus", Start: event.StartFunc(spec)}}})
		ok(t, err)
		old, _ := process.Whereis(ctx, "bus")
		ok(t, process.Kill(ctx, old))
		synctest.Wait()
		pid, _ := process.Whereis(ctx, "bus")
		m, err := event.As[string](pid)
		ok(t, err)
		if pid == old {
			t.Error("it was not restarted")
		}
		wantHandlers(t, ctx, m, "h1")
	})
}
