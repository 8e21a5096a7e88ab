package statem

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// A machine is small. Whoever adds to it for what few need: that is what the
// agenda is for.
func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(runner[string, any, int]{}); n > 64 {
		t.Errorf("a machine takes %d bytes, more than 64", n)
	}
}

type probed = runner[bool, string, int]

// startProbed starts a machine which has been given some of everything by the
// time it is idle.
func startProbed(t *testing.T) (context.Context, Ref[string]) {
	ctx := processtest.Context(t)
	on := func(here bool) func(*int, *Turn[string], string) (bool, error) {
		return func(_ *int, t *Turn[string], ev string) (bool, error) {
			switch ev {
			case "postpone":
				if !here {
					t.Postpone()
				}
			case "insert":
				for range 1000 {
					t.Insert("inserted")
				}
			case "arm":
				t.Timeout("retry", time.Hour, "retry")
				t.Timeout(EventTimeout, time.Hour, "quiet")
			case "disarm":
				t.Cancel("retry")
			case "change":
				return !here, nil
			}
			return here, nil
		}
	}
	ref, err := Must(New(Spec[bool, string, int]{
		Init: func(*Turn[string]) (bool, *int, error) { return false, new(int), nil },
		States: map[bool]State[bool, string, int]{
			false: {On: on(false), To: []bool{true}},
			true:  {On: on(true), To: []bool{false}},
		},
	})).Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, ref
}

func cast(ctx context.Context, t *testing.T, ref Ref[string], events ...string) {
	for _, ev := range events {
		if err := ref.Cast(ctx, ev); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
}

// inside runs f in the machine's process, between two events.
func inside(ctx context.Context, t *testing.T, ref Ref[string], f func(r *probed)) {
	err := process.System(ctx, ref, func(_ context.Context, b process.Behaviour) error { f(b.(*probed)); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

// TestIdleHoldsNothing: what a machine was asked for in the past does not stay
// with it.
func TestIdleHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, ref := startProbed(t)
		for range 1000 {
			cast(ctx, t, ref, "postpone")
		}
		cast(ctx, t, ref, "arm", "insert", "change")
		inside(ctx, t, ref, func(r *probed) {
			if r.turn.asked != nil {
				t.Error("it still holds what was asked for in its last turn")
			}
			if a := r.agenda; a == nil || len(a.timeouts) != 1 {
				t.Errorf("it has the agenda %v, want one time-out in it", a)
			} else if cap(a.ahead)+cap(a.postponed) > 32 {
				t.Errorf("it keeps room for %d events ahead and %d postponed ones", cap(a.ahead), cap(a.postponed))
			}
		})
		cast(ctx, t, ref, "disarm")
		inside(ctx, t, ref, func(r *probed) {
			if r.agenda != nil || r.turn.asked != nil {
				t.Errorf("nothing is to come, and it has the agenda %v", r.agenda)
			}
		})
	})
}

// TestEndStopsTimers: a timer that runs on would keep the process in memory.
func TestEndStopsTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, ref := startProbed(t)
		cast(ctx, t, ref, "arm")
		var timers []*process.Timer
		inside(ctx, t, ref, func(r *probed) {
			for _, a := range r.agenda.timeouts {
				timers = append(timers, a.timer)
			}
		})
		if len(timers) != 2 {
			t.Fatalf("%d timers run, want 2", len(timers))
		}
		if err := process.Stop(ctx, ref, nil); err != nil {
			t.Fatal(err)
		}
		for i, timer := range timers {
			if timer.Stop() {
				t.Errorf("timer %d still ran after the machine's end", i)
			}
		}
	})
}
