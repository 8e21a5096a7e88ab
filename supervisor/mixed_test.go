package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// Children of all kinds, each with its own rules, known by their PIDs.
func TestMixed(t *testing.T) {
	bubble(t, func(w *world) {
		s := &suite{world: w}
		top := s.start(supervisor.Spec{Strategy: supervisor.Mixed, Intensity: 3, MaxChildren: 3})
		s.counts(0, 0, 0, 0)
		one := s.add(w.child("conn", restart(supervisor.Temporary)))
		two := s.add(w.child("conn"))
		sup := s.add(supervisor.Child{ID: "pool", Start: supervisor.StartFunc(supervisor.Spec{})})
		s.counts(3, 3, 1, 2)
		s.refused(second(supervisor.StartChild(w.ctx, top, w.child("more"))), supervisor.ErrMaxChildren)
		s.refused(second(supervisor.StartOne(w.ctx, top, 1)), supervisor.ErrNoTemplate)
		s.refused(second(supervisor.GetChild(w.ctx, top, "conn")), supervisor.ErrDynamic)
		s.refused(supervisor.TerminateChild(w.ctx, top, "conn"), supervisor.ErrDynamic)
		c, err := supervisor.GetOne(w.ctx, top, one)
		if c.ID != "conn" || c.Restart != supervisor.Temporary || c.Start != nil || err != nil {
			t.Errorf("the first is %+v (%v), want a temporary conn, without its Start", c, err)
		}
		if c, err := supervisor.GetOne(w.ctx, top, two); c.Restart != supervisor.Permanent || c.Start == nil || err != nil {
			t.Errorf("the second is %+v (%v), want a permanent conn", c, err)
		}
		w.take()
		s.terminate(one, errBoom)
		w.want("a temporary one is forgotten", "sup_test/conn stops boom", "sup_test: child terminated: conn boom")
		s.terminate(two, errBoom)
		w.want("a permanent one comes back", "sup_test/conn stops boom", "sup_test: child terminated: conn boom", "sup_test/conn starts")
		s.fine(supervisor.TerminateOne(w.ctx, top, sup))
		s.refused(second(supervisor.StartChild(w.ctx, top, w.child("x", starts(process.ErrIgnore)))), process.ErrIgnore)
		s.counts(1, 1, 0, 1)
	})
}

// Children that stop together each have their own time, and all of them no
// more than the longest.
func TestMixedStop(t *testing.T) {
	bubble(t, func(w *world) {
		s := &suite{world: w}
		s.start(supervisor.Spec{Strategy: supervisor.Mixed})
		ended := map[string]time.Duration{}
		begin := time.Now()
		let := make(chan struct{})
		slow := func(id string, d time.Duration) {
			s.add(w.child(id, shutdown(d), stops(func(ctx context.Context, _ error) error {
				<-ctx.Done()
				ended[id] = time.Since(begin)
				return nil
			})))
		}
		slow("three", 3*time.Second)
		slow("one", time.Second)
		s.add(w.child("deaf", shutdown(time.Second), stops(deaf(let))))
		s.add(w.child("killed", shutdown(supervisor.BrutalKill), stops(deaf(let))))
		slow("two", 2*time.Second)
		slow("none", supervisor.AtOnce)
		quick := false
		s.add(w.child("quick", shutdown(supervisor.AtOnce), stops(func(context.Context, error) error { quick = true; return nil })))
		s.add(w.child("last", shutdown(supervisor.Infinity), stops(taking(4*time.Second))))
		s.shutdown()
		if took := time.Since(begin); took != 4*time.Second {
			t.Errorf("it took %v, want as long as the longest, 4s", took)
		}
		for id, want := range map[string]time.Duration{"none": time.Millisecond, "one": time.Second, "two": 2 * time.Second, "three": 3 * time.Second} {
			if ended[id] != want {
				t.Errorf("%s was killed after %v, want %v: nobody waits for the deaf one", id, ended[id], want)
			}
		}
		if !quick {
			t.Error("a child without time that has only to return did not get to")
		}
		close(let)
		synctest.Wait()
	})
}

func TestMixedChildren(t *testing.T) {
	err := supervisor.Check(supervisor.Spec{Strategy: supervisor.Mixed, Children: []supervisor.Child{{ID: "a", Start: fine}}})
	if e, ok := errors.AsType[*supervisor.SpecError](err); !ok || e.Faults[0].Code != supervisor.BadStartSpec {
		t.Errorf("the error is %v, want that it has no Children", err)
	}
}

// A strategy that starts a temporary child again is told what is wrong with it.
func TestTemporaryIsNotKept(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Strategy: decider(func(_ supervisor.View, e supervisor.Event, _ time.Time) supervisor.Plan {
			if e.Kind == supervisor.StartFailed {
				return supervisor.Plan{End: e.Reason}
			}
			return supervisor.Plan{Start: supervisor.One(e.Child)}
		})})
		if _, err := supervisor.StartChild(w.ctx, top, w.child("a", restart(supervisor.Temporary))); err != nil {
			t.Fatal(err)
		}
		w.end("top/a", nil)
		if reason, err := process.Wait(w.ctx, top); reason != supervisor.ErrNoStart || err != nil {
			t.Errorf("it ended with %v (%v), want %v", reason, err, supervisor.ErrNoStart)
		}
	})
}

// Init makes children that are only known when the supervisor starts, anew at
// each start.
func TestInit(t *testing.T) {
	bubble(t, func(w *world) {
		n := 0
		inner := supervisor.Spec{Intensity: supervisor.NoRestart, Children: []supervisor.Child{w.child("a")},
			Init: func(ctx context.Context) ([]supervisor.Child, error) {
				n++
				w.note("init in %s", process.Self(ctx).Path())
				return []supervisor.Child{w.child("b" + string(rune('0'+n)))}, nil
			}}
		w.top(supervisor.Spec{Children: []supervisor.Child{{ID: "s", Start: supervisor.StartFunc(inner)}}})
		w.want("its children come last", "init in top/s", "top/s/a starts", "top/s/b1 starts")
		w.end("top/s/a", errBoom)
		w.want("another start, another Init", "top/s/a stops boom", "top/s: child terminated: a boom",
			"top/s: shutdown: a supervisor: reached maximum restart intensity", "top/s/b1 stops shutdown", "top/s exit shutdown",
			"top: child terminated: s shutdown", "init in top/s", "top/s/a starts", "top/s/b2 starts")
	})
}

// What Init makes is checked before anything is started.
func TestInitFaults(t *testing.T) {
	bubble(t, func(w *world) {
		s := &suite{world: w}
		same := func(context.Context) ([]supervisor.Child, error) { return []supervisor.Child{w.child("a")}, nil }
		s.fault(s.tryStart(supervisor.Spec{Init: same}, w.child("a")), supervisor.DuplicateChild)
		s.fault(s.tryStart(supervisor.Spec{Strategy: supervisor.Dynamic, Init: same}, w.child("b")), supervisor.BadStartSpec)
		w.take()
		s.start(supervisor.Spec{Strategy: supervisor.Dynamic, Init: same})
		s.one()
		w.want("it may make the template", "sup_test/a starts")
	})
}
