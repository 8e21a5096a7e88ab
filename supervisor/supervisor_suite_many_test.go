package supervisor_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/supervisor"
)

var suiteMany = map[string]func(*suite){
	"count_children": func(s *suite) {
		s.thousands(supervisor.Child{ID: "child", Start: startLeaf, Restart: supervisor.Temporary}, 0, 1)
	},
	"count_children_supervisor": func(s *suite) {
		s.thousands(supervisor.Child{ID: "child", Start: supervisor.StartFunc(supervisor.Spec{}), Restart: supervisor.Temporary}, 1, 0)
	},
}

// thousands counts children of which each counts that much as a supervisor and
// as a worker, and then kills them.
func (s *suite) thousands(child supervisor.Child, sups, workers int) {
	s.t.Helper()
	s.start(flags(supervisor.Dynamic), child)
	for n := 1000; n <= 2000; n += 1000 {
		for range 1000 {
			s.one()
		}
		s.counts(1, n, n*sups, n*workers)
		if got := len(s.which(s.sup)); got != n {
			s.t.Errorf("which_children has %d lines, want %d", got, n)
		}
	}
	if once, twice := byID(s.which(s.sup)), byID(s.which(s.sup)); !slices.Equal(once, twice) {
		s.t.Error("which_children changes though nothing happens")
	}
	for _, pid := range pids(s.which(s.sup)) {
		s.fine(process.Kill(s.ctx, pid))
		s.ends(pid, process.ErrKilled)
	}
	s.counts(1, 0, 0, 0)
}

// scales tries a few times: what does not scale never does, and on a busy machine a
// single time says nothing.
func scales(t *testing.T, try func() (fault string)) {
	t.Helper()
	var fault string
	for range 5 {
		if fault = try(); fault == "" {
			return
		}
	}
	t.Error(fault)
}

// suiteReal are cases about time and memory, which a bubble has none of.
var suiteReal = map[string]func(*testing.T){
	"simple_one_for_one_scale_many_temporary_children": func(t *testing.T) {
		ctx, sup := realTop(t, supervisor.Spec{Strategy: supervisor.Dynamic, Children: []supervisor.Child{
			{ID: "child", Start: startLeaf, Restart: supervisor.Temporary}}})
		terminating := func(n int) time.Duration {
			kids := make([]process.PID, n)
			for i := range kids {
				kids[i] = must(supervisor.StartOne(ctx, sup, struct{}{}))
			}
			begin := time.Now()
			for _, pid := range kids {
				check(t, supervisor.TerminateOne(ctx, sup, pid))
			}
			return time.Since(begin)
		}
		scales(t, func() (fault string) {
			few := terminating(1000)
			if many := terminating(10_000); many > 50*few {
				fault = fmt.Sprintf("terminating 1,000 takes %v, and 10,000 take %v: more than 50 times that", few, many)
			}
			return fault
		})
	},
	"scale_start_stop_many_children": func(t *testing.T) {
		ctx, sup := realTop(t, supervisor.Spec{})
		startStop := func(n int) (start, stop time.Duration) {
			begin := time.Now()
			for i := range n {
				must(supervisor.StartChild(ctx, sup, supervisor.Child{ID: fmt.Sprint(n, i), Start: startLeaf}))
			}
			start = time.Since(begin)
			begin = time.Now()
			for i := range n {
				check(t, supervisor.TerminateChild(ctx, sup, fmt.Sprint(n, i)))
			}
			return start, time.Since(begin)
		}
		const few, many = 1000, 100_000
		scales(t, func() (fault string) {
			start1, stop1 := startStop(few)
			start2, stop2 := startStop(many)
			limit := time.Duration(many / few * 10)
			if start2 > limit*start1 || stop2 > limit*stop1 {
				fault = fmt.Sprintf("starting and stopping %d takes %v and %v, and %d take %v and %v: more than ten times as much each",
					few, start1, stop1, many, start2, stop2)
			}
			return fault
		})
	},
	"simple_one_for_one_corruption": func(t *testing.T) {
		ctx, sup := realTop(t, supervisor.Spec{Strategy: supervisor.Dynamic, Children: []supervisor.Child{{ID: "child", Restart: supervisor.Temporary,
			Start: supervisor.Template(func(ctx context.Context, _ *[]byte) (process.PID, error) { return startLeaf(ctx) })}}})
		first := must(supervisor.StartOne(ctx, sup, new([]byte)))
		check(t, process.Send(ctx, first, end{errBoom}))
		_, err := process.Wait(ctx, first)
		check(t, err)
		big := new(make([]byte, 50_000))
		kept := weak.Make(big)
		second := must(supervisor.StartOne(ctx, sup, big))
		forgets(t, kept, true)
		if !second.Alive() {
			t.Error("the child is gone too")
		}
	},
	"do_not_save_start_parameters_for_temporary_children": func(t *testing.T) {
		for _, r := range []supervisor.Restart{supervisor.Permanent, supervisor.Transient, supervisor.Temporary} {
			for _, strategy := range []supervisor.Strategy{supervisor.OneForAll, supervisor.OneForOne, supervisor.RestForOne} {
				ctx, sup := realTop(t, supervisor.Spec{Strategy: strategy})
				big := new(make([]byte, 50_000))
				kept := weak.Make(big)
				must(supervisor.StartChild(ctx, sup, supervisor.Child{ID: "child", Restart: r, Start: func(ctx context.Context) (process.PID, error) {
					runtime.KeepAlive(big)
					return startLeaf(ctx)
				}}))
				forgets(t, kept, r == supervisor.Temporary)
			}
			ctx, sup := realTop(t, supervisor.Spec{Strategy: supervisor.Dynamic, Children: []supervisor.Child{{ID: "child", Restart: r,
				Start: supervisor.Template(func(ctx context.Context, _ *[]byte) (process.PID, error) { return startLeaf(ctx) })}}})
			big := new(make([]byte, 50_000))
			kept := weak.Make(big)
			must(supervisor.StartOne(ctx, sup, big))
			forgets(t, kept, r == supervisor.Temporary)
		}
	},
}

// realTop starts a supervisor outside any bubble. Nobody keeps what it reports.
func realTop(t *testing.T, spec supervisor.Spec) (context.Context, process.PID) {
	ctx := processtest.Node(t, process.NodeSpec{Probe: quiet{}})
	return ctx, must(supervisor.Start(ctx, spec))
}

func must(pid process.PID, err error) process.PID {
	if err != nil {
		panic(err)
	}
	return pid
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// forgets wants a value that only a supervisor could still hold to be garbage,
// or not to be.
func forgets(t *testing.T, kept weak.Pointer[[]byte], want bool) {
	t.Helper()
	for range 5 { // the caller's frame and the request may take a moment to let go
		if runtime.GC(); kept.Value() == nil {
			break
		}
	}
	if gone := kept.Value() == nil; gone != want {
		t.Errorf("what a child was started with is forgotten: %v, want %v", gone, want)
	}
}
