package supervisor_test

import (
	"context"
	"errors"
	"strings"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

const nobody = process.Name("foo")

var suiteAdmin = map[string]func(*suite){
	"child_adm": func(s *suite) {
		child := s.worker("child1")
		s.start(flags(nil), child)
		pid := s.now("child1")
		s.children(up("child1", pid))
		s.counts(1, 1, 0, 1)

		_, err := supervisor.StartChild(s.ctx, s.sup, child)
		s.refused(err, process.ErrNameTaken)

		s.refused(supervisor.TerminateChild(s.ctx, s.sup, "hej"), supervisor.ErrNotFound)
		s.refused(supervisor.TerminateChild(s.ctx, nobody, "child1"), process.ErrNoProc)
		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
		s.ends(pid, process.ErrShutdown)
		s.children(down("child1"))
		s.counts(1, 0, 0, 1)
		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1")) // as deleting what is not there
		_, err = supervisor.StartChild(s.ctx, s.sup, child)
		s.refused(err, supervisor.ErrAlreadyPresent)

		pid, err = supervisor.RestartChild(s.ctx, s.sup, "child1")
		s.fine(err)
		s.children(up("child1", pid))
		s.counts(1, 1, 0, 1)
		_, err = supervisor.RestartChild(s.ctx, s.sup, "child1")
		s.refused(err, supervisor.ErrRunning)
		_, err = supervisor.RestartChild(s.ctx, s.sup, "child2")
		s.refused(err, supervisor.ErrNotFound)

		s.refused(supervisor.DeleteChild(s.ctx, s.sup, "child1"), supervisor.ErrRunning)
		s.refused(supervisor.DeleteChild(s.ctx, s.sup, "hej"), supervisor.ErrNotFound)
		s.refused(supervisor.DeleteChild(s.ctx, nobody, "child1"), process.ErrNoProc)
		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
		s.fine(supervisor.DeleteChild(s.ctx, s.sup, "child1"))
		_, err = supervisor.RestartChild(s.ctx, s.sup, "child1")
		s.refused(err, supervisor.ErrNotFound)
		s.children()
		s.counts(0, 0, 0, 0)

		_, err = supervisor.StartChild(s.ctx, nobody, child)
		s.refused(err, process.ErrNoProc)
		pid = s.add(child)
		s.children(up("child1", pid))
		s.counts(1, 1, 0, 1)

		s.refused(supervisor.TerminateOne(s.ctx, s.sup, pid), supervisor.ErrNotDynamic)
		s.children(up("child1", pid))
		s.counts(1, 1, 0, 1)
		_, err = supervisor.WhichChildren(s.ctx, nobody)
		s.refused(err, process.ErrNoProc)
		_, err = supervisor.CountChildren(s.ctx, nobody)
		s.refused(err, process.ErrNoProc)
	},
	"child_adm_simple": func(s *suite) {
		s.start(flags(supervisor.Dynamic), s.worker("child"))
		s.children()
		s.counts(1, 0, 0, 0)

		_, err := supervisor.StartOne(s.ctx, nobody, 1)
		s.refused(err, process.ErrNoProc)
		one := s.one()
		s.children(up("child", one))
		s.counts(1, 1, 0, 1)
		two := s.one()
		if got := byID(s.which(s.sup)); len(got) != 2 || got[0] != up("child", one) || got[1] != up("child", two) {
			s.t.Errorf("which_children: %+v, want both", got)
		}
		s.counts(1, 2, 0, 2)

		s.refused(supervisor.TerminateChild(s.ctx, s.sup, "child1"), supervisor.ErrDynamic)
		s.counts(1, 2, 0, 2)
		for range 2 { // the second time it is dead, and that is fine
			s.fine(supervisor.TerminateOne(s.ctx, s.sup, one))
			s.children(up("child", two))
			s.counts(1, 1, 0, 1)
			s.gone(one)
		}
		stranger, err := startLeaf(s.ctx)
		s.fine(err)
		s.refused(supervisor.TerminateOne(s.ctx, s.sup, stranger), supervisor.ErrNotFound)
		s.stay(stranger)

		_, err = supervisor.RestartChild(s.ctx, s.sup, "child1")
		s.refused(err, supervisor.ErrDynamic)
		s.refused(supervisor.DeleteChild(s.ctx, s.sup, "child1"), supervisor.ErrDynamic)
	},
	// A start function has one result besides the process: what else it has to
	// say, it writes where its closure can.
	"extra_return": func(s *suite) {
		extra := 0
		child := s.worker("child1")
		begin := child.Start
		child.Start = func(ctx context.Context) (process.PID, error) { extra++; return begin(ctx) }
		s.start(flags(nil), child)
		pid := s.now("child1")
		s.refused(supervisor.TerminateChild(s.ctx, s.sup, "hej"), supervisor.ErrNotFound)
		s.refused(supervisor.DeleteChild(s.ctx, s.sup, "hej"), supervisor.ErrNotFound)
		s.refused(second(supervisor.RestartChild(s.ctx, s.sup, "hej")), supervisor.ErrNotFound)
		s.refused(supervisor.DeleteChild(s.ctx, s.sup, "child1"), supervisor.ErrRunning)
		s.refused(second(supervisor.RestartChild(s.ctx, s.sup, "child1")), supervisor.ErrRunning)
		s.children(up("child1", pid))
		s.counts(1, 1, 0, 1)

		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
		s.ends(pid, process.ErrShutdown)
		s.children(down("child1"))
		s.counts(1, 0, 0, 1)
		pid, err := supervisor.RestartChild(s.ctx, s.sup, "child1")
		if err != nil || extra != 2 {
			s.t.Errorf("restart_child: %v, extra %d, want 2", err, extra)
		}
		s.children(up("child1", pid))
		s.counts(1, 1, 0, 1)

		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
		s.fine(supervisor.TerminateChild(s.ctx, s.sup, "child1"))
		s.fine(supervisor.DeleteChild(s.ctx, s.sup, "child1"))
		s.refused(second(supervisor.RestartChild(s.ctx, s.sup, "child1")), supervisor.ErrNotFound)
		s.children()
		s.counts(0, 0, 0, 0)

		if pid = s.add(child); extra != 3 {
			s.t.Errorf("start_child: extra %d, want 3", extra)
		}
		s.children(up("child1", pid))
		s.terminate(pid, errBoom)
		s.counts(1, 1, 0, 1)
		if next := s.now("child1"); next == pid || extra != 4 {
			s.t.Errorf("%v is not restarted, or extra %d is not 4", pid, extra)
		}
	},
	"tree":                     tree,
	"simple_global_supervisor": simpleGlobal,
}

// tree is three levels of supervisors.
func tree(s *suite) {
	four := func(children ...supervisor.Child) func(context.Context) (process.PID, error) {
		return supervisor.StartFunc(supervisor.Spec{Intensity: 4, Period: time.Hour, Children: children})
	}
	s.start(supervisor.Spec{Strategy: supervisor.OneForAll, Intensity: 4, Period: time.Hour})
	sup1 := s.add(supervisor.Child{ID: "supchild1", Start: four(s.worker("child1"), s.worker("child2"))})
	sup2 := s.add(supervisor.Child{ID: "supchild2", Start: four()})
	s.add(supervisor.Child{ID: "supchild3", Restart: supervisor.Transient, Start: four()})
	s.fine(supervisor.TerminateChild(s.ctx, s.sup, "supchild3"))
	s.counts(3, 2, 3, 0)
	workers := s.which(sup1)
	s.countsOf(sup1, 2, 2, 0, 2)
	s.countsOf(sup2, 0, 0, 0, 0)

	three := s.addTo(sup2, s.worker("child3", starts(nil, errNo)))
	four4 := s.addTo(sup2, s.worker("child4"))
	s.countsOf(sup2, 2, 2, 0, 2)

	s.terminate(four4, errBoom) // it alone is restarted
	if got := s.which(sup1); len(got) != 2 || got[0] != workers[0] || got[1] != workers[1] {
		s.t.Errorf("the other supervisor has %+v, want still %+v", got, workers)
	}
	got := s.which(sup2)
	if len(got) != 2 || got[0].PID == four4 || got[1] != up("child3", three) {
		s.t.Errorf("supchild2 has %+v, want a new child4 and the old child3", got)
	}
	s.countsOf(sup2, 2, 2, 0, 2)

	s.terminate(three, errBoom) // it does not start again: the whole tree does
	time.Sleep(time.Second)
	s.counts(3, 3, 3, 0)
	whole := s.which(s.sup)
	s.countsOf(whole[2].PID, 2, 2, 0, 2) // supchild1
	s.countsOf(whole[1].PID, 0, 0, 0, 0) // supchild2 has lost its dynamic children
	s.countsOf(whole[0].PID, 0, 0, 0, 0) // supchild3, stopped on purpose, is back
	s.gone(sup1, sup2)
}

// simpleGlobal is a supervisor and a server that are known by name, which come
// back under it.
func simpleGlobal(s *suite) {
	named := func(name process.Name) (pid process.PID) {
		pid, err := name.Resolve(s.ctx)
		s.fine(err)
		return pid
	}
	server := supervisor.Child{ID: "child", Shutdown: 2 * time.Second, Start: func(ctx context.Context) (process.PID, error) {
		return process.Start(ctx, process.Spec{Name: "server", Behaviour: leaf{}})
	}}
	middle := supervisor.Child{ID: "middle", Shutdown: 2 * time.Second, Start: supervisor.StartFunc(supervisor.Spec{
		Name: "sup2", Strategy: supervisor.OneForAll, Intensity: 3, Period: time.Minute, Children: []supervisor.Child{server}})}
	for what, do := range map[string]func(sup2, server process.PID){
		"kill_supervisor": func(sup2, _ process.PID) { s.fine(process.Kill(s.ctx, sup2)) },
		"kill_worker":     func(_, server process.PID) { s.fine(process.Kill(s.ctx, server)) },
		"exit_worker":     func(_, server process.PID) { s.fine(process.Send(s.ctx, server, end{nil})) },
		"restart_worker": func(_, _ process.PID) {
			s.fine(supervisor.TerminateChild(s.ctx, process.Name("sup2"), "child"))
			s.fine(second(supervisor.RestartChild(s.ctx, process.Name("sup2"), "child")))
		},
	} {
		s.start(supervisor.Spec{Strategy: supervisor.OneForAll, Intensity: 3, Period: time.Minute}, middle)
		oldSup, oldServer := named("sup2"), named("server")
		do(oldSup, oldServer)
		synctest.Wait()
		if named("server") == oldServer || what == "kill_supervisor" && named("sup2") == oldSup {
			s.t.Errorf("%s: the old one still has the name", what)
		}
		s.fine(process.Kill(s.ctx, s.sup))
		synctest.Wait()
		for _, name := range []string{"sup2", "server", "sup_test"} {
			if pid, ok := process.Whereis(s.ctx, name); ok {
				s.t.Errorf("%s: %s is still that of %v", what, name, pid)
			}
		}
	}
}

// faultyApplication starts an application whose only child panics in its Init.
func faultyApplication(s *suite) {
	app := &application.App{Name: "app_faulty", Start: func(ctx context.Context) (process.PID, error) {
		return supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{
			s.worker("app_faulty", func(k *worker, _ *supervisor.Child) {
				k.starts = append(k.starts, func(context.Context) error { panic("undef") })
			})}})
	}}
	err := application.Start(s.ctx, app, application.Temporary)
	s.refused(err, process.ErrShutdown)
	s.failedStart(err, "app_faulty")
	s.fine(application.Unload(s.ctx, app))
}

// failedStart wants the error of a child that panicked in its Init, with the
// stack of that.
func (s *suite) failedStart(err error, id string) {
	s.t.Helper()
	if e, ok := errors.AsType[*supervisor.StartError](err); !ok || e.ID != id {
		s.t.Errorf("got %v, want a StartError of %s", err, id)
	}
	if e, ok := errors.AsType[*process.PanicError](err); !ok || !strings.Contains(e.StackText(), "faultyApplication") {
		s.t.Errorf("got %v, want the panic with its stack", err)
	}
}
