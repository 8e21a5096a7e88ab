package supervisor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A patient strategy waits before each restart.
type patient struct{ pause time.Duration }

func (p patient) Decide(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan {
	plan := supervisor.OneForOne.Decide(v, e, now)
	if e.Kind != supervisor.WaitOver && plan.Start.Len() > 0 {
		plan.Wait = p.pause
	}
	return plan
}

// A decider is a strategy that is a function.
type decider func(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan

func (d decider) Decide(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan {
	return d(v, e, now)
}

func TestWait(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Strategy: patient{time.Second}, Intensity: 3, Children: []supervisor.Child{
			w.child("a", starts(nil, errNo, nil)), w.child("b"),
		}})
		w.take()
		w.end("top/a", errBoom)
		w.want("nothing is started yet", "top/a stops boom", "top: child terminated: a boom")
		if _, err := supervisor.RestartChild(w.ctx, top, "a"); !errors.Is(err, supervisor.ErrRestarting) {
			t.Errorf("a counts as restarting: %v", err)
		}
		time.Sleep(time.Second)
		w.want("the pause is over; the attempt fails", "top/a fails", "top: start error: a no")
		time.Sleep(time.Second)
		w.want("and is made again after another", "top/a starts")
		w.end("top/a", errBoom)
		w.want("a crashed anew", "top/a stops boom", "top: child terminated: a boom")
		w.stop()
		w.want("a stop does not wait for it", "top/b stops shutdown", "top exit shutdown")
	})
}

func TestTerminateCancelsWait(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Strategy: patient{time.Second}, Children: []supervisor.Child{w.child("a")}})
		w.end("top/a", errBoom)
		w.take()
		if err := supervisor.TerminateChild(w.ctx, top, "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.want("it does not come back")
		if _, err := supervisor.RestartChild(w.ctx, top, "a"); err != nil {
			t.Error(err)
		}
		w.want("but by hand", "top/a starts")
	})
}

// Failures are counted until a child has stayed up for longer than the period.
func TestFailures(t *testing.T) {
	bubble(t, func(w *world) {
		var seen []int
		s := decider(func(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan {
			seen = append(seen, v.At(e.Child).Failures)
			return supervisor.OneForOne.Decide(v, e, now)
		})
		w.top(supervisor.Spec{Strategy: s, Intensity: 9, Period: time.Second, Children: []supervisor.Child{
			w.child("a", starts(nil, nil, errNo, nil)),
		}})
		w.end("top/a", errBoom) // one
		w.end("top/a", errBoom) // two, and the start that fails is three
		time.Sleep(time.Second)
		w.end("top/a", errBoom) // not longer than the period: four
		time.Sleep(time.Second + 1)
		w.end("top/a", errBoom) // one again
		if want := []int{1, 2, 3, 4, 1}; len(seen) != 5 || [5]int(seen) != [5]int(want) {
			t.Errorf("the strategy saw %v failures, want %v", seen, want)
		}
	})
}

func TestEndReasons(t *testing.T) {
	for name, tt := range map[string]struct {
		end  error
		want []string
	}{
		"quietly":          {process.ErrShutdown, []string{"top exit shutdown"}},
		"because too many": {supervisor.ErrIntensity, []string{"top: shutdown: a supervisor: reached maximum restart intensity", "top exit shutdown"}},
		"for its own":      {errNo, []string{"top: shutdown: a no", "top exit no"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a")}, Strategy: decider(
					func(supervisor.View, supervisor.Event, time.Time) supervisor.Plan {
						return supervisor.Plan{End: tt.end}
					})})
				w.take()
				w.end("top/a", errBoom)
				w.want("how it ends", append([]string{"top/a stops boom", "top: child terminated: a boom"}, tt.want...)...)
			})
		})
	}
}

// A strategy may give up on a child without a word. Then it is down, not
// restarting for ever.
func TestGiveUpOnChild(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a", starts(nil, errNo, nil))}, Strategy: decider(
			func(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan {
				if e.Kind == supervisor.StartFailed {
					return supervisor.Plan{}
				}
				return supervisor.OneForOne.Decide(v, e, now)
			})})
		w.end("top/a", errBoom)
		infos, err := supervisor.WhichChildren(w.ctx, top)
		if len(infos) != 1 || infos[0].Status != supervisor.Down || err != nil {
			t.Errorf("the children are %+v (%v), want one that is down", infos, err)
		}
	})
}

// A strategy may drop any child.
func TestDrop(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a"), w.child("b"), w.child("c")}, Strategy: decider(
			func(v supervisor.View, e supervisor.Event, _ time.Time) supervisor.Plan {
				return supervisor.Plan{Drop: true, Stop: supervisor.Span{To: v.Len()}, Start: supervisor.Span{To: v.Len()}}
			})})
		w.take()
		w.end("top/b", errBoom)
		w.want("b is not started with the others", "top/b stops boom", "top: child terminated: b boom",
			"top/c stops shutdown", "top/a stops shutdown", "top/a starts", "top/c starts")
		if _, err := supervisor.GetChild(w.ctx, top, "b"); !errors.Is(err, supervisor.ErrNotFound) {
			t.Errorf("b is still there: %v", err)
		}
	})
}

// A strategy that is wrong ends its supervisor, with a reason that says so; its
// children are stopped in order.
func TestBadPlan(t *testing.T) {
	for name, plan := range map[string]supervisor.Plan{
		"stop":  {Stop: supervisor.Span{From: -1, To: 1}},
		"start": {Start: supervisor.Span{From: 1, To: 9}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a"), w.child("b"), w.child("c")}, Strategy: decider(
					func(supervisor.View, supervisor.Event, time.Time) supervisor.Plan { return plan })})
				w.take()
				w.end("top/b", errBoom)
				reason, err := process.Wait(w.ctx, top)
				if e, ok := errors.AsType[*supervisor.PlanError](reason); !ok || err != nil || !strings.EqualFold(e.Field, name) || e.Len != 3 {
					t.Errorf("it ended with %v (%v), want a PlanError about %s", reason, err, name)
				}
				w.want("the children are stopped", "top/b stops boom", "top: child terminated: b boom",
					"top/c stops shutdown", "top/a stops shutdown", "top exit "+reason.Error())
			})
		})
	}
}

// Children without order cannot be restarted in groups.
func TestBadDynamicPlan(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Strategy: supervisor.Dynamically(supervisor.OneForAll), Children: []supervisor.Child{w.child("a")}})
		for range 2 {
			if _, err := supervisor.StartOne(w.ctx, top, struct{}{}); err != nil {
				t.Fatal(err)
			}
		}
		w.end("top/a", errBoom)
		reason, err := process.Wait(w.ctx, top)
		if e, ok := errors.AsType[*supervisor.PlanError](reason); !ok || !e.Dynamic || err != nil {
			t.Errorf("it ended with %v (%v), want a PlanError", reason, err)
		}
	})
}
