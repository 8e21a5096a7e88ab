package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// comesBack lets a child end, once for each reason, and wants it restarted.
func comesBack(r supervisor.Restart, whys ...error) func(*suite) {
	return func(s *suite) {
		s.start(flags(nil))
		pid := s.add(s.worker("child1", restart(r)))
		for _, why := range whys {
			s.terminate(pid, why)
			next := s.now("child1")
			if next == pid {
				s.t.Errorf("after %s it is still %v", reason(why), pid)
			}
			pid = next
			s.children(up("child1", pid))
			s.counts(1, 1, 0, 1)
		}
	}
}

// staysDown lets a transient child end, and wants it kept but not restarted.
func staysDown(whys ...error) func(*suite) {
	return func(s *suite) {
		s.start(flags(nil))
		pid := s.add(s.worker("child1", restart(supervisor.Transient)))
		for _, why := range whys {
			s.terminate(pid, why)
			s.children(down("child1"))
			s.counts(1, 0, 0, 1)
			var err error
			pid, err = supervisor.RestartChild(s.ctx, s.sup, "child1")
			s.fine(err)
		}
	}
}

// isForgotten lets a temporary child end, and wants nothing of it kept.
func isForgotten(whys ...error) func(*suite) {
	return func(s *suite) {
		s.start(flags(nil))
		for _, why := range whys {
			s.terminate(s.add(s.worker("child1", restart(supervisor.Temporary))), why)
			s.children()
			s.counts(0, 0, 0, 0)
		}
	}
}

var suiteTypes = map[string]func(*suite){
	"permanent_normal":   comesBack(supervisor.Permanent, nil),
	"permanent_shutdown": comesBack(supervisor.Permanent, process.ErrShutdown, process.Shutdown(errNo)),
	"permanent_abnormal": comesBack(supervisor.Permanent, errBoom),
	"transient_normal":   staysDown(nil),
	"transient_shutdown": staysDown(process.ErrShutdown, process.Shutdown(errNo)),
	"transient_abnormal": comesBack(supervisor.Transient, errBoom),
	"temporary_normal":   isForgotten(nil),
	"temporary_shutdown": isForgotten(process.ErrShutdown, process.Shutdown(errNo)),
	"temporary_abnormal": isForgotten(errBoom),
	"temporary_bystander": func(s *suite) {
		for _, strategy := range []supervisor.Strategy{supervisor.OneForAll, supervisor.RestForOne} {
			s.start(flags(strategy))
			one := s.add(s.worker("child1"))
			two := s.add(s.worker("child2", restart(supervisor.Temporary)))
			s.terminate(one, nil)
			s.stay(s.sup)
			s.gone(two)
			s.children(up("child1", s.now("child1")))
			s.shutdown()
		}
	},
	"do_not_save_child_specs_for_temporary_children": func(s *suite) {
		for _, strategy := range []supervisor.Strategy{supervisor.OneForAll, supervisor.OneForOne, supervisor.RestForOne} {
			for _, why := range []error{process.ErrKilled, nil, errBoom, errBySupervisor} {
				s.savesSpecs(strategy, why)
			}
		}
	},
}

// errBySupervisor stands for ending a child by terminate_child.
var errBySupervisor = errors.New("by its supervisor")

// savesSpecs lets a child of each type end, and looks at what is left.
func (s *suite) savesSpecs(strategy supervisor.Strategy, why error) {
	s.t.Helper()
	s.start(flags(strategy))
	for _, r := range []supervisor.Restart{supervisor.Permanent, supervisor.Transient, supervisor.Temporary} {
		child := s.worker(r.String(), restart(r))
		if pid := s.add(child); why == errBySupervisor {
			s.fine(supervisor.TerminateChild(s.ctx, s.sup, child.ID))
		} else {
			s.terminate(pid, why)
		}
		_, err := supervisor.StartChild(s.ctx, s.sup, child)
		switch {
		case r == supervisor.Temporary:
			s.fine(err)
		case why == errBySupervisor, !r.Wants(why):
			s.refused(err, supervisor.ErrAlreadyPresent)
			s.fine(second(supervisor.RestartChild(s.ctx, s.sup, child.ID)))
		default:
			s.refused(err, process.ErrNameTaken)
		}
	}
	s.shutdown()
}

var suiteStrategies = map[string]func(*suite){
	"multiple_restarts": func(s *suite) {
		s.start(supervisor.Spec{Intensity: 1, Period: time.Second})
		pid := s.add(s.child("child1", shutdown(supervisor.BrutalKill)))
		s.terminate(pid, errBoom)
		for range 3 {
			time.Sleep(2100 * time.Millisecond)
			s.terminate(s.now("child1"), errBoom)
		}
		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
		s.fine(supervisor.DeleteChild(s.ctx, s.sup, "child1"))
	},
	"one_for_one": func(s *suite) {
		s.start(flags(supervisor.OneForOne))
		one, two := s.add(s.worker("child1")), s.add(s.worker("child2"))
		s.terminate(one, errBoom)
		s.children(up("child2", two), up("child1", s.now("child1")))
		s.counts(2, 2, 0, 2)
		s.terminate(two, errBoom)
		s.terminate(s.now("child2"), errBoom)
		s.gone(s.sup)
	},
	"one_for_one_escalation": escalates(supervisor.OneForOne, starts(nil, errNo), nil),
	"one_for_all": func(s *suite) {
		s.start(flags(supervisor.OneForAll))
		one, two := s.add(s.worker("child1")), s.add(s.worker("child2"))
		s.terminate(one, errBoom)
		s.gone(two)
		if now := pids(s.which(s.sup)); len(now) != 2 || slices.Contains(now, one) || slices.Contains(now, two) {
			s.t.Errorf("the children are %v, want two new ones", now)
		}
		s.counts(2, 2, 0, 2)
		s.terminate(s.now("child2"), errBoom)
		s.terminate(s.now("child2"), errBoom)
		s.gone(s.sup)
	},
	"one_for_all_escalation":                escalates(supervisor.OneForAll, nil, starts(nil, errNo)),
	"one_for_all_other_child_fails_restart": otherFails(supervisor.OneForAll),
	"rest_for_one": func(s *suite) {
		s.start(flags(supervisor.RestForOne))
		one, two, three := s.add(s.worker("child1")), s.add(s.worker("child2")), s.add(s.worker("child3"))
		s.counts(3, 3, 0, 3)
		s.terminate(two, errBoom)
		s.gone(three)
		if now := pids(s.which(s.sup)); len(now) != 3 || now[2] != one || slices.Contains(now, two) || slices.Contains(now, three) {
			s.t.Errorf("the children are %v, want %v and two new ones", now, one)
		}
		s.counts(3, 3, 0, 3)
		s.terminate(s.now("child3"), errBoom)
		s.terminate(s.now("child2"), errBoom)
		s.gone(s.sup)
	},
	"rest_for_one_escalation":                escalates(supervisor.RestForOne, nil, starts(nil, errNo)),
	"rest_for_one_other_child_fails_restart": otherFails(supervisor.RestForOne),
	"simple_one_for_one":                     simpleOneForOne,
	// As extra_return: there is nothing but the process.
	"simple_one_for_one_extra": simpleOneForOne,
	"simple_one_for_one_escalation": func(s *suite) {
		bad := true
		s.start(supervisor.Spec{Strategy: supervisor.Dynamic, Intensity: 4, Period: time.Hour}, supervisor.Child{ID: "child",
			Start: supervisor.Template(func(ctx context.Context, fails bool) (process.PID, error) {
				if fails && !bad {
					return process.PID{}, errNo
				}
				bad = bad && !fails
				return s.worker("child").Start(ctx)
			})})
		one, err := supervisor.StartOne(s.ctx, s.sup, true)
		s.fine(err)
		two, err := supervisor.StartOne(s.ctx, s.sup, false)
		s.fine(err)
		s.terminate(one, errBoom)
		s.gone(s.sup, two)
	},
}

// simpleOneForOne restarts only the child that crashed, and gives up with
// shutdown.
func simpleOneForOne(s *suite) {
	s.start(flags(supervisor.Dynamic), s.worker("child"))
	one, two := s.one(), s.one()
	s.terminate(one, errBoom)
	if now := pids(s.which(s.sup)); len(now) != 2 || !slices.Contains(now, two) || slices.Contains(now, one) {
		s.t.Errorf("the children are %v, want %v and a new one", now, two)
	}
	s.counts(1, 2, 0, 2)
	s.terminate(two, errBoom)
	s.terminate(s.which(s.sup)[0].PID, errBoom)
	s.ends(s.sup, process.ErrShutdown)
}

// escalates crashes the first of two children; the one that cannot start again
// takes the supervisor and the other with it.
func escalates(strategy supervisor.Strategy, first, second func(*worker, *supervisor.Child)) func(*suite) {
	like := func(change func(*worker, *supervisor.Child)) func(*worker, *supervisor.Child) {
		if change == nil {
			return func(*worker, *supervisor.Child) {}
		}
		return change
	}
	return func(s *suite) {
		s.start(supervisor.Spec{Strategy: strategy, Intensity: 4, Period: time.Hour})
		one, two := s.add(s.worker("child1", like(first))), s.add(s.worker("child2", like(second)))
		s.terminate(one, errBoom)
		s.gone(s.sup, two)
	}
}

// otherFails crashes child1, and lets child2 fail to start once.
func otherFails(strategy supervisor.Strategy) func(*suite) {
	return func(s *suite) {
		s.start(supervisor.Spec{Strategy: strategy, Intensity: 3, Period: time.Hour},
			s.worker("child1"), s.worker("child2", starts(nil, errNo, nil)))
		s.take()
		s.terminate(s.now("child1"), errBoom)
		lines := []string{"sup_test/child1 stops boom", "sup_test: child terminated: child1 boom",
			"sup_test/child2 stops shutdown", "sup_test/child1 starts", "sup_test/child2 fails", "sup_test: start error: child2 no"}
		if strategy == supervisor.OneForAll {
			lines = append(lines, "sup_test/child1 stops shutdown", "sup_test/child1 starts")
		}
		s.want("the retry begins where the strategy says", append(lines, "sup_test/child2 starts")...)
		s.stay(s.sup)
	}
}

// deadlock is a child that OTP's suite calls supervisor_deadlock: when its starts
// are to fail, each takes two seconds to do so.
func (s *suite) deadlock(id string, failing *atomic.Bool) supervisor.Child {
	return s.child(id, shutdown(supervisor.BrutalKill), func(k *worker, _ *supervisor.Child) {
		k.starts = append(k.starts, func(context.Context) error {
			if failing.Load() {
				time.Sleep(2 * time.Second)
				return errNo
			}
			return nil
		})
	})
}

// loops crashes a child whose starts fail from now on. Two seconds later the
// supervisor is about to try again.
func (s *suite) loops(pid process.PID, failing *atomic.Bool) {
	s.t.Helper()
	failing.Store(true)
	s.terminate(pid, errBoom)
	time.Sleep(2 * time.Second)
}

var suiteRestarting = map[string]func(*suite){
	"hanging_restart_loop": func(s *suite) {
		var failing atomic.Bool
		child := s.deadlock("child1", &failing)
		s.start(supervisor.Spec{Intensity: 8, Period: 10 * time.Second})
		s.loops(s.add(child), &failing)
		s.isRestarting(child)
		s.children(again("child1"))
		s.counts(1, 0, 0, 1)
		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
		s.children(down("child1"))

		failing.Store(false)
		pid, err := supervisor.RestartChild(s.ctx, s.sup, "child1")
		s.fine(err)
		s.loops(pid, &failing)
		s.shutdown()
		s.isUnknown()
	},
	"hanging_restart_loop_rest_for_one": func(s *suite) {
		var failing atomic.Bool
		brutal := shutdown(supervisor.BrutalKill)
		child := s.deadlock("child2", &failing)
		s.start(supervisor.Spec{Strategy: supervisor.RestForOne, Intensity: 8, Period: 10 * time.Second})
		one := s.add(s.child("child1", brutal))
		two := s.add(child)
		s.add(s.child("child3", brutal))
		s.loops(two, &failing)
		s.isRestarting(child)
		s.children(down("child3"), again("child2"), up("child1", one))
		s.counts(3, 1, 0, 3)
		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child2"))
		s.children(down("child3"), down("child2"), up("child1", one))

		failing.Store(false)
		pid, err := supervisor.RestartChild(s.ctx, s.sup, "child2")
		s.fine(err)
		s.loops(pid, &failing)
		s.shutdown()
		s.isUnknown()
	},
	"hanging_restart_loop_simple": func(s *suite) {
		var failing atomic.Bool
		s.start(supervisor.Spec{Strategy: supervisor.Dynamic, Intensity: 8, Period: 10 * time.Second}, s.deadlock("child1", &failing))
		pid := s.one()
		s.loops(pid, &failing)
		s.refused(second(supervisor.RestartChild(s.ctx, s.sup, "child1")), supervisor.ErrDynamic)
		s.refused(supervisor.DeleteChild(s.ctx, s.sup, "child1"), supervisor.ErrDynamic)
		s.children(again("child1"))
		s.counts(1, 0, 0, 1)
		s.fine(supervisor.TerminateOne(s.ctx, s.sup, pid))
		s.children()

		failing.Store(false)
		s.loops(s.one(), &failing)
		s.shutdown()
		s.isUnknown()
	},
	"count_restarting_children": func(s *suite) {
		var failing atomic.Bool
		s.start(supervisor.Spec{Strategy: supervisor.Dynamic, Intensity: 20, Period: 10 * time.Second}, s.deadlock("child", &failing))
		s.counts(1, 0, 0, 0)
		var kids []process.PID
		for n := 1; n <= 3; n++ {
			kids = append(kids, s.one())
			s.counts(1, n, 0, n)
		}
		for _, pid := range kids {
			s.terminate(pid, errBoom)
		}
		s.counts(1, 3, 0, 3)
		kids = pids(s.which(s.sup))
		failing.Store(true)
		s.fine(process.Send(s.ctx, kids[0], end{errBoom}))
		s.fine(process.Send(s.ctx, kids[1], end{errBoom}))
		time.Sleep(4 * time.Second)
		s.counts(1, 1, 0, 3)
		failing.Store(false)
		time.Sleep(4 * time.Second)
		s.counts(1, 3, 0, 3)
		for n := 2; n >= 0; n-- {
			s.fine(supervisor.TerminateOne(s.ctx, s.sup, s.which(s.sup)[0].PID))
			s.counts(1, n, 0, n)
		}
	},
}

// isRestarting wants everything refused that a child cannot have while it is
// restarting.
func (s *suite) isRestarting(child supervisor.Child) {
	s.t.Helper()
	s.refused(second(supervisor.StartChild(s.ctx, s.sup, child)), supervisor.ErrAlreadyPresent)
	s.refused(second(supervisor.RestartChild(s.ctx, s.sup, child.ID)), supervisor.ErrRestarting)
	s.refused(supervisor.DeleteChild(s.ctx, s.sup, child.ID), supervisor.ErrRestarting)
}

// isUnknown wants the name of sup_test to be free.
func (s *suite) isUnknown() {
	s.t.Helper()
	synctest.Wait()
	if pid, ok := process.Whereis(s.ctx, "sup_test"); ok {
		s.t.Errorf("sup_test is still the name of %v", pid)
	}
}
