package supervisor_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// TestSupervisorSUITE is OTP's own suite for its supervisors: each case asserts
// what OTP's case of that name does, in our words. What the types of Go make
// impossible to write is left out; docs/otp.md lists the cases that are missing,
// with the reason.
func TestSupervisorSUITE(t *testing.T) {
	for _, cases := range []map[string]func(*suite){
		suiteStart, suiteStop, suiteAdmin, suiteTypes, suiteStrategies, suiteRestarting, suiteSignificant, suiteMany,
	} {
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(w *world) { cases[name](&suite{world: w}) })
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(suiteReal)) {
		t.Run(name, suiteReal[name])
	}
}

// A suite is the world of one case: a supervisor called sup_test below the
// node's root, which is the test itself, and what the suite's helpers do.
type suite struct {
	*world
	sup process.PID
}

// flags are most cases' {Strategy, 2, 3600}.
func flags(s supervisor.Strategy) supervisor.Spec {
	return supervisor.Spec{Strategy: s, Intensity: 2, Period: time.Hour}
}

// start starts sup_test.
func (s *suite) start(spec supervisor.Spec, children ...supervisor.Child) process.PID {
	s.t.Helper()
	if err := s.tryStart(spec, children...); err != nil {
		s.t.Fatalf("sup_test does not start: %v", err)
	}
	return s.sup
}

func (s *suite) tryStart(spec supervisor.Spec, children ...supervisor.Child) (err error) {
	spec.Name, spec.Children = "sup_test", children
	s.sup, err = supervisor.Start(s.ctx, spec)
	return err
}

// worker is a child that does as it is told and has a second to stop.
func (s *suite) worker(id string, change ...func(*worker, *supervisor.Child)) supervisor.Child {
	return s.child(id, slices.Concat([]func(*worker, *supervisor.Child){shutdown(time.Second)}, change)...)
}

// add is start_child of sup_test.
func (s *suite) add(c supervisor.Child) process.PID { s.t.Helper(); return s.addTo(s.sup, c) }

func (s *suite) addTo(sup process.PID, c supervisor.Child) process.PID {
	s.t.Helper()
	pid, err := supervisor.StartChild(s.ctx, sup, c)
	if err != nil {
		s.t.Fatalf("start_child %s: %v", c.ID, err)
	}
	return pid
}

// one is start_child of a sup_test that is dynamic.
func (s *suite) one() process.PID {
	s.t.Helper()
	pid, err := supervisor.StartOne(s.ctx, s.sup, struct{}{})
	if err != nil {
		s.t.Fatalf("start_child: %v", err)
	}
	return pid
}

// fine is for what must not be refused.
func (s *suite) fine(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Errorf("refused: %v", err)
	}
}

// refused is for what must be.
func (s *suite) refused(err, want error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Errorf("got %v, want it refused with: %v", err, want)
	}
}

// fault is for a Spec or a Child that must be refused with that fault alone.
func (s *suite) fault(err error, want supervisor.Code) {
	s.t.Helper()
	if e, ok := errors.AsType[*supervisor.SpecError](err); !ok || len(e.Faults) != 1 || e.Faults[0].Code != want {
		s.t.Errorf("got %v, want %s", err, want)
	}
}

// up, down and again are lines of which_children.
func up(id string, pid process.PID) supervisor.ChildInfo {
	return supervisor.ChildInfo{ID: id, PID: pid, Status: supervisor.Running, Supervisor: pid.Is(process.KindSupervisor)}
}

func down(id string) supervisor.ChildInfo { return supervisor.ChildInfo{ID: id} }

func again(id string) supervisor.ChildInfo {
	return supervisor.ChildInfo{ID: id, Status: supervisor.Restarting}
}

// which is which_children.
func (s *suite) which(sup process.PID) []supervisor.ChildInfo {
	s.t.Helper()
	infos, err := supervisor.WhichChildren(s.ctx, sup)
	if err != nil {
		s.t.Fatalf("which_children: %v", err)
	}
	return infos
}

// children compares which_children of sup_test with those lines.
func (s *suite) children(want ...supervisor.ChildInfo) {
	s.t.Helper()
	if got := s.which(s.sup); !slices.Equal(got, want) {
		s.t.Errorf("which_children: %+v\nwant: %+v", got, want)
	}
}

// now returns the process of a child of sup_test that must have one.
func (s *suite) now(id string) process.PID {
	s.t.Helper()
	c, err := supervisor.WhichChild(s.ctx, s.sup, id)
	if err != nil || !c.PID.Alive() {
		s.t.Fatalf("%s is %+v (%v), want it to run", id, c, err)
	}
	return c.PID
}

// counts compares count_children of sup_test: specs, active, supervisors,
// workers.
func (s *suite) counts(want ...int) { s.t.Helper(); s.countsOf(s.sup, want...) }

func (s *suite) countsOf(sup process.PID, want ...int) {
	s.t.Helper()
	n, err := supervisor.CountChildren(s.ctx, sup)
	if got := []int{n.Specs, n.Active, n.Supervisors, n.Workers}; !slices.Equal(got, want) || err != nil {
		s.t.Errorf("count_children: %v (%v), want %v", got, err, want)
	}
}

// ends is check_exit_reason: the process has ended, or does so, with that.
func (s *suite) ends(pid process.PID, want error) {
	s.t.Helper()
	got, err := process.Wait(s.ctx, pid)
	if err != nil || reason(got) != reason(want) {
		s.t.Errorf("%v ended with %v (%v), want %s", pid, reason(got), err, reason(want))
	}
}

// gone is check_exit: they have all ended, for whatever reason.
func (s *suite) gone(pids ...process.PID) {
	s.t.Helper()
	synctest.Wait()
	for _, pid := range pids {
		if pid.Alive() {
			s.t.Errorf("%v is alive", pid)
		}
	}
}

// stay is a check_exit that must fail: a second later they are all alive.
func (s *suite) stay(pids ...process.PID) {
	s.t.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	for _, pid := range pids {
		if !pid.Alive() {
			s.t.Errorf("%v is not alive", pid)
		}
	}
}

// terminate ends a process that is not sup_test with that reason, from within,
// and waits for what follows.
func (s *suite) terminate(pid process.PID, why error) {
	s.t.Helper()
	if why == process.ErrKilled {
		s.fine(process.Kill(s.ctx, pid))
	} else {
		s.fine(process.Send(s.ctx, pid, end{why}))
	}
	s.ends(pid, why)
	synctest.Wait()
}

// shutdown ends sup_test as its parent does.
func (s *suite) shutdown() {
	s.t.Helper()
	s.fine(process.SendExit(s.ctx, s.sup, process.ErrShutdown))
	s.ends(s.sup, process.ErrShutdown)
}

// pids are those of lines of which_children.
func pids(infos []supervisor.ChildInfo) (out []process.PID) {
	for _, c := range infos {
		out = append(out, c.PID)
	}
	return out
}

// initially makes a Spec whose Init is that.
func initially(init func(ctx context.Context) ([]supervisor.Child, error)) supervisor.Spec {
	return supervisor.Spec{Init: init}
}

var suiteStart = map[string]func(*suite){
	"sup_start_normal": func(s *suite) {
		s.start(flags(nil))
		s.shutdown()
	},
	"sup_start_ignore_init": func(s *suite) {
		err := s.tryStart(initially(func(context.Context) ([]supervisor.Child, error) { return nil, process.ErrIgnore }))
		s.refused(err, process.ErrIgnore)
		s.want("it ends normally", "sup_test exit normal")
	},
	"sup_start_ignore_child": func(s *suite) {
		s.start(flags(nil))
		_, err := supervisor.StartChild(s.ctx, s.sup, s.worker("child1", starts(process.ErrIgnore)))
		s.refused(err, process.ErrIgnore)
		two := s.add(s.worker("child2"))
		s.children(up("child2", two), down("child1"))
		s.counts(2, 1, 0, 2)
	},
	"sup_start_ignore_temporary_child": func(s *suite) {
		s.start(flags(nil), s.worker("child1", restart(supervisor.Temporary), starts(process.ErrIgnore)),
			s.worker("child2", restart(supervisor.Temporary)))
		s.children(up("child2", s.now("child2")))
		s.counts(1, 1, 0, 1)
	},
	"sup_start_ignore_temporary_child_start_child": func(s *suite) {
		s.start(flags(nil))
		_, err := supervisor.StartChild(s.ctx, s.sup, s.worker("child1", restart(supervisor.Temporary), starts(process.ErrIgnore)))
		s.refused(err, process.ErrIgnore)
		two := s.add(s.worker("child2", restart(supervisor.Temporary)))
		s.children(up("child2", two))
		s.counts(1, 1, 0, 1)
	},
	"sup_start_ignore_temporary_child_start_child_simple": func(s *suite) { s.ignoresOnce(supervisor.Temporary) },
	"sup_start_ignore_permanent_child_start_child_simple": func(s *suite) {
		s.ignoresOnce(supervisor.Permanent)
		s.shutdown()
		s.want("there is no error", "sup_test/child declines", "sup_test/child starts", "sup_test/child stops shutdown", "sup_test exit shutdown")
	},
	// What Init may return besides children is an error; it is the one of the
	// start, and the reason of the process.
	"sup_start_error_return": func(s *suite) {
		s.refused(s.tryStart(initially(func(context.Context) ([]supervisor.Child, error) { return nil, errNo })), errNo)
		s.want("it ends with the same", "sup_test exit no")
	},
	"sup_start_fail": func(s *suite) {
		s.refused(s.tryStart(initially(func(context.Context) ([]supervisor.Child, error) { panic(errNo) })), errNo)
		s.want("it ends with the same", "sup_test exit panic: no")
	},
	"sup_start_child_returns_error": func(s *suite) {
		s.start(flags(nil))
		for id, start := range map[string]func(context.Context) (process.PID, error){
			"child1": func(context.Context) (process.PID, error) { return process.PID{}, errNo },
			"child2": func(context.Context) (process.PID, error) { return process.PID{}, nil },
		} {
			_, err := supervisor.StartChild(s.ctx, s.sup, supervisor.Child{ID: id, Start: start})
			s.refused(err, map[string]error{"child1": errNo, "child2": supervisor.ErrNoProcess}[id])
			if e, ok := errors.AsType[*supervisor.StartError](err); !ok || e.ID != id {
				s.t.Errorf("start_child %s: %v does not name it", id, err)
			}
		}
		s.children()
	},
	"sup_start_restart_child_returns_error": func(s *suite) {
		s.start(flags(nil), s.worker("child1", starts(nil, errNo)))
		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
		_, err := supervisor.RestartChild(s.ctx, s.sup, "child1")
		s.refused(err, errNo)
		s.children(down("child1"))
	},
	"sup_start_child_returns_error_simple": func(s *suite) {
		s.start(flags(supervisor.Dynamic), supervisor.Child{ID: "child1",
			Start: supervisor.Template(func(_ context.Context, err error) (process.PID, error) { return process.PID{}, err })})
		_, err := supervisor.StartOne(s.ctx, s.sup, errNo)
		s.refused(err, errNo)
		_, err = supervisor.StartOne[error](s.ctx, s.sup, nil)
		s.refused(err, supervisor.ErrNoProcess)
		s.children()
	},
	"sup_start_map": func(s *suite) {
		s.start(supervisor.Spec{}, s.child("child1"), s.child("child2", shutdown(supervisor.BrutalKill)),
			supervisor.Child{ID: "child3", Start: supervisor.StartFunc(supervisor.Spec{})})
		for id, want := range map[string]time.Duration{"child1": 5 * time.Second, "child2": supervisor.BrutalKill, "child3": supervisor.Infinity} {
			c, err := supervisor.GetChild(s.ctx, s.sup, id)
			if err != nil || c.ID != id || c.Start == nil || c.Restart != supervisor.Permanent || c.Shutdown != want || c.Significant {
				s.t.Errorf("get_childspec %s: %+v (%v), want a permanent child with shutdown %v", id, c, err, want)
			}
		}
		_, err := supervisor.GetChild(s.ctx, s.sup, "child4")
		s.refused(err, supervisor.ErrNotFound)
		s.shutdown()
	},
	"sup_start_map_simple": func(s *suite) {
		s.start(supervisor.Spec{Strategy: supervisor.Dynamic}, s.child("undefined", restart(supervisor.Temporary)))
		for range 3 {
			c, err := supervisor.GetOne(s.ctx, s.sup, s.one())
			if err != nil || c.ID != "undefined" || c.Start == nil || c.Restart != supervisor.Temporary || c.Shutdown != 5*time.Second || c.Significant {
				s.t.Errorf("get_childspec: %+v (%v), want the template", c, err)
			}
		}
		_, err := supervisor.GetOne(s.ctx, s.sup, s.sup)
		s.refused(err, supervisor.ErrNotFound)
		s.shutdown()
	},
	"sup_start_map_faulty_specs": func(s *suite) {
		s.fault(s.tryStart(supervisor.Spec{}, supervisor.Child{Start: fine}), supervisor.MissingID)
		s.fault(s.tryStart(supervisor.Spec{}, supervisor.Child{ID: "child2"}), supervisor.MissingStart)
		s.start(supervisor.Spec{}, s.child("child3"))
		s.shutdown()
	},
	// The same in the tuple form and in the map form of OTP: there is one form.
	"child_specs": func(s *suite) {
		bad := map[supervisor.Code]supervisor.Child{
			supervisor.MissingStart:    {ID: "child"},
			supervisor.InvalidRestart:  {ID: "child", Start: fine, Restart: 9},
			supervisor.InvalidShutdown: {ID: "child", Start: fine, Shutdown: -10},
		}
		s.start(flags(nil))
		for code, c := range bad {
			_, err := supervisor.StartChild(s.ctx, s.sup, c)
			s.fault(err, code)
			s.fault(supervisor.Check(supervisor.Spec{Children: []supervisor.Child{c}}), code)
		}
		s.shutdown()
		s.fault(s.tryStart(flags(nil), bad[supervisor.MissingStart]), supervisor.MissingStart)
		s.fault(s.tryStart(flags(supervisor.Dynamic), bad[supervisor.InvalidRestart]), supervisor.InvalidRestart)
		one := supervisor.Child{ID: "child", Start: fine}
		two := supervisor.Child{ID: "other", Start: fine}
		s.fault(supervisor.Check(supervisor.Spec{Children: []supervisor.Child{one, one}}), supervisor.DuplicateChild)
		s.fault(s.tryStart(flags(supervisor.Dynamic)), supervisor.BadStartSpec)
		s.fault(s.tryStart(flags(supervisor.Dynamic), one, two), supervisor.BadStartSpec)
	},
	"child_specs_map": func(s *suite) {
		for _, c := range combinations() {
			err := supervisor.Check(c)
			if kid := c.Children[0]; kid.Significant && (c.AutoShutdown == supervisor.Never || kid.Restart == supervisor.Permanent) {
				e, ok := errors.AsType[*supervisor.SpecError](err)
				if !ok || e.Faults[0].Code != supervisor.BadCombination {
					s.t.Errorf("%v, %+v: %v, want a bad combination", c.AutoShutdown, kid, err)
				}
				continue
			}
			s.fine(err)
		}
		s.fault(s.tryStart(supervisor.Spec{}, supervisor.Child{ID: "child", Start: fine, Restart: supervisor.Transient, Significant: true}),
			supervisor.BadCombination)
	},
	"sup_flags": func(s *suite) {
		s.fault(s.tryStart(supervisor.Spec{Intensity: -2}), supervisor.InvalidIntensity)
		s.fault(s.tryStart(supervisor.Spec{Period: -2}), supervisor.InvalidPeriod)
		s.fault(s.tryStart(supervisor.Spec{Period: process.Infinity}), supervisor.InvalidPeriod)
		s.fault(s.tryStart(supervisor.Spec{AutoShutdown: 9}), supervisor.InvalidAutoShutdown)
	},
	"faulty_application_shutdown": faultyApplication,
	// OTP's texts of reports, with a limit of depth and of length, or in a single
	// line: of ours, the fields are what counts, and package trace makes the text.
	"format_log_1": func(s *suite) {
		r := &supervisor.Report{Child: supervisor.Child{ID: "any_id", Restart: supervisor.Temporary}, Intensity: 1, Period: time.Second}
		if got, want := fields(r), "child any_id, restart temporary, restarts 0 of 1 in 1s"; got != want {
			s.t.Errorf("the report has %q, want %q", got, want)
		}
	},
	"format_log_2": func(s *suite) {
		r := &supervisor.Report{Child: supervisor.Child{ID: "any_id"}, Count: 7, Intensity: 1, Period: time.Second}
		if got, want := fields(r), "child any_id, children 7, restart permanent, restarts 0 of 1 in 1s"; got != want {
			s.t.Errorf("the report has %q, want %q", got, want)
		}
		if text := process.Format(strings.Repeat("x", 1<<20)); len(text) > 300 {
			s.t.Errorf("a long value is shown in %d bytes", len(text))
		}
	},
}

// fields are those of a report in one line.
func fields(r *supervisor.Report) string {
	var out []string
	r.Each(func(key string, value any) { out = append(out, fmt.Sprint(key, " ", value)) })
	return strings.Join(out, ", ")
}

// ignoresOnce starts two children of which the first declines.
func (s *suite) ignoresOnce(r supervisor.Restart) {
	s.t.Helper()
	s.start(flags(supervisor.Dynamic), s.worker("child", restart(r), func(k *worker, _ *supervisor.Child) {
		k.starts = append(k.starts, func(context.Context) error { return process.ErrIgnore }, nil)
	}))
	_, err := supervisor.StartOne(s.ctx, s.sup, struct{}{})
	s.refused(err, process.ErrIgnore)
	s.children(up("child", s.one()))
	s.counts(1, 1, 0, 1)
}

// combinations are Specs of one child with every value that each field knows.
func combinations() (out []supervisor.Spec) {
	for _, auto := range []supervisor.AutoShutdown{supervisor.Never, supervisor.AnySignificant, supervisor.AllSignificant} {
		for _, r := range []supervisor.Restart{supervisor.Permanent, supervisor.Transient, supervisor.Temporary} {
			for _, d := range []time.Duration{0, supervisor.AtOnce, time.Second, supervisor.Infinity, supervisor.BrutalKill} {
				for _, significant := range []bool{false, true} {
					out = append(out, supervisor.Spec{AutoShutdown: auto, Children: []supervisor.Child{
						{ID: "child", Start: fine, Restart: r, Shutdown: d, Significant: significant}}})
				}
			}
		}
	}
	return out
}

// byID sorts lines of which_children for comparison where they have no order.
func byID(infos []supervisor.ChildInfo) []supervisor.ChildInfo {
	slices.SortFunc(infos, func(a, b supervisor.ChildInfo) int { return cmp.Compare(a.PID.ID(), b.PID.ID()) })
	return infos
}
