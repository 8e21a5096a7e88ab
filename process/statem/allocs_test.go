//go:build !race

// The race detector drops what is pooled at random.

package statem_test

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/statem"
)

// A deed is an event that says itself what is to be done about it, and whether
// the state changes by it. It is sent as a pointer, which costs no memory.
type (
	deed struct {
		do func(here bool, t *deedTurn) (change bool)
	}
	deedTurn = statem.Turn[*deed]
)

var deeds = func() *statem.Machine[bool, *deed, struct{}] {
	on := func(here bool) func(*struct{}, *deedTurn, *deed) (bool, error) {
		return func(_ *struct{}, t *deedTurn, ev *deed) (bool, error) { return here != ev.do(here, t), nil }
	}
	return statem.Must(statem.New(statem.Spec[bool, *deed, struct{}]{
		Init: func(*deedTurn) (bool, *struct{}, error) { return false, nil, nil },
		States: map[bool]statem.State[bool, *deed, struct{}]{
			false: {On: on(false), To: []bool{true}},
			true:  {On: on(true), To: []bool{false}},
		},
	}))
}()

// What events cost a machine. Only timers cost memory, and those no more than
// they do anywhere.
func TestWhatEventsAllocate(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties pools
	ctx := processtest.Context(t)
	ref, err := deeds.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	end := &deed{func(bool, *deedTurn) bool { done <- struct{}{}; return false }}
	cost := func(first *deed) float64 {
		return testing.AllocsPerRun(1000, func() {
			for _, ev := range []*deed{first, end} {
				if err := ref.Cast(ctx, ev); err != nil {
					t.Error(err)
				}
			}
			<-done
		})
	}
	timer := cost(&deed{func(_ bool, t *deedTurn) bool {
		process.After(t.Context(), time.Hour, nil).Stop()
		return false
	}})
	change := &deed{func(bool, *deedTurn) bool { return true }}
	for _, tt := range []struct {
		what string
		want float64
		do   func(here bool, t *deedTurn) bool
	}{
		{"nothing", 0, func(bool, *deedTurn) bool { return false }},
		{"a change of state", 0, func(bool, *deedTurn) bool { return true }},
		{"an answer that nobody waits for", 0, func(_ bool, t *deedTurn) bool { t.Reply(statem.Answer{}); return false }},
		{"an event that is inserted", 0, func(_ bool, t *deedTurn) bool { t.Insert(change); return false }},
		{"an event that is postponed and retried", 0, func(here bool, t *deedTurn) bool {
			if !here {
				t.Postpone()
				t.Insert(change)
			}
			return here
		}},
		{"a time-out without delay", 0, func(_ bool, t *deedTurn) bool { t.Timeout("now", 0, change); return false }},
		{"a state time-out, which a change of state ends", timer, func(_ bool, t *deedTurn) bool {
			t.Timeout(state, time.Hour, nil)
			t.Insert(change)
			return false
		}},
		{"a state time-out in place of another", timer, func(_ bool, t *deedTurn) bool { t.Timeout(state, time.Hour, nil); return false }},
		{"an event time-out", timer, func(_ bool, t *deedTurn) bool { t.Timeout(event, time.Hour, nil); return false }},
		{"a named time-out, which has its name with it", timer + 1, func(_ bool, t *deedTurn) bool { t.Timeout("x", time.Hour, nil); return false }},
	} {
		if got := cost(&deed{tt.do}); got != tt.want {
			t.Errorf("%s allocates %v times, want %v", tt.what, got, tt.want)
		}
	}
}
