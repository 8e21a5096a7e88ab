package process_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/supervisor"
)

// keeper remembers nothing; it is there to be kept.
type keeper struct{}

func (*keeper) Forget(process.PID) {}

// deeds is everything that can be done with a ctx and a process to do it to.
func deeds(dead context.Context, other process.PID, name string) map[string]func() error {
	return map[string]func() error{
		"send":     func() error { return process.Send(dead, other, "from the dead") },
		"ref":      func() error { return refTo(dead, other) },
		"call":     func() error { return process.Do(dead, other, &take{}) },
		"request":  func() error { return process.Begin(dead, other, &take{}).Wait(dead) },
		"system":   func() error { return process.System(dead, other, nothingToDo) },
		"suspend":  func() error { return process.Suspend(dead, other) },
		"start":    func() error { _, err := process.Start(dead, process.Spec{Behaviour: &script{}}); return err },
		"unlinked": func() error { return startUnlinked(dead) },
		"watched": func() error {
			_, _, err := process.StartMonitor(dead, process.Spec{Behaviour: &script{}}, nil)
			return err
		},
		"spawn":      func() error { _, err := process.Spawn(dead, waitToDie); return err },
		"spawn link": func() error { _, err := process.SpawnLink(dead, waitToDie); return err },
		"go":         func() error { _, err := process.Go(dead, sitAndWait); return err },
		"link":       func() error { return process.Link(dead, other) },
		"unlink":     func() error { return process.Unlink(dead, other) },
		"monitor":    func() error { _, err := process.Monitor(dead, other, nil); return err },
		"exit":       func() error { return process.SendExit(dead, other, errBoom) },
		"kill":       func() error { return process.Kill(dead, other) },
		"stop":       func() error { return process.Stop(dead, other, nil) },
		"wait":       func() error { _, err := process.Wait(dead, other); return err },
		"register":   func() error { return process.Register(dead, "late", other) },
		"unregister": func() error { return process.Unregister(dead, name) },
		"keep":       func() error { _, err := process.Keep(dead, other, &keeper{}); return err },
	}
}

func nothingToDo(context.Context, process.Behaviour) error { return nil }

func startUnlinked(ctx context.Context) error {
	_, err := process.Start(ctx, process.Spec{Unlinked: true, Behaviour: &script{}})
	return err
}

// refTo sends through an alias that somebody else made.
func refTo(ctx context.Context, other process.PID) error {
	a, err := process.NewAlias(process.WithBirth(ctx, process.Birth{}), process.AliasExplicit)
	if err != nil {
		return err
	}
	if err := a.Send(ctx, "to itself"); err != nil {
		return err
	}
	return process.Send(ctx, other, "and to the other")
}

// A hundred children ignore their death and sit in their handlers. Their
// supervisor replaces all of them meanwhile, they are listed until they return,
// and whatever they try then is refused.
func TestHundredAbandoned(t *testing.T) {
	const n = 100
	synctest.Test(t, func(t *testing.T) {
		rec := &processtest.Recorder{}
		ctx := processtest.Node(t, process.NodeSpec{Probe: rec, Grace: time.Second})
		node, _ := process.NodeOf(ctx)
		witness := start(t, ctx, process.Spec{Name: "witness", TrapExit: true})
		spec := supervisor.Spec{Intensity: 2 * n}
		for i := range n {
			name := fmt.Sprint("child ", i)
			spec.Children = append(spec.Children, supervisor.Child{ID: name, Start: func(ctx context.Context) (process.PID, error) {
				return process.Start(ctx, process.Spec{Name: name, Behaviour: &script{}})
			}})
		}
		sup, err := supervisor.Start(ctx, spec)
		if err != nil {
			t.Fatal(err)
		}
		var returned sync.WaitGroup
		release := make(chan struct{})
		var old []process.PID
		var asked []*process.Pending
		for i := range n {
			name := fmt.Sprint("child ", i)
			pid, _ := process.Whereis(ctx, name)
			old = append(old, pid)
			returned.Add(1)
			asked = append(asked, process.Begin(ctx, pid, &run{f: func(ctx context.Context, r *run) error {
				defer returned.Done()
				<-release
				actAfterDeath(t, ctx, witness, name)
				if r.Reply(nil, nil) {
					t.Error("the dead answered a request")
				}
				return errors.New("an error that nobody hears of")
			}}))
		}
		synctest.Wait()
		for _, pid := range old {
			if err := process.Kill(ctx, pid); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(2 * time.Second) // their Grace, and the restarts
		fresh := wantReplaced(t, ctx, node, sup, old)
		for i, p := range asked {
			if done, err := p.Poll(); !done || !errors.Is(err, process.ErrKilled) {
				t.Errorf("who asked %v: told %v, %v; want killed, long ago", old[i], done, err)
			}
		}
		if got := len(rec.Events(process.Abandoned)); got != n {
			t.Errorf("%d reports of abandoned goroutines, want %d", got, n)
		}
		close(release)
		returned.Wait()
		synctest.Wait()
		if got := node.Abandoned(); len(got) != 0 {
			t.Errorf("still listed after they have returned: %v", got)
		}
		for _, pid := range fresh {
			if !pid.Alive() || len(kept(t, ctx, pid)) != 0 {
				t.Errorf("%v was touched by the return of its predecessor", pid)
			}
		}
		if got := kept(t, ctx, witness); len(got) != 0 {
			t.Errorf("of the dead arrived %v", got)
		}
		if i := witness.Info(); i.Name != "witness" || len(i.Links) != 0 || len(i.MonitoredBy) != 0 {
			t.Errorf("the dead touched the witness: %+v", i)
		}
		if want := n + 2; len(node.Processes()) != want {
			t.Errorf("%d processes, want %d: the dead started some", len(node.Processes()), want)
		}
	})
}

func actAfterDeath(t *testing.T, ctx context.Context, other process.PID, name string) {
	for what, act := range deeds(ctx, other, name) {
		if err := act(); !errors.Is(err, process.ErrKilled) {
			t.Errorf("%s by the dead: %v, want %v", what, err, process.ErrKilled)
		}
	}
	process.After(ctx, 0, "to itself")
	if feed, err := process.NewFeed(ctx); err == nil {
		if err := feed.Send(ctx, func() any { return "to itself" }); err == nil {
			t.Error("the dead fed itself")
		}
	}
}

// wantReplaced returns the successors of the old, which are abandoned.
func wantReplaced(t *testing.T, ctx context.Context, node *process.Node, sup process.PID, old []process.PID) []process.PID {
	t.Helper()
	if got := len(node.Abandoned()); got != len(old) {
		t.Errorf("%d abandoned goroutines are listed, want %d", got, len(old))
	}
	children, err := supervisor.WhichChildren(ctx, sup)
	if err != nil || len(children) != len(old) {
		t.Fatalf("%d children, %v", len(children), err)
	}
	gone := make(map[process.PID]bool)
	for _, pid := range old {
		if gone[pid] = true; pid.Alive() || pid.Info().Status != "abandoned" || pid.Stack() == "" {
			t.Errorf("%v is %s, want it abandoned, with a stack", pid, pid.Info().Status)
		}
	}
	var fresh []process.PID
	for _, c := range children {
		if has, _ := process.Whereis(ctx, c.ID); gone[c.PID] || !c.PID.Alive() || has != c.PID {
			t.Errorf("child %s is %v, its name has %v; want a new one that has its name", c.ID, c.PID, has)
		}
		fresh = append(fresh, c.PID)
	}
	return fresh
}

// Between its doom and its end, too, a process cannot act: it can neither cut
// the link by which its supervisor will hear of it, nor give its name away.
func TestDoomedCannotHide(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		top := start(t, ctx, process.Spec{Name: "top", TrapExit: true})
		var pid process.PID
		in(t, ctx, top, func(ctx context.Context) { pid = start(t, ctx, process.Spec{Name: "p", Grace: time.Minute}) })
		send(t, ctx, pid, do(func(ctx context.Context, _ *script) error {
			<-ctx.Done()
			for what, act := range deeds(ctx, top, "p") {
				if err := act(); !errors.Is(err, errBoom) {
					t.Errorf("%s by the doomed: %v, want its reason", what, err)
				}
			}
			return nil
		}))
		synctest.Wait()
		if err := process.SendExit(ctx, pid, errBoom); err != nil {
			t.Error(err)
		}
		wantReason(t, ctx, pid, errBoom)
		if got := kept(t, ctx, top); len(got) != 1 || len(exits(got)) != 1 {
			t.Errorf("its parent got %v, want one exit signal", got)
		}
	})
}

// D11: nothing survives its supervisor. In OTP a process that traps exits and
// is none of the behaviours does when the supervisor is killed.
func TestD11NoOrphansOfAKilledSupervisor(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		stubborn := func(ctx context.Context) (process.PID, error) {
			ref, err := process.SpawnRaw(ctx, process.Raw[process.ExitSignal]{Linked: true, TrapExit: true,
				Exit: func(x process.ExitSignal) process.ExitSignal { return x },
				Run: func(_ context.Context, in *process.Inbox[process.ExitSignal]) error {
					for {
						in.Receive() // and goes on, whatever it is told
					}
				}})
			return ref.PID(), err
		}
		sup, err := supervisor.Start(process.WithBirth(ctx, process.Birth{ID: "sup"}), supervisor.Spec{
			Children: []supervisor.Child{{ID: "stubborn", Start: stubborn}}})
		if err != nil {
			t.Fatal(err)
		}
		children, err := supervisor.WhichChildren(ctx, sup)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := process.Kill(ctx, sup); err != nil {
			t.Fatal(err)
		}
		reason, err := process.Wait(ctx, children[0].PID)
		if reason != process.ErrKilled || err != nil {
			t.Errorf("the child ended with %v, %v; want it killed", reason, err)
		}
		if d := time.Since(began); d != 100*time.Millisecond {
			t.Errorf("it ended after %v, want its Grace", d)
		}
	})
}
