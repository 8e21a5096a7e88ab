package work

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sizes of runs on a toy.
var toySizes = map[string][2]int{
	"send 1-1": {0, 1000}, "send 2-1": {0, 1000}, "send 2-8": {0, 1600}, "call": {0, 100}, "spin": {0, 10},
	"pingpong": {10, 10}, "deep": {10, 10}, "block": {20, 5}, "restart": {10, 50}, "restart many": {100, 50},
	"burst": {100, 50}, "tree": {300, 0}, "million tree": {300, 0}, "timer": {50, 20}, "name": {50, 100},
}

// playOn runs a workload on a toy, in a bubble. What could not be measured at all
// is said as the program would say it.
func playOn(t *testing.T, w Workload, f faults) (rows []Row, err error) {
	synctest.Test(t, func(t *testing.T) {
		n, k := 100, 0
		if s, ok := toySizes[w.Name]; ok {
			n, k = s[0], s[1]
		}
		d := newToy(f)
		err = w.Run(&Bench{N: n, K: k, Until: time.Now().Add(10 * time.Second), Emit: func(r Row) { rows = append(rows, r) }}, d)
		if err := d.Halt(); err != nil {
			t.Fatal(err)
		}
	})
	return rows, err
}

// A peer that does what it should has a figure in every row, and no remark.
func TestWorkloads(t *testing.T) {
	for _, w := range Workloads {
		t.Run(w.Name, func(t *testing.T) {
			rows, err := playOn(t, w, faults{})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, r := range rows {
				names = append(names, r.Name)
				if r.Failed != "" || r.Lesser != "" {
					t.Errorf("%s: failed %q, lesser %q", r.Name, r.Failed, r.Lesser)
				}
			}
			if !slices.Equal(names, w.Rows) {
				t.Errorf("rows %q, want %q", names, w.Rows)
			}
		})
	}
}

// A peer that loses something is told from one that is fast.
func TestFaultsShow(t *testing.T) {
	for _, tt := range []struct {
		work  string
		f     faults
		wants string
	}{
		{"spawn", faults{noTerminate: true}, "failed: 0 of 100 ended"},
		{"spawn", faults{dieTwice: true}, "failed: 100 more than 100 ended"},
		{"send 1-1", faults{dropSends: 100}, "failed: 10 of 1000 messages lost"},
		{"send 2-8", faults{dropSends: 1600}, "failed: 1 of 1600 messages lost"},
		{"call", faults{wrongAnswer: true}, "failed: call 0: answer something else"},
		{"call", faults{failCall: true}, "failed: call 0: answer <nil>, error timed out"},
		{"spin", faults{failCall: true}, "failed: call 0"},
		{"pingpong", faults{dropSends: 50}, "pairs finished"},
		{"deep", faults{dropSends: 50}, "pairs finished"},
		{"restart", faults{dropChild: true}, "failed: crash 1 of 50: the child did not come back"},
		{"restart", faults{stopFails: true}, "error: something is still there"},
		{"burst", faults{dropChild: true}, "failed: 0 of 50 children came back"},
		{"burst", faults{stopFails: true}, "error: something is still there"},
		{"tree", faults{stopInOrder: true}, "lesser: not in reverse order: 0 % of steps were"},
		{"tree", faults{stopUnawaited: true}, "lesser: only"},
		{"tree", faults{noTerminate: true}, "failed: 0 of 300 workers ended"},
		{"tree", faults{stopFails: true}, "error: something is still there"},
		{"million tree", faults{stopInOrder: true}, "lesser: not in reverse order"},
		{"monitor", faults{dropDown: true}, "failed: 99 of 100 were told"},
		{"name", faults{forgetNames: true}, "not found"},
		{"timer", faults{dropTimer: true}, "failed: 1 of 50 timers lost"},
		{"timer", faults{earlyTimer: true}, "failed: 1 of 50 came early"},
	} {
		t.Run(tt.work+": "+tt.wants, func(t *testing.T) {
			w, ok := Find(tt.work)
			if !ok {
				t.Fatalf("there is no workload %q", tt.work)
			}
			rows, err := playOn(t, w, tt.f)
			got := fmt.Sprintf("error: %v", err)
			for _, r := range rows {
				got += fmt.Sprintf("\n%s failed: %s lesser: %s", r.Name, r.Failed, r.Lesser)
			}
			if !strings.Contains(got, tt.wants) {
				t.Errorf("got %s\nwant %q in it", got, tt.wants)
			}
		})
	}
}

// Whoever lacks what a workload needs says so.
func TestLacks(t *testing.T) {
	for _, w := range Workloads {
		rows := 0
		err := w.Run(&Bench{N: 100, K: 10, Until: time.Now(), Emit: func(Row) { rows++ }}, nothing{})
		var l lacks
		if !errors.As(err, &l) || rows != 0 {
			t.Errorf("%s: %d rows, error %v, want what is lacking", w.Name, rows, err)
		}
	}
}

type nothing struct{}

func (nothing) Boot() error { return nil }
func (nothing) Halt() error { return nil }
