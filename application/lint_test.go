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

// famous makes the two applications of the famous mistake: broker needs
// sockets, and the connections, which live below sockets, call broker.
func (k *kit) famous() (sockets, broker *App) {
	sockets = k.app("sockets")
	return sockets, k.app("broker", sockets)
}

// call has a process below sockets' top call broker's, and live on.
func (k *kit) call() (conn process.PID) {
	k.Helper()
	k.ask("sockets_top", func(ctx context.Context) {
		called := make(chan struct{})
		pid, err := process.Go(ctx, func(ctx context.Context) error {
			k.ok(sendPing(ctx, k.pid("broker_top")))
			close(called)
			<-ctx.Done()
			return nil
		})
		k.ok(err)
		<-called
		conn = pid
	})
	return conn
}

// sendPing is the last function of the user's code before the call.
func sendPing(ctx context.Context, to process.PID) error { return process.Do(ctx, to, &ping{}) }

func TestLint(t *testing.T) {
	inBubble(t, func(k *kit) {
		sockets, broker := k.famous()
		broker.PrepStop = nil
		k.ensure(Temporary, broker)
		k.want("", "sockets.start broker.start")
		k.ask("broker_top", func(ctx context.Context) { k.ok(sendPing(ctx, k.pid("sockets_top"))) })
		if w := Lint(k.ctx); len(w) != 0 {
			t.Errorf("warnings of a call along the order: %v", w)
		}
		k.call()
		k.call()
		k.want("reported when first seen, once", "broker:order hazard")
		w := Lint(k.ctx)
		if len(w) != 1 || w[0].From != sockets || w[0].To != broker || !strings.Contains(w[0].Place, "lint_test.go:") ||
			!strings.HasPrefix(w[0].Caller, "sockets/top/") || w[0].Callee != "broker/top" {
			t.Fatalf("Lint = %+v, want the call from sockets to broker with its place", w)
		}
		if text := w[0].String(); !strings.Contains(text, "but broker stops first: let broker's PrepStop end those of sockets's processes that call it, or let sockets need broker") {
			t.Errorf("the warning says %q", text)
		}
	})
}

func TestLintTrustsPrepStop(t *testing.T) {
	inBubble(t, func(k *kit) {
		_, broker := k.famous()
		k.ensure(Temporary, broker)
		k.call()
		if w := Lint(k.ctx); len(w) != 0 {
			t.Errorf("broker has a PrepStop, yet: %v", w)
		}
		k.want("", "sockets.start broker.start")
	})
}

func TestLintOfUsersThatNeed(t *testing.T) {
	inBubble(t, func(k *kit) {
		broker := k.app("broker")
		sockets := k.app("sockets", broker)
		broker.PrepStop = nil
		k.ensure(Temporary, sockets)
		k.call()
		if w := Lint(k.ctx); len(w) != 0 {
			t.Errorf("sockets needs broker and stops first, yet: %v", w)
		}
	})
}

// PrepStop is trusted until it has run: then who has called must be gone.
func TestNotDrained(t *testing.T) {
	inBubble(t, func(k *kit) {
		_, broker := k.famous()
		k.ensure(Temporary, broker)
		conn := k.call()
		k.call()
		k.set(func() { k.journal = nil })
		k.ok(Stop(k.ctx, broker))
		k.want("", "broker.prep_stop broker:not drained broker_top.down(shutdown) broker.stop broker:exited(stopped,temporary)")
		r := k.report(NotDrained)
		if len(r.Left) != 2 || r.Left[0].PID != conn {
			t.Errorf("left: %v, want the two that have called", r.Left)
		}
		if want := "2 living processes outside have called it and may do so again: those below sockets/top (2); its PrepStop has not ended them"; !strings.Contains(r.Note, want) {
			t.Errorf("the report says %q, want %q", r.Note, want)
		}
	})
}

func TestDrained(t *testing.T) {
	inBubble(t, func(k *kit) {
		_, broker := k.famous()
		k.ensure(Temporary, broker)
		conn := k.call()
		broker.PrepStop = func(ctx context.Context) error {
			k.log("drain")
			k.ok(process.SendExit(ctx, conn, process.ErrShutdown))
			_, err := process.Wait(ctx, conn)
			return err
		}
		k.set(func() { k.journal = nil })
		k.ok(k.node.Stop(context.Background()))
		k.want("nobody is left who has called: nothing to report", `drain broker_top.down(shutdown) broker.stop broker:exited(stopped,temporary)+down
			sockets.prep_stop sockets_top.down(shutdown) sockets.stop sockets:exited(stopped,temporary)+down`)
	})
}

// A call that fails because its target is stopping says so.
func TestStoppingError(t *testing.T) {
	inBubble(t, func(k *kit) {
		sockets, broker := k.famous()
		broker.Stop = func(context.Context) error { time.Sleep(time.Second); return nil }
		k.ensure(Temporary, broker)
		k.call()
		target := k.pid("broker_top")
		stopped := make(chan error, 1)
		go func() { stopped <- Stop(k.ctx, broker) }()
		synctest.Wait()
		since := time.Now()
		var err, byName error
		k.ask("sockets_top", func(ctx context.Context) {
			err = process.Do(ctx, target, &ping{})
			_, byName = process.Name("broker_top").Resolve(ctx)
		})
		for _, err := range []error{err, byName} {
			why, ok := errors.AsType[*StoppingError](err)
			if !ok || why.App != broker || why.Phase != "stop" || !why.Since.Equal(since) || !strings.Contains(why.Advice, "let sockets need broker") {
				t.Errorf("the call failed with %v, want which application, phase, since when and what to do", err)
			}
			if !errors.Is(err, process.ErrNoProc) {
				t.Errorf("%v hides the reason", err)
			}
		}
		k.ok(<-stopped)
		k.ok(Start(k.ctx, broker, Temporary))
		k.ask("sockets_top", func(ctx context.Context) { err = process.Do(ctx, target, &ping{}) })
		if _, stopping := errors.AsType[*StoppingError](err); err == nil || stopping {
			t.Errorf("broker runs again; a call to its former top gives %v, want no such process", err)
		}
		if OfProcess(k.ctx, k.pid("broker_top")) != broker || OfProcess(k.ctx, k.pid("sockets_top")) != sockets {
			t.Error("OfProcess does not know whose the tops are")
		}
	})
}
