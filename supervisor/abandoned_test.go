package supervisor_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A stubborn is a process that comes out of its handler only when the test lets
// it, whatever has happened to it. What it then tries to do is written down.
type stubborn struct {
	let    <-chan struct{}
	target process.PID
	sup    process.PID

	mu       *sync.Mutex
	worked   *[]string // what it could do after its death
	returned *sync.WaitGroup
}

// ask is answered with the name of who answers; stay makes it stubborn.
type ask struct {
	process.Call
	stay bool
	name string
}

func (s *stubborn) Init(context.Context) error { return nil }

func (s *stubborn) Handle(ctx context.Context, msg any) error {
	a, ok := msg.(*ask)
	if !ok {
		return nil
	}
	name := process.Self(ctx).Name()
	if a.stay {
		defer s.returned.Done()
		<-s.let
		s.haunt(ctx)
		if a.Reply(func() { a.name = name }, nil) {
			s.managed("reply")
		}
		return nil
	}
	a.Reply(func() { a.name = name }, nil)
	return nil
}

func (s *stubborn) Terminate(context.Context, error) error { return nil }

// haunt tries everything that a process can do.
func (s *stubborn) haunt(ctx context.Context) {
	self := process.Self(ctx)
	start := func() error { _, err := startLeaf(ctx); return err }
	for what, do := range map[string]func() error{
		"send":        func() error { return process.Send(ctx, s.target, "boo") },
		"send itself": func() error { return process.SendSelf(ctx, "boo") },
		"call":        func() error { return process.Do(ctx, s.target, &ask{}) },
		"exit":        func() error { return process.SendExit(ctx, s.target, errBoom) },
		"kill":        func() error { return process.Kill(ctx, s.target) },
		"stop":        func() error { return process.Stop(ctx, s.target, errBoom) },
		"link":        func() error { return process.Link(ctx, s.target) },
		"monitor":     func() error { return second(process.Monitor(ctx, s.target, nil)) },
		"register":    func() error { return process.Register(ctx, fmt.Sprint("ghost", self.ID()), self) },
		"name":        func() error { return process.Register(ctx, fmt.Sprint("friend", self.ID()), s.target) },
		"spawn":       start,
		"go":          func() error { return second(process.Go(ctx, func(context.Context) error { return nil })) },
		"start child": func() error {
			return second(supervisor.StartChild(ctx, s.sup, supervisor.Child{ID: "x", Start: startLeaf}))
		},
		"terminate child": func() error { return supervisor.TerminateChild(ctx, s.sup, "c0") },
		"uninterrupted":   func() error { return process.Send(process.Uninterrupted(ctx), s.target, "boo") },
	} {
		if do() == nil {
			s.managed(what)
		}
	}
}

func (s *stubborn) managed(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.worked = append(*s.worked, what)
}

// A hundred goroutines that do not come back from their handlers are given up.
// Their supervisor restarts the children under their old names at once, and those
// serve; the goroutines are listed, with where they stand, until they return, and
// when they do there is nothing left that they can do.
func TestHundredAbandoned(t *testing.T) {
	const n = 100
	bubble(t, func(w *world) {
		s := &suite{world: w}
		let := make(chan struct{})
		var mu sync.Mutex
		var worked []string
		var returned sync.WaitGroup
		returned.Add(n)
		target := must(process.Start(w.ctx, process.Spec{Name: "target", TrapExit: true, Behaviour: leaf{}}))
		spec := supervisor.Spec{Intensity: n, Period: time.Hour}
		var kids []supervisor.Child
		for i := range n {
			name := fmt.Sprint("c", i)
			kids = append(kids, supervisor.Child{ID: name, Shutdown: time.Second, Start: func(ctx context.Context) (process.PID, error) {
				return process.Start(ctx, process.Spec{Name: name, Behaviour: &stubborn{let: let, target: target,
					sup: process.Self(ctx), mu: &mu, worked: &worked, returned: &returned}})
			}})
		}
		s.start(spec, kids...)
		var callers []process.PID
		var ghosts []process.PID
		for i := range n {
			pid := s.now(fmt.Sprint("c", i))
			ghosts = append(ghosts, pid)
			callers = append(callers, must(process.Go(w.ctx, func(ctx context.Context) error {
				err := process.Do(process.WithCallTimeout(ctx, process.Infinity), pid, &ask{stay: true})
				if err == nil {
					t.Errorf("%v answered", pid)
				}
				return nil
			})))
		}
		synctest.Wait()
		w.take()
		begin := time.Now()
		for i, pid := range ghosts { // each in one of three ways
			switch i % 3 {
			case 0:
				s.fine(process.Kill(w.ctx, pid))
			case 1:
				s.fine(process.SendExit(w.ctx, pid, errBoom))
			case 2:
				s.fine(supervisor.TerminateChild(w.ctx, s.sup, fmt.Sprint("c", i)))
				s.fine(second(supervisor.RestartChild(w.ctx, s.sup, fmt.Sprint("c", i))))
			}
		}
		for _, pid := range callers {
			s.ends(pid, nil) // callers learn of it without waiting for the goroutine
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("it took %v to replace %d", took, n)
		}
		s.counts(n, n, 0, n)
		for i := range n {
			name := fmt.Sprint("c", i)
			a := &ask{}
			pid := s.now(name)
			if err := process.Do(w.ctx, pid, a); err != nil || a.name != name || pid == ghosts[i] {
				t.Errorf("%v, which is to have replaced %v as %s, answers as %q (%v)", pid, ghosts[i], name, a.name, err)
			}
		}
		s.haveGhosts(ghosts)

		close(let)
		returned.Wait()
		synctest.Wait()
		s.haveGhosts(nil)
		if len(worked) > 0 {
			t.Errorf("the dead could still: %v", worked)
		}
		if links := target.Info().Links; !target.Alive() || len(links) != 0 || len(target.Info().MonitoredBy) != 0 {
			t.Errorf("somebody has touched %v: links %v", target, links)
		}
		if got, want := len(w.node.Processes()), 1+n+1; got != want {
			t.Errorf("there are %d processes, want the supervisor, its children and their target, %d", got, want)
		}
	})
}

// haveGhosts compares those who are listed as abandoned.
func (s *suite) haveGhosts(want []process.PID) {
	s.t.Helper()
	got := s.node.Abandoned()
	byID := func(a, b process.PID) int { return int(a.ID()) - int(b.ID()) }
	slices.SortFunc(got, byID)
	want = slices.Clone(want)
	slices.SortFunc(want, byID)
	if !slices.Equal(got, want) {
		s.t.Errorf("%d are listed as abandoned, want %d", len(got), len(want))
	}
	for _, pid := range got {
		if info := pid.Info(); info.Status != "abandoned" {
			s.t.Errorf("%v is %s", pid, info.Status)
		}
	}
	if len(got) > 0 && !strings.Contains(got[0].Stack(), "(*stubborn).Handle") {
		s.t.Errorf("the stack of %v does not say where it stands:\n%s", got[0], got[0].Stack())
	}
}
