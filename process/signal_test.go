package process_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// A chain of links carries a reason unchanged, and stops at who traps.
func TestLinkChain(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var chain []process.PID
		for range 5 {
			chain = append(chain, start(t, ctx, process.Spec{Unlinked: true}))
		}
		trap := start(t, ctx, process.Spec{TrapExit: true})
		for i, pid := range chain {
			next := trap
			if i+1 < len(chain) {
				next = chain[i+1]
			}
			in(t, ctx, pid, func(ctx context.Context) {
				if err := process.Link(ctx, next); err != nil {
					t.Error(err)
				}
			})
		}
		send(t, ctx, chain[0], errBoom)
		for _, pid := range chain {
			wantReason(t, ctx, pid, errBoom)
		}
		if x := exits(kept(t, ctx, trap)); len(x) != 1 || x[0].From != chain[4] || x[0].Reason != errBoom {
			t.Errorf("who traps got %v, want one exit of its neighbour", x)
		}
	})
}

// Who links itself again to a process that is just ending is told of that end once,
// with its reason, and not ahead of it that there is no such process.
func TestLinkAgainAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		a := start(t, ctx, process.Spec{Unlinked: true})
		trap := start(t, ctx, process.Spec{TrapExit: true})
		var of context.Context
		link := func(ctx context.Context) {
			of = ctx
			if err := process.Link(ctx, a); err != nil {
				t.Error(err)
			}
		}
		in(t, ctx, trap, link)
		// Requests that were not answered are settled before the links are told.
		process.Begin(ctx, a, &run{f: func(context.Context, *run) error { return nil }}).Then(func() { link(of) })
		send(t, ctx, a, errBoom)
		wantReason(t, ctx, a, errBoom)
		if x := exits(kept(t, ctx, trap)); len(x) != 1 || x[0].From != a || x[0].Reason != errBoom {
			t.Errorf("who traps got %v, want one exit with %v", x, errBoom)
		}
	})
}

func TestNormalExitHurtsNobody(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		a := start(t, ctx, process.Spec{})
		b := start(t, ctx, process.Spec{Unlinked: true})
		in(t, ctx, b, func(ctx context.Context) {
			if err := process.Link(ctx, a); err != nil {
				t.Error(err)
			}
			if err := process.SendExit(ctx, a, nil); err != nil {
				t.Error(err)
			}
		})
		send(t, ctx, b, process.End(nil))
		wantReason(t, ctx, b, nil)
		if !a.Alive() || len(kept(t, ctx, a)) != 0 {
			t.Error("a normal exit reached a process that does not trap")
		}
	})
}

// D11: a behaviour does not survive its parent, however that ended; OTP would
// leave an orphan after a normal end.
func TestNoOrphans(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		for _, trap := range []bool{false, true} {
			var child process.PID
			parent := start(t, ctx, process.Spec{})
			in(t, ctx, parent, func(ctx context.Context) { child = start(t, ctx, process.Spec{TrapExit: trap}) })
			send(t, ctx, parent, process.End(nil))
			want := process.ErrShutdown
			if trap {
				want = nil // its Terminate gets the parent's own reason
			}
			wantReason(t, ctx, child, want)
		}
	})
}

func TestUnlinkAndDemonitor(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		a := start(t, ctx, process.Spec{})
		w := start(t, ctx, process.Spec{TrapExit: true})
		in(t, ctx, w, func(ctx context.Context) {
			if err := process.Link(ctx, a); err != nil {
				t.Error(err)
			}
			ref, err := process.Monitor(ctx, a, nil)
			if err != nil {
				t.Error(err)
			}
			late, err := process.Monitor(ctx, a, nil)
			if err != nil {
				t.Error(err)
			}
			if err := process.Unlink(ctx, a); err != nil {
				t.Error(err)
			}
			if !process.Demonitor(ctx, ref) || process.Demonitor(ctx, ref) {
				t.Error("Demonitor must report true once, for a monitor that was active")
			}
			if err := process.Kill(ctx, a); err != nil {
				t.Error(err)
			}
			if _, err := process.Wait(ctx, a); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Millisecond) // the Down is in the mailbox by now
			if process.Demonitor(ctx, late) {
				t.Error("Demonitor of one that has fired reports true")
			}
		})
		if got := kept(t, ctx, w); len(got) != 0 {
			t.Errorf("arrived: %v, want nothing", got)
		}
	})
}

func TestStop(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid := start(t, ctx, process.Spec{})
		if err := process.Stop(ctx, pid, errBoom); err != nil {
			t.Errorf("Stop with a reason: %v", err)
		}
		wantReason(t, ctx, pid, errBoom)
		if err := process.Stop(ctx, pid, nil); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("Stop of the dead: %v", err)
		}
		other := errors.New("other")
		pid = start(t, ctx, process.Spec{Behaviour: &script{terminate: func(context.Context, error) error { return other }}})
		if err := process.Stop(ctx, pid, nil); !errors.Is(err, other) {
			t.Errorf("Stop of one that fails in Terminate: %v, want %v", err, other)
		}
		slow := start(t, ctx, process.Spec{})
		send(t, ctx, slow, do(func(ctx context.Context, _ *script) error { <-ctx.Done(); return nil }))
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := process.Stop(short, slow, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop with a deadline: %v", err)
		}
	})
}

func TestTimers(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid := start(t, ctx, process.Spec{})
		in(t, ctx, pid, func(ctx context.Context) {
			process.After(ctx, time.Second, "one")
			fired := process.After(ctx, 2*time.Second, "two")
			process.After(ctx, 3*time.Second, "three")
			process.After(ctx, 4*time.Second, do(func(context.Context, *script) error { return nil }))
			time.Sleep(2500 * time.Millisecond) // it is in the mailbox by now
			if !fired.Stop() || fired.Stop() {
				t.Error("Stop must report true once, for a message that has not arrived")
			}
		})
		time.Sleep(time.Minute)
		if got := kept(t, ctx, pid); !slices.Equal(got, []any{"one", "three"}) {
			t.Errorf("arrived %v", got)
		}
	})
}

// The node stops what hangs below its root, youngest first, one at a time.
func TestNodeStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := process.NewNode(process.NodeSpec{Probe: &processtest.Recorder{}})
		ctx := n.Context()
		var log []string
		note := func(name string, takes time.Duration) process.Behaviour {
			return &script{terminate: func(_ context.Context, reason error) error {
				time.Sleep(takes)
				log = append(log, name+":"+reason.Error())
				return nil
			}}
		}
		for _, name := range []string{"first", "second", "third"} {
			start(t, ctx, process.Spec{Name: name, TrapExit: true, Behaviour: note(name, time.Second)})
		}
		stray := start(t, ctx, process.Spec{Unlinked: true})
		deaf := start(t, ctx, process.Spec{Name: "deaf", TrapExit: true, Behaviour: &script{
			terminate: func(context.Context, error) error { time.Sleep(time.Hour); return nil }}})
		began := time.Now()
		err := n.Stop(context.Background())
		if err == nil || !strings.Contains(err.Error(), "deaf") || strings.Contains(err.Error(), "first") {
			t.Errorf("Stop: %v, want an error that names the one that did not obey", err)
		}
		if want := "third:shutdown second:shutdown first:shutdown"; strings.Join(log, " ") != want {
			t.Errorf("stopped %v, want %s", log, want)
		}
		if d := time.Since(began); d != 8*time.Second+100*time.Millisecond {
			t.Errorf("took %v, want 5s and its Grace for the deaf one, 3s for the others", d)
		}
		if stray.Alive() || deaf.Alive() || ctx.Err() == nil {
			t.Error("something lives on")
		}
		if err := n.Stop(context.Background()); err != nil {
			t.Errorf("second Stop: %v", err)
		}
		time.Sleep(2 * time.Hour) // the deaf one's goroutine returns
	})
}

// What a process is given when it is born: path, grace, group.
func TestBirth(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := &process.Group{Name: "app"}
		top := start(t, process.WithBirth(ctx, process.Birth{ID: "top", Group: g}), process.Spec{})
		var mid, leaf process.PID
		in(t, ctx, top, func(ctx context.Context) {
			mid = start(t, process.WithBirth(ctx, process.Birth{ID: "mid"}), process.Spec{Name: "named"})
			in(t, ctx, mid, func(ctx context.Context) { leaf = start(t, ctx, process.Spec{Name: "leaf"}) })
		})
		if leaf.Path() != "top/mid/leaf" || leaf.Group() != g || leaf.Parent() != mid {
			t.Errorf("path %q, group %v, parent %v", leaf.Path(), leaf.Group(), leaf.Parent())
		}
		if !strings.Contains(leaf.Spawner(), "main_test.go:") {
			t.Errorf("spawner %q, want where Start was called", leaf.Spawner())
		}
	})
}

// A call into another group is told once for a pair of groups; each process
// remembers whom it has called.
func TestCrossing(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var told []string
		explained := errors.New("because")
		x := &process.Group{Name: "x"}
		y := &process.Group{Name: "y",
			Crossed: func(from *process.Group, caller, callee process.PID, pcs []uintptr) {
				if len(pcs) == 0 {
					t.Error("no stack")
				}
				told = append(told, from.Name+" "+caller.Path()+" "+callee.Path())
			},
			Explain: func(err error) error { return errors.Join(explained, err) }}
		target := start(t, process.WithBirth(ctx, process.Birth{ID: "t", Group: y}), process.Spec{Name: "target"})
		call := func(pid process.PID) (err error) {
			in(t, ctx, pid, func(ctx context.Context) { err = process.Do(ctx, target, &take{}) })
			return err
		}
		a := start(t, process.WithBirth(ctx, process.Birth{ID: "a", Group: x}), process.Spec{})
		b := start(t, process.WithBirth(ctx, process.Birth{ID: "b", Group: x}), process.Spec{})
		none := start(t, ctx, process.Spec{})
		for _, pid := range []process.PID{a, a, b, none} {
			if err := call(pid); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(told, []string{"x a t"}) {
			t.Errorf("told %v, want the first call of the pair only", told)
		}
		if !a.HasCalled(y) || !b.HasCalled(y) || a.HasCalled(x) || target.HasCalled(x) {
			t.Error("who has called whom is wrong")
		}
		n, _ := process.NodeOf(ctx)
		y.SetStopping(n, true)
		gate := make(chan struct{})
		send(t, ctx, target, do(func(context.Context, *script) error { <-gate; return nil }))
		synctest.Wait()
		if err := process.Kill(ctx, target); err != nil {
			t.Error(err)
		}
		in(t, ctx, a, func(ctx context.Context) {
			if _, err := process.Name("target").Resolve(ctx); !errors.Is(err, explained) {
				t.Errorf("a name whose process is ending: %v, want it explained", err)
			}
		})
		close(gate)
		synctest.Wait()
		if err := call(a); !errors.Is(err, explained) || !errors.Is(err, process.ErrNoProc) {
			t.Errorf("call to the dead of a group: %v, want it explained", err)
		}
		if err := target.Gone("it"); !errors.Is(err, explained) || !errors.Is(err, process.ErrNoProc) {
			t.Errorf("one of a group that is gone: %v, want it explained", err)
		}
		if err := none.Gone("it"); errors.Is(err, explained) || !errors.Is(err, process.ErrNoProc) {
			t.Errorf("one of no group that is gone: %v, want a plain noproc", err)
		}
		in(t, ctx, a, func(ctx context.Context) {
			if _, err := process.Name("target").Resolve(ctx); !errors.Is(err, explained) {
				t.Errorf("a name that went with its group: %v, want it explained", err)
			}
			y.SetStopping(n, false)
			if _, err := process.Name("target").Resolve(ctx); errors.Is(err, explained) || !errors.Is(err, process.ErrNoProc) {
				t.Errorf("and when the group has stopped: %v, want a plain noproc", err)
			}
		})
	})
}

func TestStackAndInfo(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid := start(t, ctx, process.Spec{Name: "busy", Kind: "server"})
		if pid.Stack() != "" || pid.Info().Status != "idle" {
			t.Errorf("idle: %q %q", pid.Info().Status, pid.Stack())
		}
		gate := make(chan struct{})
		send(t, ctx, pid, do(func(context.Context, *script) error { <-gate; return nil }))
		send(t, ctx, pid, "waits")
		synctest.Wait()
		if s := pid.Stack(); !strings.Contains(s, "TestStackAndInfo") {
			t.Errorf("stack of a busy process: %q", s)
		}
		if i := pid.Info(); i.Status != "running" || i.Mailbox != 1 || i.Name != "busy" || i.Kind != "server" {
			t.Errorf("info %+v", i)
		}
		close(gate)
	})
}

// A crash makes one report, after Terminate and before anybody is told.
func TestCrashReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &processtest.Recorder{Kinds: process.Crashed | process.Exited | process.Warned}
		ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
		pid := start(t, ctx, process.Spec{Name: "victim", Behaviour: &script{terminate: func(ctx context.Context, _ error) error {
			process.Emit(ctx, process.Event{Kind: process.Warned, Text: "terminate"})
			return nil
		}}})
		send(t, ctx, pid, do(func(context.Context, *script) error { panic(errBoom) }))
		wantReason(t, ctx, pid, errBoom)
		got := rec.Events(0)
		if len(got) != 3 || got[0].Text != "terminate" || got[1].Kind != process.Crashed || got[2].Kind != process.Exited {
			t.Fatalf("events %v, want Terminate, one report, the end", got)
		}
		r := got[1].Detail.(*process.CrashReport)
		if r.PID.Path() != "victim" || r.Panic == nil || !strings.Contains(r.Message, "process_test.do") || got[1].Level != process.LevelError {
			t.Errorf("report %+v", r)
		}
		for _, reason := range []error{nil, process.ErrShutdown, process.Shutdown(errBoom)} {
			pid := start(t, ctx, process.Spec{})
			send(t, ctx, pid, process.End(reason))
			wantReason(t, ctx, pid, reason)
		}
		if n := len(rec.Events(process.Crashed)); n != 1 {
			t.Errorf("%d reports, want none for clean ends", n-1)
		}
	})
}

// However a process crashes, it is reported: by leaving Terminate by Exit, and
// by a panic even with what would be a clean reason.
func TestEveryCrashIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &processtest.Recorder{Kinds: process.Crashed}
		ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
		pid := start(t, ctx, process.Spec{Behaviour: &script{terminate: func(ctx context.Context, _ error) error {
			process.Exit(ctx, errBoom)
			return nil
		}}})
		send(t, ctx, pid, process.End(nil))
		wantReason(t, ctx, pid, errBoom)
		pid = start(t, ctx, process.Spec{})
		send(t, ctx, pid, do(func(context.Context, *script) error { panic(process.ErrShutdown) }))
		wantReason(t, ctx, pid, process.ErrShutdown)
		if got := rec.Events(0); len(got) != 2 {
			t.Errorf("%d reports, want 2: %v", len(got), got)
		}
	})
}

// Who looks from outside sees how much waits, also of what has been taken out of
// the queue in one go.
func TestMailboxSeenFromOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		step := make(chan struct{})
		pid := start(t, ctx, process.Spec{})
		const n = 300
		for range n {
			if err := process.Send(ctx, pid, do(func(context.Context, *script) error { <-step; return nil })); err != nil {
				t.Fatal(err)
			}
		}
		for handled := range n {
			synctest.Wait()
			i := pid.Info()
			waiting := n - handled - 1
			if handled == 0 && i.Mailbox != waiting || i.Mailbox < waiting || i.Mailbox >= waiting+16 || waiting < 64 && i.Mailbox != waiting {
				t.Fatalf("in the handler of message %d, %d wait: want %d, or a few more while there are many", handled+1, i.Mailbox, waiting)
			}
			if int(i.Taken)+i.Mailbox != n {
				t.Fatalf("%d taken and %d waiting, of %d", i.Taken, i.Mailbox, n)
			}
			step <- struct{}{}
		}
	})
}
