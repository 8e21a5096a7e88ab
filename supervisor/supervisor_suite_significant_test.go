package supervisor_test

import (
	"slices"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// kind is a child's restart type and whether it is significant.
func kind(r supervisor.Restart, significant bool) func(*worker, *supervisor.Child) {
	return func(_ *worker, c *supervisor.Child) { c.Restart, c.Significant = r, significant }
}

var everyAuto = []supervisor.AutoShutdown{supervisor.Never, supervisor.AnySignificant, supervisor.AllSignificant}

func auto(a supervisor.AutoShutdown) supervisor.Spec {
	return supervisor.Spec{Intensity: 5, AutoShutdown: a}
}

// three starts a sup_test with two significant children of that type and one
// that is not.
func (s *suite) three(a supervisor.AutoShutdown, r supervisor.Restart) (one, two, other process.PID) {
	s.start(auto(a))
	return s.add(s.child("child1", kind(r, true))), s.add(s.child("child2", kind(r, true))), s.add(s.child("child3", kind(r, false)))
}

var suiteSignificant = map[string]func(*suite){
	"nonsignificant_temporary": func(s *suite) {
		for _, a := range everyAuto {
			s.start(auto(a))
			child := s.child("child1", kind(supervisor.Temporary, false))
			pid := s.add(child)
			s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
			s.gone(pid)
			s.stay(s.sup)
			for _, why := range []error{process.ErrKilled, errBoom, nil} {
				s.terminate(s.add(child), why)
				s.stay(s.sup)
			}
			s.shutdown()
		}
	},
	"nonsignificant_transient": func(s *suite) {
		for _, a := range everyAuto {
			s.start(auto(a))
			pid := s.add(s.child("child1", kind(supervisor.Transient, false)))
			s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
			s.gone(pid)
			s.stay(s.sup)
			s.fine(second(supervisor.RestartChild(s.ctx, s.sup, "child1")))
			for _, why := range []error{process.ErrKilled, errBoom, nil} {
				s.terminate(s.now("child1"), why)
				s.stay(s.sup)
			}
			s.shutdown()
		}
	},
	"significant_temporary": func(s *suite) {
		one, two, other := s.three(supervisor.AnySignificant, supervisor.Temporary)
		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
		s.gone(one)
		s.stay(two, other, s.sup)
		one = s.add(s.child("child1", kind(supervisor.Temporary, true)))
		s.terminate(one, process.ErrKilled)
		s.gone(one, two, other, s.sup)
		for _, why := range []error{errBoom, nil} {
			one, two, other = s.three(supervisor.AnySignificant, supervisor.Temporary)
			s.terminate(one, why)
			s.gone(one, two, other, s.sup)
		}
		s.last(supervisor.Temporary)
	},
	"significant_transient": func(s *suite) {
		one, two, other := s.three(supervisor.AnySignificant, supervisor.Transient)
		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
		s.gone(one)
		s.stay(two, other, s.sup)
		s.fine(second(supervisor.RestartChild(s.ctx, s.sup, "child1")))
		for _, why := range []error{process.ErrKilled, errBoom} {
			one = s.now("child1")
			s.terminate(one, why)
			s.stay(two, other, s.sup)
		}
		one = s.now("child1")
		s.terminate(one, nil)
		s.gone(one, two, other, s.sup)
		s.last(supervisor.Transient)
	},
	"significant_simple": func(s *suite) {
		child := s.child("child1", kind(supervisor.Temporary, true))
		s.start(supervisor.Spec{Strategy: supervisor.Dynamic, AutoShutdown: supervisor.AnySignificant}, child)
		one, two := s.one(), s.one()
		s.terminate(one, nil)
		s.gone(one, two, s.sup)
		s.start(supervisor.Spec{Strategy: supervisor.Dynamic, AutoShutdown: supervisor.AllSignificant}, child)
		one, two = s.one(), s.one()
		s.terminate(one, nil)
		s.stay(two, s.sup)
		s.terminate(two, nil)
		s.gone(two, s.sup)
	},
	"significant_bystander": func(s *suite) {
		for _, a := range everyAuto[1:] {
			s.bystander(supervisor.OneForOne, a)
			s.bystander(supervisor.OneForAll, a, "child1", "child3")
			s.bystander(supervisor.RestForOne, a, "child3")
		}
	},
	"significant_escalation": func(s *suite) {
		inner := supervisor.StartFunc(supervisor.Spec{AutoShutdown: supervisor.AnySignificant})
		for _, significant := range []bool{true, false} {
			s.start(supervisor.Spec{AutoShutdown: supervisor.AnySignificant})
			sup := s.add(supervisor.Child{ID: "sup1", Start: inner, Restart: supervisor.Transient, Significant: significant})
			pid := s.addTo(sup, s.child("child1", kind(supervisor.Transient, true)))
			s.terminate(pid, nil)
			s.gone(pid, sup)
			if significant {
				s.gone(s.sup)
				continue
			}
			s.stay(s.sup)
			s.shutdown()
		}
	},
}

// last wants a supervisor to end with the last of its significant children.
func (s *suite) last(r supervisor.Restart) {
	s.t.Helper()
	one, two, other := s.three(supervisor.AllSignificant, r)
	s.terminate(one, nil)
	s.stay(two, other, s.sup)
	s.terminate(two, nil)
	s.gone(two, other, s.sup)
}

// bystander crashes the child in the middle, and wants those stopped, of whom
// some are significant, without any consequence for the supervisor.
func (s *suite) bystander(strategy supervisor.Strategy, a supervisor.AutoShutdown, stopped ...string) {
	s.t.Helper()
	spec := auto(a)
	spec.Strategy = strategy
	s.start(spec)
	kids := map[string]process.PID{}
	for _, id := range []string{"child1", "child2", "child3"} {
		kids[id] = s.add(s.child(id, kind(supervisor.Transient, id != "child2")))
	}
	s.terminate(kids["child2"], process.ErrKilled)
	for _, id := range []string{"child1", "child3"} {
		if kids[id].Alive() == slices.Contains(stopped, id) {
			s.t.Errorf("%s is alive: %v, want the strategy to stop %v", id, kids[id].Alive(), stopped)
		}
	}
	s.stay(s.sup)
	s.shutdown()
}
