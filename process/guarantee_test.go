package process_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// The guarantees of the package doc, by number.

func TestGuarantee1SignalsArriveInTheOrderSent(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		b := start(t, ctx, process.Spec{TrapExit: true})
		a := start(t, ctx, process.Spec{})
		in(t, ctx, b, func(ctx context.Context) {
			if _, err := process.Monitor(ctx, a, "watched"); err != nil {
				t.Error(err)
			}
			if err := process.Link(ctx, a); err != nil {
				t.Error(err)
			}
		})
		send(t, ctx, a, do(func(ctx context.Context, _ *script) error {
			for i := range 100 {
				send(t, ctx, b, i)
			}
			if err := process.SendExit(ctx, b, errBoom); err != nil {
				t.Error(err)
			}
			send(t, ctx, b, "last")
			return errBoom
		}))
		synctest.Wait()
		got := kept(t, ctx, b)
		for i := range 100 {
			if got[i] != i {
				t.Fatalf("message %d is %v", i, got[i])
			}
		}
		if len(got) != 104 {
			t.Fatalf("%d things arrived, want 100 messages, an exit signal, a message, an exit and a down: %v", len(got), got[100:])
		}
		if x, ok := got[100].(*process.ExitSignal); !ok || x.From != a || x.Reason != errBoom {
			t.Errorf("then %v, want the exit signal of SendExit", got[100])
		}
		if got[101] != "last" {
			t.Errorf("then %v, want the last message", got[101])
		}
		if len(exits(got[102:])) != 1 || len(downs(got[102:])) != 1 {
			t.Errorf("then %v, want one exit and one down", got[102:])
		}
	})
}

func TestGuarantee2SendingNeverBlocksNorLoses(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		free := start(t, ctx, process.Spec{})
		tight := start(t, ctx, process.Spec{Limit: 3, TrapExit: true})
		gate := make(chan struct{})
		for _, pid := range []process.PID{free, tight} {
			send(t, ctx, pid, do(func(context.Context, *script) error { <-gate; return nil }))
		}
		synctest.Wait()
		const many = 10_000
		for i := range many {
			send(t, ctx, free, i)
		}
		for i := range 5 {
			err := process.Send(ctx, tight, i)
			if full := i >= 3; errors.Is(err, process.ErrMailboxFull) != full {
				t.Errorf("message %d to a mailbox with limit 3: %v", i, err)
			}
		}
		if err := process.Do(ctx, tight, &take{}); !errors.Is(err, process.ErrMailboxFull) {
			t.Errorf("call to a full mailbox: %v, want %v", err, process.ErrMailboxFull)
		}
		// Signals are never refused.
		in(t, ctx, start(t, ctx, process.Spec{}), func(ctx context.Context) {
			if err := process.SendExit(ctx, tight, errBoom); err != nil {
				t.Errorf("exit signal to a full mailbox: %v", err)
			}
		})
		close(gate)
		synctest.Wait()
		if got := kept(t, ctx, free); len(got) != many {
			t.Errorf("%d of %d messages arrived", len(got), many)
		}
		if got := kept(t, ctx, tight); len(got) != 4 || len(exits(got)) != 1 {
			t.Errorf("%v arrived in the tight mailbox, want 3 messages and an exit", got)
		}
		send(t, ctx, tight, "room again")
	})
}

func TestGuarantee3LinksAndMonitorsFireOnce(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		w := start(t, ctx, process.Spec{TrapExit: true})
		a := start(t, ctx, process.Spec{Name: "a"})
		in(t, ctx, w, func(ctx context.Context) {
			for range 3 { // linking again changes nothing; each monitor is one of its own
				if err := process.Link(ctx, a); err != nil {
					t.Error(err)
				}
			}
			for i := range 2 {
				if _, err := process.Monitor(ctx, process.Name("a"), i); err != nil {
					t.Error(err)
				}
			}
		})
		send(t, ctx, a, errBoom)
		synctest.Wait()
		got := kept(t, ctx, w)
		if x := exits(got); len(x) != 1 || x[0].Reason != errBoom || x[0].From != a {
			t.Errorf("exits %v, want one", x)
		}
		if d := downs(got); len(d) != 2 || d[0].Reason != errBoom || d[0].Name != "a" || d[0].Tag == d[1].Tag {
			t.Errorf("downs %v, want one for each monitor", d)
		}
		// A dead target is answered, not passed over.
		in(t, ctx, w, func(ctx context.Context) {
			if _, err := process.Monitor(ctx, a, "dead"); err != nil {
				t.Error(err)
			}
			if _, err := process.Monitor(ctx, process.Name("nobody"), "unknown"); err != nil {
				t.Error(err)
			}
			if err := process.Link(ctx, a); err != nil {
				t.Errorf("a process that traps links a dead one: %v, want an exit signal instead", err)
			}
		})
		got = kept(t, ctx, w)[3:]
		if d := downs(got); len(d) != 2 || d[0].Reason != process.ErrNoProc || d[1].Reason != process.ErrNoProc || d[1].Name != "nobody" {
			t.Errorf("downs %v, want two with noproc", d)
		}
		if x := exits(got); len(x) != 1 || x[0].Reason != process.ErrNoProc {
			t.Errorf("exits %v, want one with noproc", x)
		}
		plain := start(t, ctx, process.Spec{})
		in(t, ctx, plain, func(ctx context.Context) {
			if err := process.Link(ctx, a); !errors.Is(err, process.ErrNoProc) {
				t.Errorf("a process that does not trap links a dead one: %v", err)
			}
		})
	})
}

func TestGuarantee3NameIsFreeBeforeAnybodyLearns(t *testing.T) {
	// Not in a bubble: the point is what really runs at the same time.
	ctx := processtest.Context(t)
	for i := range 200 {
		a := start(t, ctx, process.Spec{Name: "shared"})
		b := start(t, ctx, process.Spec{TrapExit: true})
		free := make(chan error, 1)
		in(t, ctx, b, func(ctx context.Context) {
			if err := process.Link(ctx, a); err != nil {
				t.Error(err)
			}
		})
		send(t, ctx, a, errBoom)
		go func() { // the one who waits restarts it at once
			_, err := process.Wait(ctx, a)
			if err == nil {
				var pid process.PID
				if pid, err = process.Start(ctx, process.Spec{Name: "shared", Behaviour: &script{}}); err == nil {
					err = process.Stop(ctx, pid, nil)
				}
			}
			free <- err
		}()
		if err := <-free; err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if err := process.Stop(ctx, b, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGuarantee4StartIsOneStep(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		failing := map[string]struct {
			init func(context.Context) error
			want error
		}{
			"error":  {func(context.Context) error { return errBoom }, errBoom},
			"panic":  {func(context.Context) error { panic(errBoom) }, errBoom},
			"exit":   {func(ctx context.Context) error { process.Exit(ctx, errBoom); return nil }, errBoom},
			"ignore": {func(context.Context) error { return process.ErrIgnore }, process.ErrIgnore},
			"goexit": {func(context.Context) error { runtime.Goexit(); return nil }, process.ErrGoexit},
			"killed": {func(ctx context.Context) error {
				if err := process.Kill(ctx, process.Self(ctx)); err != nil {
					t.Error(err)
				}
				return nil
			}, process.ErrKilled},
		}
		for name, f := range failing {
			starter := start(t, ctx, process.Spec{TrapExit: true})
			in(t, ctx, starter, func(ctx context.Context) {
				_, err := process.Start(ctx, process.Spec{Name: "n", Behaviour: &script{init: f.init}})
				if !errors.Is(err, f.want) {
					t.Errorf("%s in Init: Start returned %v, want %v", name, err, f.want)
				}
				if _, taken := process.Whereis(ctx, "n"); taken {
					t.Errorf("%s in Init: the name is still taken", name)
				}
			})
			if got := kept(t, ctx, starter); len(got) != 0 {
				t.Errorf("%s in Init: besides the error the starter got %v", name, got)
			}
		}
	})
}

func TestGuarantee4InitDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		began := time.Now()
		_, err := process.Start(ctx, process.Spec{Name: "slow", Timeout: time.Second,
			Behaviour: &script{init: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}})
		if !errors.Is(err, process.ErrTimeout) || !strings.Contains(err.Error(), "slow") {
			t.Errorf("Start: %v, want a time-out that names the process", err)
		}
		if d := time.Since(began); d != time.Second {
			t.Errorf("after %v, want 1s", d)
		}
		start(t, ctx, process.Spec{Name: "slow"}) // the name is free
	})
}

func TestGuarantee5PanicEndsTheProcessOnly(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		for name, c := range map[string]struct {
			f    do
			want error
		}{
			"value":  {func(context.Context, *script) error { panic("at the disco") }, nil},
			"error":  {func(context.Context, *script) error { panic(errBoom) }, errBoom},
			"nil":    {func(context.Context, *script) error { panic(nil) }, nil},
			"map":    {func(context.Context, *script) error { write(nil); return nil }, nil},
			"goexit": {func(context.Context, *script) error { runtime.Goexit(); return nil }, process.ErrGoexit},
		} {
			pid := start(t, ctx, process.Spec{})
			send(t, ctx, pid, c.f)
			reason, err := process.Wait(ctx, pid)
			if err != nil {
				t.Fatal(err)
			}
			p, isPanic := errors.AsType[*process.PanicError](reason)
			if isPanic == (name == "goexit") || c.want != nil && !errors.Is(reason, c.want) {
				t.Errorf("%s: reason %v", name, reason)
			}
			if isPanic && !strings.Contains(p.StackText(), "guarantee_test.go") {
				t.Errorf("%s: the stack does not show where it was:\n%s", name, p.StackText())
			}
			if isPanic && strings.Contains(p.StackText(), "runtime.") {
				t.Errorf("%s: the stack shows the runtime's frames:\n%s", name, p.StackText())
			}
		}
	})
}

func write(m map[int]int) { m[1] = 1 }

func TestGuarantee6NothingActsForTheDead(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		b := start(t, ctx, process.Spec{TrapExit: true})
		a := start(t, ctx, process.Spec{})
		var of context.Context
		in(t, ctx, a, func(ctx context.Context) { of = ctx })
		derived, cancel := context.WithTimeout(of, time.Hour)
		defer cancel()
		if err := process.Kill(ctx, a); err != nil {
			t.Fatal(err)
		}
		wantReason(t, ctx, a, process.ErrKilled)
		for name, dead := range map[string]context.Context{"its ctx": of, "a derived ctx": derived} {
			for what, act := range map[string]func() error{
				"send":     func() error { return process.Send(dead, b, "from the dead") },
				"call":     func() error { return process.Do(dead, b, &take{}) },
				"start":    func() error { _, err := process.Start(dead, process.Spec{Behaviour: &script{}}); return err },
				"go":       func() error { _, err := process.Go(dead, func(context.Context) error { return nil }); return err },
				"link":     func() error { return process.Link(dead, b) },
				"monitor":  func() error { _, err := process.Monitor(dead, b, nil); return err },
				"exit":     func() error { return process.SendExit(dead, b, errBoom) },
				"kill":     func() error { return process.Kill(dead, b) },
				"wait":     func() error { _, err := process.Wait(dead, b); return err },
				"register": func() error { return process.Register(dead, "late", a) },
			} {
				if err := act(); !errors.Is(err, process.ErrKilled) && !errors.Is(err, process.ErrNoProc) {
					t.Errorf("%s with %s after the death: %v, want a refusal", what, name, err)
				}
			}
			if context.Cause(dead) != process.ErrKilled {
				t.Errorf("cause of %s is %v, want %v", name, context.Cause(dead), process.ErrKilled)
			}
		}
		synctest.Wait()
		if got := kept(t, ctx, b); len(got) != 0 {
			t.Errorf("of the dead arrived %v", got)
		}
	})
}

// A helper goroutine sends as fast as it can while its process is killed: after
// the Down nothing of it arrives.
func TestGuarantee6NothingArrivesAfterTheDown(t *testing.T) {
	ctx := processtest.Context(t)
	for range 50 {
		b := start(t, ctx, process.Spec{})
		a := start(t, ctx, process.Spec{Unlinked: true})
		in(t, ctx, b, func(ctx context.Context) {
			if _, err := process.Monitor(ctx, a, nil); err != nil {
				t.Error(err)
			}
		})
		var helpers sync.WaitGroup
		in(t, ctx, a, func(ctx context.Context) {
			for range 3 {
				helpers.Go(func() {
					for process.Send(ctx, b, "still here") == nil {
						runtime.Gosched()
					}
				})
			}
		})
		if err := process.Kill(ctx, a); err != nil {
			t.Fatal(err)
		}
		helpers.Wait()
		got := kept(t, ctx, b)
		for len(downs(got)) == 0 { // it comes, if not at once
			got = kept(t, ctx, b)
		}
		for i, m := range got {
			if _, down := m.(*process.Down); down && i != len(got)-1 {
				t.Fatalf("%d things of the dead arrived after its Down", len(got)-1-i)
			}
		}
		if len(downs(got)) != 1 {
			t.Fatalf("%d downs, want 1", len(downs(got)))
		}
		if err := process.Stop(ctx, b, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// Guarantee 7 is a table, and so is its test: what comes while a process sits
// in a handler that heeds its ctx only after two seconds.
func TestGuarantee7TheEndInsideAHandler(t *testing.T) {
	kill := func(ctx context.Context, p process.PID) error { return process.Kill(ctx, p) }
	exit := func(ctx context.Context, p process.PID) error { return process.SendExit(ctx, p, errBoom) }
	const sits, grace = 2 * time.Second, 10 * time.Second
	for _, row := range []struct {
		what       string
		trap       bool
		fromParent bool
		signal     func(context.Context, process.PID) error
		reason     error // nil: it lives on
		fenced     bool  // at once
		cancelled  bool
		terminate  bool
		callerTold time.Duration
	}{
		{"kill", false, false, kill, process.ErrKilled, true, true, false, 0},
		{"kill, trapping", true, true, kill, process.ErrKilled, true, true, false, 0},
		{"exit signal, not trapping", false, false, exit, errBoom, true, true, false, 0},
		{"exit of the parent, trapping", true, true, exit, errBoom, false, true, true, sits},
		{"exit of others, trapping", true, false, exit, nil, false, false, false, sits},
	} {
		t.Run(row.what, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				terminated := make(chan error, 1)
				parent := start(t, ctx, process.Spec{Name: "parent", TrapExit: true})
				stranger := start(t, ctx, process.Spec{})
				var p process.PID
				in(t, ctx, parent, func(ctx context.Context) {
					p = start(t, ctx, process.Spec{Name: "p", TrapExit: row.trap, Grace: grace, Behaviour: &script{
						terminate: func(ctx context.Context, reason error) error {
							if ctx.Err() != nil {
								t.Errorf("Terminate's ctx is cancelled")
							}
							terminated <- reason
							return nil
						}}})
				})
				var own context.Context
				told := make(chan time.Duration, 1)
				began := time.Now()
				go func() {
					_ = process.Do(ctx, p, &run{f: func(ctx context.Context, r *run) error { // the error is looked at below, by its time
						own = ctx
						time.Sleep(sits)
						r.Reply(nil, nil)
						return nil
					}})
					told <- time.Since(began)
				}()
				synctest.Wait()
				sender := stranger
				if row.fromParent {
					sender = parent
				}
				in(t, ctx, sender, func(ctx context.Context) {
					if err := row.signal(ctx, p); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				if err := process.Send(own, stranger, "x"); (err != nil) != row.fenced {
					t.Errorf("sending for it right after the signal: %v; fenced must be %v", err, row.fenced)
				}
				if cancelled := own.Err() != nil; cancelled != row.cancelled {
					t.Errorf("ctx cancelled: %v, want %v", cancelled, row.cancelled)
				}
				if _, taken := process.Whereis(ctx, "p"); taken == row.fenced {
					t.Errorf("found by name: %v", taken)
				}
				if d := <-told; d != row.callerTold {
					t.Errorf("its caller was told after %v, want %v", d, row.callerTold)
				}
				if row.reason == nil {
					time.Sleep(grace * 2)
					if !p.Alive() || len(exits(kept(t, ctx, p))) != 1 {
						t.Errorf("alive %v, want it to live on with the signal as a message", p.Alive())
					}
					return
				}
				reason, err := process.Wait(ctx, p)
				if err != nil || !errors.Is(reason, row.reason) {
					t.Errorf("ended with %v (%v), want %v", reason, err, row.reason)
				}
				if d := time.Since(began); d != sits {
					t.Errorf("watchers were told after %v, want when the handler returned, after %v", d, sits)
				}
				if (len(terminated) == 1) != row.terminate {
					t.Errorf("Terminate ran: %v, want %v", len(terminated) == 1, row.terminate)
				}
			})
		})
	}
}

func TestGuarantee7Abandonment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &processtest.Recorder{}
		ctx := processtest.Node(t, process.NodeSpec{Probe: rec, Grace: time.Second})
		n, _ := process.NodeOf(ctx)
		w := start(t, ctx, process.Spec{})
		deaf := start(t, ctx, process.Spec{Name: "deaf"})
		in(t, ctx, w, func(ctx context.Context) {
			if _, err := process.Monitor(ctx, deaf, nil); err != nil {
				t.Error(err)
			}
		})
		release := make(chan struct{})
		var late error
		send(t, ctx, deaf, do(func(ctx context.Context, _ *script) error {
			<-release
			late = process.Send(ctx, w, "late")
			return nil
		}))
		synctest.Wait()
		began := time.Now()
		if err := process.Kill(ctx, deaf); err != nil {
			t.Fatal(err)
		}
		if reason, err := process.Wait(ctx, deaf); reason != process.ErrKilled || err != nil {
			t.Errorf("ended with %v, %v", reason, err)
		}
		if d := time.Since(began); d != time.Second {
			t.Errorf("given up after %v, want its Grace of 1s", d)
		}
		again := start(t, ctx, process.Spec{Name: "deaf"}) // it is replaced meanwhile
		if got := n.Abandoned(); !slices.Equal(got, []process.PID{deaf}) || deaf.Info().Status != "abandoned" {
			t.Errorf("abandoned %v (%s), want %v listed", got, deaf.Info().Status, deaf)
		}
		reports := rec.Events(process.Abandoned)
		if len(reports) != 1 || !strings.Contains(reports[0].Detail.(*process.AbandonReport).Stack, "guarantee_test.go") {
			t.Errorf("reports %v, want one with the stack of the handler", reports)
		}
		close(release)
		synctest.Wait()
		if !errors.Is(late, process.ErrKilled) {
			t.Errorf("the abandoned goroutine sent: %v, want %v", late, process.ErrKilled)
		}
		if len(n.Abandoned()) != 0 {
			t.Errorf("still listed after its goroutine has returned")
		}
		if got := kept(t, ctx, w); len(got) != 1 || len(downs(got)) != 1 {
			t.Errorf("the watcher got %v, want one Down", got)
		}
		if !again.Alive() {
			t.Error("the return of the abandoned goroutine touched its successor")
		}
	})
}

// A handler that is not blocked has its Grace twice: on a busy machine it may
// just not have had its turn. After that it is abandoned like any other.
func TestGuarantee7GraceOfTheRunning(t *testing.T) {
	rec := &processtest.Recorder{}
	ctx := processtest.Node(t, process.NodeSpec{Probe: rec, Grace: 20 * time.Millisecond})
	var stop atomic.Bool
	spinning := make(chan struct{})
	pid := start(t, ctx, process.Spec{})
	send(t, ctx, pid, do(func(context.Context, *script) error {
		close(spinning)
		for !stop.Load() {
			continue
		}
		return nil
	}))
	<-spinning
	began := time.Now()
	if err := process.Kill(ctx, pid); err != nil {
		t.Fatal(err)
	}
	if reason, err := process.Wait(ctx, pid); reason != process.ErrKilled || err != nil {
		t.Errorf("ended with %v, %v", reason, err)
	}
	if d := time.Since(began); d < 40*time.Millisecond {
		t.Errorf("given up after %v, want twice its Grace at least", d)
	}
	if n := len(rec.Events(process.Abandoned)); n != 1 {
		t.Errorf("%d reports, want 1", n)
	}
	stop.Store(true)
	n, _ := process.NodeOf(ctx)
	for len(n.Abandoned()) > 0 {
		runtime.Gosched()
	}
}

func TestGuarantee8DeathDropsStateAndMailbox(t *testing.T) {
	ctx := processtest.Context(t)
	collected := make(chan string, 2)
	pid := func() process.PID {
		state, msg := &script{kept: make([]any, 1000)}, &struct{ b [1000]byte }{}
		runtime.AddCleanup(state, func(s string) { collected <- s }, "state")
		runtime.AddCleanup(msg, func(s string) { collected <- s }, "message")
		pid := start(t, ctx, process.Spec{Behaviour: state})
		gate := make(chan struct{})
		send(t, ctx, pid, do(func(context.Context, *script) error { <-gate; return errBoom }))
		send(t, ctx, pid, msg)
		close(gate)
		if _, err := process.Wait(ctx, pid); err != nil {
			t.Fatal(err)
		}
		return pid
	}()
	deadline := time.After(10 * time.Second)
	for range 2 {
		for got := ""; got == ""; {
			runtime.GC()
			select {
			case got = <-collected:
			case <-deadline:
				t.Fatal("state and mailbox of a dead process are still held")
			default:
			}
		}
	}
	runtime.KeepAlive(pid)
}

func TestGuarantee9NodesAreWorldsOfTheirOwn(t *testing.T) {
	before := runtime.NumGoroutine()
	var nodes []context.Context
	for i := range 10 {
		ctx := processtest.Node(t, process.NodeSpec{Name: fmt.Sprint("node", i)})
		nodes = append(nodes, ctx)
		for range 100 {
			pid := start(t, ctx, process.Spec{})
			send(t, ctx, pid, "hello")
			if got := kept(t, ctx, pid); len(got) != 1 {
				t.Fatal(got)
			}
		}
		start(t, ctx, process.Spec{Name: "same name everywhere"})
	}
	for i := 0; runtime.NumGoroutine() > before; i++ { // the last ones are just leaving
		if i > 1e6 {
			t.Fatalf("%d goroutines for 1010 idle processes, want none", runtime.NumGoroutine()-before)
		}
		runtime.Gosched()
	}
	n, _ := process.NodeOf(nodes[0])
	if err := n.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := process.Start(nodes[0], process.Spec{Behaviour: &script{}}); !errors.Is(err, process.ErrNodeStopped) {
		t.Errorf("start on a stopped node: %v", err)
	}
	if len(n.Processes()) != 0 {
		t.Errorf("left after Stop: %v", n.Processes())
	}
	if _, ok := process.Whereis(nodes[1], "same name everywhere"); !ok {
		t.Error("stopping one node touched another")
	}
}

// The count of the issue: every exit and every down of ten thousand deaths at
// once arrives.
func TestTenThousandDeaths(t *testing.T) { bubble(t, tenThousandDeaths) }

func tenThousandDeaths(t *testing.T, ctx context.Context) {
	const n = 10_000
	w := start(t, ctx, process.Spec{TrapExit: true})
	pids := make([]process.PID, n)
	for i := range pids {
		pids[i] = start(t, ctx, process.Spec{Unlinked: true})
	}
	in(t, ctx, w, func(ctx context.Context) {
		for _, pid := range pids {
			if err := process.Link(ctx, pid); err != nil {
				t.Error(err)
			}
			if _, err := process.Monitor(ctx, pid, nil); err != nil {
				t.Error(err)
			}
		}
	})
	var killers sync.WaitGroup
	for k := range 8 {
		killers.Go(func() {
			for i := k; i < n; i += 8 {
				if err := process.SendExit(ctx, pids[i], errBoom); err != nil {
					t.Error(err)
				}
			}
		})
	}
	killers.Wait()
	synctest.Wait()
	got := kept(t, ctx, w)
	seen := make(map[process.PID]int, n)
	for _, m := range got {
		switch m := m.(type) {
		case *process.ExitSignal:
			seen[m.From]++
		case *process.Down:
			seen[m.PID] += 100
		}
	}
	for _, pid := range pids {
		if seen[pid] != 101 {
			t.Fatalf("%v: %d downs, %d exits, want one each", pid, seen[pid]/100, seen[pid]%100)
		}
	}
	if len(got) != 2*n {
		t.Errorf("%d signals arrived, want %d", len(got), 2*n)
	}
}
