package process_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A square is a raw process's own message type.
type square struct {
	n     int
	reply process.Reply[int]
}

func TestAsk(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ref, err := process.Spawn(ctx, func(_ context.Context, in *process.Inbox[square]) error {
			for {
				if m := in.Receive(); m.n < 0 {
					m.reply.Fail(errBoom)
					return errBoom
				} else if m.n > 0 {
					m.reply.Send(m.n * m.n)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(n int) (int, error) {
			return process.Ask(ctx, ref, func(r process.Reply[int]) square { return square{n, r} })
		}
		if n, err := ask(7); n != 49 || err != nil {
			t.Errorf("7 squared: %d, %v", n, err)
		}
		if _, err := ask(0); !errors.Is(err, process.ErrTimeout) {
			t.Errorf("no answer: %v", err)
		}
		if _, err := ask(-1); !errors.Is(err, errBoom) {
			t.Errorf("failing: %v", err)
		}
		wantReason(t, ctx, ref.PID(), errBoom)
		if _, err := ask(1); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("asking the dead: %v", err)
		}
	})
}

// Take looks for one message and leaves the others as they are.
func TestSelectiveReceive(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var got string
		ref, err := process.Spawn(ctx, func(_ context.Context, in *process.Inbox[string]) error {
			is := func(want string) func(string) bool { return func(s string) bool { return s == want } }
			got += in.Take(is("c"))
			if _, ok := in.TakeWithin(0, is("x")); ok {
				t.Error("found what is not there")
			}
			if m, ok := in.TakeWithin(time.Second, is("x")); ok {
				t.Errorf("found %q", m)
			}
			got += in.Receive()
			if in.Len() != 1 {
				t.Errorf("%d messages left, want 1", in.Len())
			}
			got += in.Receive()
			got += in.Take(is("later"))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []string{"a", "b", "c"} {
			if err := ref.Send(ctx, m); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Minute)
		if err := ref.Send(ctx, "later"); err != nil {
			t.Error(err)
		}
		wantReason(t, ctx, ref.PID(), nil)
		if got != "cablater" {
			t.Errorf("received %q", got)
		}
	})
}

// Signals become messages of a raw process's own type; a kill unwinds it.
func TestRawSignals(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		other := start(t, ctx, process.Spec{})
		var got []string
		unwound := false
		ref, err := process.SpawnRaw(ctx, process.Raw[string]{Name: "raw", TrapExit: true,
			Exit: func(x process.ExitSignal) string { return fmt.Sprint("exit ", x.Reason) },
			Run: func(ctx context.Context, in *process.Inbox[string]) error {
				defer func() { unwound = true }()
				if _, err := in.Monitor(other, func(d process.Down) string { return fmt.Sprint("down ", d.Reason) }); err != nil {
					return err
				}
				if err := process.Link(ctx, other); err != nil {
					return err
				}
				process.After(ctx, time.Second, "timer")
				for {
					got = append(got, in.Receive())
				}
			}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		send(t, ctx, other, errBoom)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if fmt.Sprint(got) != "[exit boom down boom timer]" {
			t.Errorf("received %v", got)
		}
		if err := process.Kill(ctx, ref); err != nil {
			t.Error(err)
		}
		wantReason(t, ctx, ref.PID(), process.ErrKilled)
		if !unwound {
			t.Error("deferred functions did not run")
		}
	})
}

// Go's function is told by its ctx, obeys by returning, and that is no crash.
func TestGo(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var worker, deaf, failing process.PID
		parent := start(t, ctx, process.Spec{TrapExit: true})
		in(t, ctx, parent, func(ctx context.Context) {
			var err error
			if worker, err = process.Go(ctx, func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(3 * time.Second) // it may take its time; its parent has the clock
				return fmt.Errorf("working: %w", ctx.Err())
			}); err != nil {
				t.Error(err)
			}
			if deaf, err = process.Go(ctx, func(ctx context.Context) error { time.Sleep(time.Hour); return nil }); err != nil {
				t.Error(err)
			}
			if failing, err = process.Go(ctx, func(context.Context) error { return errBoom }); err != nil {
				t.Error(err)
			}
			for _, pid := range []process.PID{worker, deaf} {
				if err := process.SendExit(ctx, pid, process.ErrShutdown); err != nil {
					t.Error(err)
				}
			}
		})
		time.Sleep(4 * time.Second)
		wantReason(t, ctx, worker, process.ErrShutdown)
		wantReason(t, ctx, failing, errBoom)
		if !deaf.Alive() {
			t.Error("being told to stop ended one that does not obey")
		}
		send(t, ctx, parent, errBoom) // nobody is left to wait for it
		time.Sleep(time.Second)
		wantReason(t, ctx, deaf, errBoom)
		time.Sleep(time.Hour)
	})
}

func TestSpawnMonitor(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		w := start(t, ctx, process.Spec{})
		in(t, ctx, w, func(ctx context.Context) {
			for range 100 { // it ends at once, and is seen to
				_, _, err := process.SpawnMonitor(ctx, process.Raw[int]{Run: func(context.Context, *process.Inbox[int]) error { return errBoom }}, nil)
				if err != nil {
					t.Error(err)
				}
			}
		})
		synctest.Wait()
		for _, d := range downs(kept(t, ctx, w)) {
			if d.Reason != errBoom {
				t.Errorf("down with %v", d.Reason)
			}
		}
		if n := len(kept(t, ctx, w)); n != 100 {
			t.Errorf("%d downs, want 100", n)
		}
	})
}

func TestAlias(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid, other := start(t, ctx, process.Spec{}), start(t, ctx, process.Spec{})
		var open, once, both *process.Alias
		in(t, ctx, pid, func(ctx context.Context) {
			var err error
			if open, err = process.NewAlias(ctx, process.AliasExplicit); err != nil {
				t.Error(err)
			}
			if once, err = process.NewAlias(ctx, process.AliasOnce); err != nil {
				t.Error(err)
			}
			if _, both, err = process.MonitorAlias(ctx, other, nil, process.AliasReplyDemonitor); err != nil {
				t.Error(err)
			}
		})
		for i := range 2 {
			for name, a := range map[string]*process.Alias{"open": open, "once": once, "both": both} {
				if err := a.Send(ctx, fmt.Sprint(name, i)); err != nil {
					t.Error(err)
				}
			}
		}
		if !open.Close() || open.Close() {
			t.Error("Close must report true once")
		}
		if err := open.Send(ctx, "closed"); err != nil {
			t.Error(err)
		}
		send(t, ctx, other, errBoom) // its monitor is gone
		synctest.Wait()
		got := map[any]bool{}
		for _, m := range kept(t, ctx, pid) {
			got[m] = true
		}
		if len(got) != 4 || !got["open0"] || !got["open1"] || !got["once0"] || !got["both0"] {
			t.Errorf("arrived %v", got)
		}
	})
}

func TestFaultySpecs(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		for what, err := range map[string]error{
			"no behaviour": second(process.Start(ctx, process.Spec{Name: "x"})),
			"limit":        second(process.Start(ctx, process.Spec{Name: "x", Limit: -1, Behaviour: &script{}})),
			"no run":       second(process.SpawnRaw(ctx, process.Raw[int]{Name: "x"})),
			"trap":         second(process.SpawnRaw(ctx, process.Raw[int]{Name: "x", TrapExit: true, Run: func(context.Context, *process.Inbox[int]) error { return nil }})),
			"no function":  second(process.Go(ctx, nil)),
		} {
			if err == nil {
				t.Errorf("%s: accepted", what)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

// D11 for helpers too: one whose parent ends normally ends, which OTP's plain
// linked processes would not.
func TestGoEndsWithItsParent(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var helper process.PID
		parent := start(t, ctx, process.Spec{})
		in(t, ctx, parent, func(ctx context.Context) {
			var err error
			if helper, err = process.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		send(t, ctx, parent, process.End(nil))
		wantReason(t, ctx, helper, process.ErrShutdown)
	})
}

// A process that is killed before its first instruction has been linked and
// monitored all the same: whoever cares is told.
func TestKilledBeforeItRuns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // nobody runs until the one who spawns waits
	bubble(t, func(t *testing.T, ctx context.Context) {
		w := start(t, ctx, process.Spec{TrapExit: true})
		var ran atomic.Bool
		in(t, ctx, w, func(ctx context.Context) {
			pid, err := process.Go(ctx, func(context.Context) error { ran.Store(true); return nil })
			if err != nil {
				t.Error(err)
			}
			if err := process.Kill(ctx, pid); err != nil {
				t.Error(err)
			}
			raw := process.Raw[int]{Linked: true, Run: func(context.Context, *process.Inbox[int]) error { ran.Store(true); return nil }}
			ref, _, err := process.SpawnMonitor(ctx, raw, nil)
			if err != nil {
				t.Error(err)
			}
			if err := process.Kill(ctx, ref); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		got := kept(t, ctx, w)
		if ran.Load() || len(exits(got)) != 2 || len(downs(got)) != 1 {
			t.Errorf("ran %v; told %v, want two exits and a down", ran.Load(), got)
		}
	})
}
