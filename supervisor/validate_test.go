package supervisor_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// fine is a start function that is never called.
func fine(context.Context) (process.PID, error) { panic("nothing may be started") }

func TestFaults(t *testing.T) {
	type spec = supervisor.Spec
	one := func(c supervisor.Child) []supervisor.Child {
		if c.ID == "" {
			c.ID = "a"
		}
		if c.Start == nil {
			c.Start = fine
		}
		return []supervisor.Child{c}
	}
	tests := []struct {
		name string
		spec spec
		code supervisor.Code
		says string
	}{
		{"intensity", spec{Intensity: -2}, supervisor.InvalidIntensity, "Intensity is -2: use a number of restarts, or NoRestart"},
		{"period", spec{Period: -1}, supervisor.InvalidPeriod, "Period is -1ns"},
		{"auto-shutdown", spec{AutoShutdown: 9}, supervisor.InvalidAutoShutdown, "AutoShutdown is AutoShutdown(9): use Never"},
		{"grace", spec{Grace: -1}, supervisor.InvalidGrace, "Grace is -1ns"},
		{"a limit to the static", spec{MaxChildren: 3}, supervisor.InvalidMaxChildren, "it limits a dynamic supervisor"},
		{"a negative limit", spec{Strategy: supervisor.Dynamic, MaxChildren: -3, Children: one(supervisor.Child{})},
			supervisor.InvalidMaxChildren, "use 0 for no limit"},
		{"no template", spec{Strategy: supervisor.Dynamic}, supervisor.BadStartSpec, "there are 0 Children"},
		{"no id", spec{Children: []supervisor.Child{{Start: fine}}}, supervisor.MissingID, "Children[0] has no ID: name it"},
		{"no start", spec{Children: []supervisor.Child{{ID: "a"}}}, supervisor.MissingStart, `child "a": Children[0] has no Start`},
		{"restart", spec{Children: one(supervisor.Child{Restart: 7})}, supervisor.InvalidRestart, "Restart is Restart(7): use Permanent"},
		{"shutdown", spec{Children: one(supervisor.Child{Shutdown: -5})}, supervisor.InvalidShutdown, "Shutdown is -5ns: use a time"},
		{"child's grace", spec{Children: one(supervisor.Child{Grace: -5})}, supervisor.InvalidGrace, "Grace is -5ns"},
		{"start time-out", spec{Children: one(supervisor.Child{StartTimeout: -5})}, supervisor.InvalidStartTimeout, "StartTimeout is -5ns"},
		{"significant for nothing", spec{Children: one(supervisor.Child{Restart: supervisor.Transient, Significant: true})},
			supervisor.BadCombination, "AutoShutdown is Never"},
		{"significant for ever", spec{AutoShutdown: supervisor.AnySignificant, Children: one(supervisor.Child{Significant: true})},
			supervisor.BadCombination, "a permanent child never ends for good"},
		{"one id twice", spec{Children: []supervisor.Child{{ID: "a", Start: fine}, {ID: "b", Start: fine}, {ID: "a", Start: fine}}},
			supervisor.DuplicateChild, "Children[0] and Children[2] have this ID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				_, err := w.tryTop(tt.spec)
				e, ok := errors.AsType[*supervisor.SpecError](err)
				if !ok || len(e.Faults) != 1 || e.Faults[0].Code != tt.code {
					t.Fatalf("the error is %v, want one fault %s", err, tt.code)
				}
				if !strings.Contains(err.Error(), tt.says) {
					t.Errorf("the error is %q, want it to say %q", err, tt.says)
				}
				w.want("nothing was started")
			})
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	err := supervisor.Check(supervisor.Spec{Name: "edge", Period: -1, Children: []supervisor.Child{
		{ID: "a"}, {ID: "a", Start: fine, Restart: 9, Shutdown: -7},
	}})
	want := `supervisor: bad Spec of "edge": 5 faults
	Period is -1ns: use a time in which restarts are counted, or 0 for 5s
	child "a": Children[0] has no Start: give the function that starts its process
	child "a": Restart is Restart(9): use Permanent, Transient or Temporary
	child "a": Shutdown is -7ns: use a time, BrutalKill, AtOnce or Infinity
	child "a": Children[0] and Children[1] have this ID: give each its own`
	if err == nil || err.Error() != want {
		t.Errorf("the error is\n%v\nwant\n%s", err, want)
	}
}

func TestStartChildChecks(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{})
		_, err := supervisor.StartChild(w.ctx, top, supervisor.Child{ID: "a", Significant: true, Restart: supervisor.Transient})
		e, ok := errors.AsType[*supervisor.SpecError](err)
		if !ok || len(e.Faults) != 2 || e.Faults[0].Code != supervisor.MissingStart || e.Faults[1].Code != supervisor.BadCombination {
			t.Errorf("the error is %v, want both faults", err)
		}
		w.want("the supervisor goes on")
	})
}
