package process_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// lender starts a process that does what f says, and returns it.
func lender(t *testing.T, ctx context.Context, f func(ctx context.Context) error) process.PID {
	t.Helper()
	pid, err := process.Start(ctx, process.Spec{Unlinked: true, Behaviour: &script{}})
	if err != nil {
		t.Fatal(err)
	}
	send(t, ctx, pid, do(func(ctx context.Context, _ *script) error { return f(ctx) }))
	return pid
}

// An idle receiver handles the message in the lender's goroutine, and before Lend
// returns; one that is busy does so in its own, and Lend does not wait.
func TestLend(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		to := start(t, ctx, process.Spec{})
		var mine, first, second string
		gate := make(chan struct{})
		lender(t, ctx, func(ctx context.Context) error {
			mine = goroutine()
			if err := process.Lend(ctx, to, do(func(context.Context, *script) error { first = goroutine(); return nil })); err != nil {
				t.Error(err)
			}
			if first == "" {
				t.Error("Lend returned before the message was handled")
			}
			busy := make(chan struct{})
			send(t, ctx, to, do(func(context.Context, *script) error { close(busy); <-gate; return nil }))
			<-busy
			if err := process.Lend(ctx, to, do(func(context.Context, *script) error { second = goroutine(); return nil })); err != nil {
				t.Error(err)
			}
			if second != "" {
				t.Error("Lend waited for a receiver that was busy")
			}
			return nil
		})
		synctest.Wait()
		close(gate)
		synctest.Wait()
		if first != mine || second == mine || second == "" {
			t.Errorf("the lender is %s; the messages were handled by %s and %s", mine, first, second)
		}
		if got := to.Stack(); got != "" {
			t.Errorf("the receiver has a goroutine though it is idle:\n%s", got)
		}
	})
}

// What comes while the message is handled does not keep the lender, and order is kept.
func TestLendGivesBack(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		to := start(t, ctx, process.Spec{})
		back := false
		gate := make(chan struct{})
		lender(t, ctx, func(ctx context.Context) error {
			err := process.Lend(ctx, to, do(func(ctx context.Context, s *script) error {
				s.kept = append(s.kept, 1)
				for _, m := range []any{2, do(func(context.Context, *script) error { <-gate; return nil }), 3} {
					if err := process.SendSelf(ctx, m); err != nil {
						return err
					}
				}
				return nil
			}))
			back = true
			send(t, ctx, to, 4)
			return err
		})
		synctest.Wait()
		if !back {
			t.Error("the lender is kept by what came later")
		}
		close(gate)
		if got := kept(t, ctx, to); !slices.Equal(got, []any{1, 2, 3, 4}) {
			t.Errorf("handled in the order %v", got)
		}
	})
}

// However the receiver ends by the message, that is its end, as ever, and the lender
// goes on, unless its goroutine is gone; then it ends normally.
func TestLendEnds(t *testing.T) {
	for name, c := range map[string]struct {
		how     func(ctx context.Context) error
		want    error
		crashes int
		gone    bool
	}{
		"an error":      {how: func(context.Context) error { return errBoom }, want: errBoom, crashes: 1},
		"a clean end":   {how: func(context.Context) error { return process.End(process.ErrShutdown) }, want: process.ErrShutdown},
		"a panic":       {how: func(context.Context) error { panic(errBoom) }, want: errBoom, crashes: 1},
		"Exit":          {how: func(ctx context.Context) error { process.Exit(ctx, errBoom); return nil }, want: errBoom, crashes: 1, gone: true},
		"a normal Exit": {how: func(ctx context.Context) error { process.Exit(ctx, nil); return nil }, gone: true},
		"Goexit":        {how: func(context.Context) error { runtime.Goexit(); return nil }, want: process.ErrGoexit, crashes: 1, gone: true},
		"a kill": {how: func(ctx context.Context) error {
			return process.Kill(process.Uninterrupted(ctx), process.Self(ctx))
		}, want: process.ErrKilled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &processtest.Recorder{}
				ctx := processtest.Node(t, process.NodeSpec{Probe: log})
				to := start(t, ctx, process.Spec{Unlinked: true})
				back := false
				from := lender(t, ctx, func(ctx context.Context) error {
					err := process.Lend(ctx, to, do(func(ctx context.Context, _ *script) error { return c.how(ctx) }))
					back = true
					return err
				})
				wantReason(t, ctx, to, c.want)
				if back == c.gone {
					t.Errorf("Lend returned: %v", back)
				}
				if c.gone {
					wantReason(t, ctx, from, nil)
				} else if !from.Alive() {
					t.Error("the lender has ended too")
				}
				if got := len(log.Events(process.Crashed)); got != c.crashes {
					t.Errorf("%d crashes were reported, want %d", got, c.crashes)
				}
			})
		})
	}
}

// A handler that does not come back is abandoned and told of once, though it is two
// processes that it keeps.
func TestLendAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &processtest.Recorder{}
		ctx := processtest.Node(t, process.NodeSpec{Probe: log})
		to := start(t, ctx, process.Spec{Unlinked: true})
		gate := make(chan struct{})
		from := lender(t, ctx, func(ctx context.Context) error {
			if err := process.Link(ctx, to); err != nil {
				return err
			}
			return process.Lend(ctx, to, do(func(context.Context, *script) error { <-gate; return nil }))
		})
		synctest.Wait()
		if err := process.Kill(ctx, to); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		wantReason(t, ctx, to, process.ErrKilled)
		wantReason(t, ctx, from, process.ErrKilled)
		if got := log.Events(process.Abandoned); len(got) != 1 || got[0].PID != to {
			t.Errorf("abandoned: %v", got)
		}
		close(gate)
		synctest.Wait()
	})
}

// Who may not send may not lend, and a full mailbox is full.
func TestLendRefused(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var held context.Context
		dead := start(t, ctx, process.Spec{Unlinked: true})
		in(t, ctx, dead, func(ctx context.Context) { held = ctx })
		if err := process.Kill(ctx, dead); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		to := start(t, ctx, process.Spec{Limit: 1})
		if err := process.Lend(held, to, 1); err == nil {
			t.Error("a dead process has lent its goroutine")
		}
		if err := process.Lend(ctx, process.PID{}, 1); err != nil {
			t.Errorf("to nobody: %v", err)
		}
		if err := process.Lend(ctx, dead, 1); err != nil {
			t.Errorf("to a dead one: %v", err)
		}
		gate := make(chan struct{})
		send(t, ctx, to, do(func(context.Context, *script) error { <-gate; return nil }))
		synctest.Wait()
		send(t, ctx, to, 2)
		lent := make(chan error, 1)
		lender(t, ctx, func(ctx context.Context) error { lent <- process.Lend(ctx, to, 3); return nil })
		if err := <-lent; err == nil {
			t.Error("a full mailbox took another message")
		}
		close(gate)
		synctest.Wait()
		if got := kept(t, ctx, to); !slices.Equal(got, []any{2}) {
			t.Errorf("handled %v", got)
		}
	})
}
