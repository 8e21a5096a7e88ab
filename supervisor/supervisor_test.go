package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

func TestStartAndStopInOrder(t *testing.T) {
	bubble(t, func(w *world) {
		w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a"), w.child("b"), w.child("c")}})
		w.want("children start in order", "top/a starts", "top/b starts", "top/c starts")
		w.stop()
		w.want("they stop in reverse",
			"top/c stops shutdown", "top/b stops shutdown", "top/a stops shutdown", "top exit shutdown")
	})
}

func TestZeroSpec(t *testing.T) {
	bubble(t, func(w *world) {
		w.top(supervisor.Spec{})
		w.want("there is nothing to start")
		w.stop()
		w.want("nor to stop", "top exit shutdown")
	})
}

func TestPermanentCrash(t *testing.T) {
	bubble(t, func(w *world) {
		w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a"), w.child("b"), w.child("c")}})
		w.take()
		w.end("top/b", errBoom)
		w.want("b alone is restarted", "top/b stops boom", "top: child terminated: b boom", "top/b starts")
		w.end("top/b", errBoom)
		w.want("twice within the period is too often",
			"top/b stops boom", "top: child terminated: b boom", "top: shutdown: b supervisor: reached maximum restart intensity",
			"top/c stops shutdown", "top/a stops shutdown", "top exit shutdown")
	})
}

func TestIntensity(t *testing.T) {
	const period = 10 * time.Second
	crash := []string{"top/a stops boom", "top: child terminated: a boom", "top/a starts"}
	bubble(t, func(w *world) {
		w.top(supervisor.Spec{Intensity: 2, Period: period, Children: []supervisor.Child{w.child("a")}})
		w.take()
		w.end("top/a", errBoom)
		w.want("the first restart", crash...)
		time.Sleep(period / 2)
		w.end("top/a", errBoom)
		w.want("the second", crash...)
		time.Sleep(period/2 + 1)
		w.end("top/a", errBoom)
		w.want("the first does not count any longer", crash...)
		time.Sleep(period/2 - 1)
		w.end("top/a", errBoom)
		w.want("the second is exactly one period old, and counts", "top/a stops boom", "top: child terminated: a boom",
			"top: shutdown: a supervisor: reached maximum restart intensity", "top exit shutdown")
	})
}

func TestNoRestart(t *testing.T) {
	bubble(t, func(w *world) {
		w.top(supervisor.Spec{Intensity: supervisor.NoRestart, Children: []supervisor.Child{w.child("a"), w.child("b")}})
		w.take()
		w.end("top/a", nil)
		w.want("the first crash ends it", "top/a stops normal", "top: child terminated: a normal",
			"top: shutdown: a supervisor: reached maximum restart intensity", "top/b stops shutdown", "top exit shutdown")
	})
}

// A fault that restarts do not cure climbs: the inner supervisor gives up, the
// outer one restarts it, and in the end gives up too. But giving up is a clean
// end, and a transient supervisor is not restarted after it.
func TestEscalation(t *testing.T) {
	inner := func(w *world) func(context.Context) (process.PID, error) {
		return supervisor.StartFunc(supervisor.Spec{Intensity: supervisor.NoRestart, Children: []supervisor.Child{w.child("a")}})
	}
	bubble(t, func(w *world) {
		w.top(supervisor.Spec{Children: []supervisor.Child{{ID: "s", Start: inner(w)}}})
		w.take()
		w.end("top/s/a", errBoom)
		w.want("s gives up and is restarted",
			"top/s/a stops boom", "top/s: child terminated: a boom", "top/s: shutdown: a supervisor: reached maximum restart intensity",
			"top/s exit shutdown", "top: child terminated: s shutdown", "top/s/a starts")
		w.end("top/s/a", errBoom)
		w.want("now top gives up",
			"top/s/a stops boom", "top/s: child terminated: a boom", "top/s: shutdown: a supervisor: reached maximum restart intensity",
			"top/s exit shutdown", "top: child terminated: s shutdown", "top: shutdown: s supervisor: reached maximum restart intensity",
			"top exit shutdown")
	})
	bubble(t, func(w *world) {
		w.top(supervisor.Spec{Children: []supervisor.Child{{ID: "s", Start: inner(w), Restart: supervisor.Transient}}})
		w.take()
		w.end("top/s/a", errBoom)
		w.want("a transient s stays down",
			"top/s/a stops boom", "top/s: child terminated: a boom", "top/s: shutdown: a supervisor: reached maximum restart intensity",
			"top/s exit shutdown")
	})
}

// Only the parent ends a supervisor by an exit signal.
func TestExitSignalsOfStrangers(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a")}})
		w.take()
		stranger := func(what string, signal func(ctx context.Context) error) {
			_, err := process.Go(w.ctx, func(ctx context.Context) error {
				if err := signal(ctx); err != nil {
					t.Errorf("%s: %v", what, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		stranger("shutdown", func(ctx context.Context) error { return process.SendExit(ctx, top, process.ErrShutdown) })
		stranger("link", func(ctx context.Context) error { return process.Link(ctx, top) })
		w.want("both are ignored")
		err := process.Send(w.ctx, w.pid("top/a"), func(ctx context.Context) error { return process.SendExit(ctx, top, errBoom) })
		if err != nil {
			t.Fatal(err)
		}
		w.want("a child does not end by saying so")
		if err := process.Send(w.ctx, top, "hello"); err != nil {
			t.Fatal(err)
		}
		w.want("what is no request is reported", "top: supervisor received an unexpected message: string")
	})
}

// The end of the parent, however it came about, is an orderly end of the
// supervisor for the same reason.
func TestParentsExit(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(w *world, parent process.PID) error
		want error
	}{
		"normal":   {func(w *world, parent process.PID) error { return process.Send(w.ctx, parent, end{nil}) }, nil},
		"shutdown": {func(w *world, parent process.PID) error { return process.Stop(w.ctx, parent, process.ErrShutdown) }, process.ErrShutdown},
		"{shutdown,_}": {func(w *world, parent process.PID) error {
			return process.Send(w.ctx, parent, end{process.Shutdown(errNo)})
		}, process.Shutdown(errNo)},
		"a crash": {func(w *world, parent process.PID) error { return process.Send(w.ctx, parent, end{errBoom}) }, errBoom},
		"a kill":  {func(w *world, parent process.PID) error { return process.Kill(w.ctx, parent) }, process.ErrKilled},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				parent := &worker{w: w, trap: true, starts: []func(context.Context) error{func(ctx context.Context) error {
					_, err := supervisor.Start(ctx, supervisor.Spec{Name: "s", Children: []supervisor.Child{w.child("a"), w.child("b")}})
					return err
				}}}
				pid, err := parent.start(process.WithBirth(w.ctx, process.Birth{ID: "parent"}))
				if err != nil {
					t.Fatal(err)
				}
				w.take()
				if err := tt.end(w, pid); err != nil {
					t.Error(err)
				}
				want := []string{"parent/s/b stops shutdown", "parent/s/a stops shutdown", "parent/s exit " + reason(tt.want)}
				if tt.want != process.ErrKilled {
					want = slices.Insert(want, 0, "parent stops "+reason(tt.want))
				}
				w.want("in order", want...)
			})
		})
	}
}

func TestStopWithReason(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a")}})
		w.take()
		if err := process.Stop(w.ctx, top, errBoom); err != nil {
			t.Fatal(err)
		}
		w.want("its children are told to shut down, it ends as it was told",
			"top/a stops shutdown", "top exit boom")
	})
}

func TestKilled(t *testing.T) {
	bubble(t, func(w *world) {
		w.top(supervisor.Spec{Children: []supervisor.Child{
			{ID: "s", Start: supervisor.StartFunc(supervisor.Spec{Children: []supervisor.Child{w.child("a")}})},
		}})
		w.take()
		old := w.pid("top/s/a")
		if err := process.Kill(w.ctx, old.Parent()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		got := w.take()
		if old.Alive() || !w.pid("top/s/a").Alive() {
			t.Errorf("a child of a killed supervisor lives on, or was not replaced: %q", got)
		}
	})
}

// A supervisor that is killed while it restarts a child does not blame the child.
func TestKilledDuringRestart(t *testing.T) {
	bubble(t, func(w *world) {
		gate := make(chan struct{})
		defer close(gate)
		inner := supervisor.Spec{Name: "inner", Children: []supervisor.Child{w.child("a", noTrap, func(k *worker, _ *supervisor.Child) {
			k.starts = append(k.starts, nil, func(ctx context.Context) error {
				select {
				case <-gate:
				case <-ctx.Done():
				}
				return ctx.Err()
			}, nil)
		})}}
		w.top(supervisor.Spec{Children: []supervisor.Child{{ID: "s", Start: supervisor.StartFunc(inner)}}})
		w.take()
		w.end("top/s/a", errBoom)
		w.want("a is being restarted", "top/s/a stops boom", "top/s: child terminated: a boom")
		if err := process.Kill(w.ctx, process.Name("inner")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		got := w.take()
		slices.Sort(got) // what is below a killed supervisor ends in no order
		w.lines = got
		w.want("s is blamed, and nobody else", "top/s exit killed", "top/s/a fails", "top/s/a starts", "top: child terminated: s killed")
	})
}

func TestOneForAllStartsWhatWasDown(t *testing.T) {
	for name, tt := range map[string]struct {
		s    supervisor.Strategy
		want []string
	}{
		"one for one":  {supervisor.OneForOne, []string{"top/d starts"}},
		"one for all":  {supervisor.OneForAll, []string{"top/e stops shutdown", "top/a starts", "top/b starts", "top/c declines", "top/d starts", "top/e starts"}},
		"rest for one": {supervisor.RestForOne, []string{"top/e stops shutdown", "top/d starts", "top/e starts"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				top := w.top(supervisor.Spec{Strategy: tt.s, Children: []supervisor.Child{
					w.child("a"), w.child("b", restart(supervisor.Transient)), w.child("c", starts(process.ErrIgnore)),
					w.child("d"), w.child("e"), w.child("f", restart(supervisor.Temporary)),
				}})
				if err := supervisor.TerminateChild(w.ctx, top, "a"); err != nil {
					t.Fatal(err)
				}
				w.end("top/b", nil)
				w.end("top/f", errBoom)
				w.take()
				w.end("top/d", errBoom)
				w.want("who was down on purpose comes back, if the strategy says all",
					append([]string{"top/d stops boom", "top: child terminated: d boom"}, tt.want...)...)
			})
		})
	}
}

func TestTemporaryBystander(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Strategy: supervisor.OneForAll, Children: []supervisor.Child{
			w.child("a"), w.child("t", restart(supervisor.Temporary)), w.child("b"),
		}})
		w.take()
		w.end("top/a", errBoom)
		w.want("it is stopped with the others, and dropped", "top/a stops boom", "top: child terminated: a boom",
			"top/b stops shutdown", "top/t stops shutdown", "top/a starts", "top/b starts")
		if _, err := supervisor.GetChild(w.ctx, top, "t"); !errors.Is(err, supervisor.ErrNotFound) {
			t.Errorf("t is still known: %v", err)
		}
	})
}

// A failed restart is tried again, counts each time, and goes on where the
// strategy says.
func TestFailedRestart(t *testing.T) {
	for name, tt := range map[string]struct {
		s    supervisor.Strategy
		want []string
	}{
		"one for one": {supervisor.OneForOne, []string{
			"top/b fails", "top: start error: b no", "top/b fails", "top: start error: b no", "top/b starts"}},
		"rest for one": {supervisor.RestForOne, []string{"top/c stops shutdown",
			"top/b fails", "top: start error: b no", "top/b fails", "top: start error: b no", "top/b starts", "top/c starts"}},
		"one for all": {supervisor.OneForAll, []string{"top/c stops shutdown", "top/a stops shutdown", "top/a starts",
			"top/b fails", "top: start error: b no", "top/a stops shutdown", "top/a starts",
			"top/b fails", "top: start error: b no", "top/a stops shutdown", "top/a starts", "top/b starts", "top/c starts"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, intensity := range []int{3, 2} {
				bubble(t, func(w *world) {
					w.top(supervisor.Spec{Strategy: tt.s, Intensity: intensity, Children: []supervisor.Child{
						w.child("a"), w.child("b", starts(nil, errNo, errNo, nil)), w.child("c"),
					}})
					w.take()
					w.end("top/b", errBoom)
					want := append([]string{"top/b stops boom", "top: child terminated: b boom"}, tt.want...)
					if intensity == 3 {
						w.want("the third attempt succeeds", want...)
						return
					}
					got := w.take()
					if last := got[len(got)-1]; last != "top exit shutdown" {
						t.Errorf("two attempts are allowed, so the third must not come: %q", got)
					}
				})
			}
		})
	}
}

func TestAutoShutdownOfATree(t *testing.T) {
	bubble(t, func(w *world) {
		significant := func(_ *worker, c *supervisor.Child) { c.Significant, c.Restart = true, supervisor.Transient }
		w.top(supervisor.Spec{AutoShutdown: supervisor.AnySignificant, Children: []supervisor.Child{
			w.child("a"),
			{ID: "s", Restart: supervisor.Transient, Significant: true, Start: supervisor.StartFunc(supervisor.Spec{
				AutoShutdown: supervisor.AllSignificant,
				Children:     []supervisor.Child{w.child("x", significant), w.child("y", significant), w.child("z")},
			})},
		}})
		w.take()
		w.end("top/s/x", nil)
		w.want("one significant child is still there", "top/s/x stops normal")
		w.end("top/s/y", errBoom)
		w.want("a crash is no end", "top/s/y stops boom", "top/s: child terminated: y boom", "top/s/y starts")
		w.end("top/s/y", nil)
		w.want("the last one takes its supervisor along, and that one its own", "top/s/y stops normal",
			"top/s/z stops shutdown", "top/s exit shutdown", "top/a stops shutdown", "top exit shutdown")
	})
}

// Ten thousand children that crash at once are all restarted, in the order in
// which they crashed, and nobody else is touched.
func TestManyCrashesAtOnce(t *testing.T) {
	bubble(t, func(w *world) {
		const n = 10_000
		pool := make([]process.PID, 0, n)
		top := w.top(supervisor.Spec{Strategy: supervisor.Dynamic, Intensity: n, Children: []supervisor.Child{
			{ID: "w", Start: func(ctx context.Context) (process.PID, error) {
				pid, err := process.Start(ctx, process.Spec{Behaviour: &instance{&worker{w: &world{}}, 1}})
				pool = append(pool, pid)
				return pid, err
			}},
		}})
		for range n {
			if _, err := supervisor.StartOne(w.ctx, top, struct{}{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, pid := range pool[:n] {
			if err := process.Kill(w.ctx, pid); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := len(w.take()); got != n {
			t.Errorf("%d reports, want one for each of %d", got, n)
		}
		counts, err := supervisor.CountChildren(w.ctx, top)
		if want := (supervisor.Counts{Specs: 1, Active: n, Workers: n}); counts != want || err != nil {
			t.Errorf("there are %+v (%v), want %+v", counts, err, want)
		}
	})
}
