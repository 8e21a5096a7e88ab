package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A grown is a tree of supervisors that was made up, and how many processes it
// has when it is whole.
type grown struct {
	r    *rand.Rand
	size int
}

// spec makes up a supervisor with what hangs below it. The intensity is such
// that it never gives up.
func (g *grown) spec(depth int) supervisor.Spec {
	g.size++
	strategies := []supervisor.Strategy{supervisor.OneForOne, supervisor.OneForAll, supervisor.RestForOne}
	s := supervisor.Spec{Strategy: strategies[g.r.IntN(3)], Intensity: 1 << 20}
	for i := range 1 + g.r.IntN(4) {
		c := supervisor.Child{ID: fmt.Sprint(i)}
		if depth > 0 && g.r.IntN(2) == 0 {
			c.Start = supervisor.StartFunc(g.spec(depth - 1))
		} else {
			g.size++
			trap := g.r.IntN(2) == 0
			c.Start = func(ctx context.Context) (process.PID, error) {
				return process.Start(ctx, process.Spec{TrapExit: trap, Behaviour: leaf{}})
			}
		}
		s.Children = append(s.Children, c)
	}
	return s
}

// A leaf does nothing but end.
type leaf struct{}

func (leaf) Init(context.Context) error { return nil }

func (leaf) Handle(_ context.Context, msg any) error {
	if e, ok := msg.(end); ok {
		return process.End(e.reason)
	}
	return nil
}

func (leaf) Terminate(context.Context, error) error { return nil }

// Whoever is killed, crashes or is stopped anywhere in a tree: it heals, and
// nobody is there twice or left behind.
func TestTreesHeal(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			g := &grown{r: rand.New(rand.NewPCG(seed, 2))}
			node := process.NewNode(process.NodeSpec{Probe: quiet{}})
			ctx := node.Context()
			top, err := supervisor.Start(ctx, g.spec(3))
			if err != nil {
				t.Fatal(err)
			}
			for range 30 {
				all := node.Processes()
				victims := all[1:] // not the top: nobody would restart it
				if len(victims) == 0 {
					break
				}
				victim := victims[g.r.IntN(len(victims))]
				var how string
				switch g.r.IntN(3) {
				case 0:
					how, err = "killed", process.Kill(ctx, victim)
				case 1:
					how, err = "stopped", process.Stop(ctx, victim, errBoom)
				case 2:
					how, err = "crashed", process.Send(ctx, victim, end{errBoom})
				}
				if err != nil {
					t.Fatalf("seed %d: %v %s: %v", seed, victim, how, err)
				}
				synctest.Wait()
				if n := len(node.Processes()); n != g.size {
					t.Fatalf("seed %d: after %v was %s there are %d processes, want %d", seed, victim, how, n, g.size)
				}
				if n := count(t, ctx, top); n != g.size {
					t.Fatalf("seed %d: after %v was %s there are %d processes in the tree, want %d", seed, victim, how, n, g.size)
				}
			}
			if err := node.Stop(t.Context()); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		})
	}
}

// count walks the tree.
func count(t *testing.T, ctx context.Context, sup process.PID) int {
	infos, err := supervisor.WhichChildren(ctx, sup)
	if err != nil {
		t.Fatal(err)
	}
	n := 1
	for _, c := range infos {
		switch {
		case c.Status != supervisor.Running:
			t.Errorf("%s of %v is %v", c.ID, sup, c.Status)
		case c.Supervisor:
			n += count(t, ctx, c.PID)
		default:
			n++
		}
	}
	return n
}

// Many at once ask a supervisor for everything there is, while its children are
// killed. Every request is answered, and in the end what it says of its children
// is so.
func TestConcurrentUse(t *testing.T) {
	for name, strategy := range map[string]supervisor.Strategy{
		"one for one": supervisor.OneForOne, "one for all": supervisor.OneForAll, "rest for one": supervisor.RestForOne,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := process.NewNode(process.NodeSpec{Probe: quiet{}})
				ctx := node.Context()
				top, err := supervisor.Start(ctx, supervisor.Spec{Strategy: strategy, Intensity: 1 << 20})
				if err != nil {
					t.Fatal(err)
				}
				clients := make([]process.PID, 16)
				for i := range clients {
					r := rand.New(rand.NewPCG(uint64(i), 3))
					clients[i], err = process.Go(ctx, func(ctx context.Context) error {
						for range 100 {
							use(t, ctx, top, r)
						}
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				for _, pid := range clients {
					if reason, err := process.Wait(ctx, pid); reason != nil || err != nil {
						t.Errorf("a client ended with %v (%v)", reason, err)
					}
				}
				synctest.Wait()
				infos, err := supervisor.WhichChildren(ctx, top)
				if err != nil {
					t.Fatal(err)
				}
				running := 0
				for _, c := range infos {
					if c.Status == supervisor.Running {
						running++
					}
					if (c.Status == supervisor.Running) != c.PID.Alive() || c.Status == supervisor.Restarting {
						t.Errorf("all is quiet, and %s is said to be %v, alive: %v", c.ID, c.Status, c.PID.Alive())
					}
				}
				if n := len(node.Processes()); n != 1+running {
					t.Errorf("there are %d processes, want the supervisor and %d children", n, running)
				}
				if err := node.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// use asks a supervisor for something, or kills one of its children.
func use(t *testing.T, ctx context.Context, top process.PID, r *rand.Rand) {
	id := fmt.Sprint(r.IntN(8))
	var err error
	switch r.IntN(6) {
	case 0, 1:
		c := supervisor.Child{ID: id, Start: startLeaf, Restart: supervisor.Restart(r.IntN(3))}
		_, err = supervisor.StartChild(ctx, top, c)
	case 2:
		err = supervisor.TerminateChild(ctx, top, id)
	case 3:
		_, err = supervisor.RestartChild(ctx, top, id)
	case 4:
		err = supervisor.DeleteChild(ctx, top, id)
	case 5:
		var infos []supervisor.ChildInfo
		if infos, err = supervisor.WhichChildren(ctx, top); len(infos) > 0 {
			if pid := infos[r.IntN(len(infos))].PID; !pid.IsZero() {
				err = process.Kill(ctx, pid)
			}
		}
	}
	for _, refused := range []error{nil, supervisor.ErrAlreadyPresent, supervisor.ErrNotFound, supervisor.ErrRunning,
		supervisor.ErrRestarting, process.ErrNameTaken} {
		if errors.Is(err, refused) {
			return
		}
	}
	t.Errorf("an answer that makes no sense: %v", err)
}

// A start function that ignores everything leaves a supervisor that is stuck.
// Its own supervisor gives it up, and its children die by their links.
func TestStuckSupervisor(t *testing.T) {
	bubble(t, func(w *world) {
		let := make(chan struct{})
		stuck := supervisor.Child{ID: "stuck", Start: func(context.Context) (process.PID, error) {
			<-let
			return process.PID{}, process.ErrIgnore
		}}
		inner := supervisor.Spec{Name: "inner", Children: []supervisor.Child{w.child("a")}}
		top := w.top(supervisor.Spec{Children: []supervisor.Child{
			{ID: "s", Start: supervisor.StartFunc(inner), Shutdown: time.Second, Grace: time.Second},
		}})
		w.take()
		if _, err := process.Go(w.ctx, func(ctx context.Context) error {
			_, err := supervisor.StartChild(ctx, process.Name("inner"), stuck)
			w.note("the caller learns: %v", err)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		if err := supervisor.TerminateChild(w.ctx, top, "s"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("it took %v, want Shutdown and Grace, 2s", took)
		}
		synctest.Wait()
		got := w.take()
		if w.pid("top/s/a").Alive() {
			t.Errorf("its child is alive: %q", got)
		}
		close(let)
		synctest.Wait()
		for _, line := range []string{"top/s abandoned", "top: shutdown error: s killed"} {
			if !slices.Contains(got, line) {
				t.Errorf("there is no %q in %q", line, got)
			}
		}
		if pid, err := supervisor.RestartChild(w.ctx, top, "s"); err != nil || !pid.Alive() {
			t.Errorf("its name is free, so it can be started again: %v", err)
		}
	})
}

// A strategy that panics is a supervisor that crashes, with its children stopped.
func TestStrategyPanics(t *testing.T) {
	bubble(t, func(w *world) {
		w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a"), w.child("b")}, Strategy: decider(
			func(supervisor.View, supervisor.Event, time.Time) supervisor.Plan { panic("no idea") })})
		w.take()
		w.end("top/b", errBoom)
		w.want("it ends in order", "top/b stops boom", "top/a stops shutdown", "top exit panic: no idea")
	})
}
