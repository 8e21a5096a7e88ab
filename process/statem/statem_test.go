package statem_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/statem"
)

var errBoom = errors.New("boom")

// bubble runs a test on a node of its own in fake time.
func bubble(t *testing.T, f func(ctx context.Context, t *testing.T)) {
	synctest.Test(t, func(t *testing.T) { f(newNode(t), t) })
}

// GST-03: Start returns before the first Enter and what Init asked for.
func TestStartReturnsBeforeEnter(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		release := make(chan struct{})
		s := &script{enter: map[string]func(*turn) error{"a": func(*turn) error { <-release; return nil }}}
		m := s.machine(t, func(sp *spec) {
			sp.Init = func(t *turn) (string, *script, error) {
				t.Insert("i")
				t.Timeout("x", 0, "zero")
				t.Timeout(statem.StateTimeout, 20*ms, "late")
				return "a", s, nil
			}
		})
		ref, err := m.Start(ctx) // would hang if it waited for Enter
		if err != nil {
			t.Fatal(err)
		}
		ref.Cast(ctx, "mail")
		close(release)
		time.Sleep(time.Second)
		synctest.Wait()
		wantLines(t, "what Init asked for comes before the mailbox", s.log.take(),
			"a enter from a", "a i", "a zero", "a mail", "a late")
	})
}

// A message that reaches the name while Init runs does not overtake the start.
func TestMessageDuringInit(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		s := &script{enter: map[string]func(*turn) error{}}
		m := s.machine(t, func(sp *spec) {
			sp.Name = "early"
			sp.Init = func(t *turn) (string, *script, error) {
				t.Insert("i")
				return "a", s, process.Send(t.Context(), process.Self(t.Context()), "mail")
			}
		})
		if _, err := m.Start(ctx); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantLines(t, "the start comes first", s.log.take(), "a enter from a", "a i", "a mail")
	})
}

func TestInitFails(t *testing.T) {
	for name, c := range map[string]struct {
		init func(*turn) (string, *script, error)
		want error
	}{
		"an error":             {func(*turn) (string, *script, error) { return "a", nil, errBoom }, errBoom},
		"ignore":               {func(*turn) (string, *script, error) { return "a", nil, process.ErrIgnore }, process.ErrIgnore},
		"a state not in First": {func(*turn) (string, *script, error) { return "b", nil, nil }, statem.ErrMisuse},
		"postpone in Init":     {func(t *turn) (string, *script, error) { t.Postpone(); return "a", nil, nil }, statem.ErrMisuse},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(ctx context.Context, t *testing.T) {
				s := &script{}
				m := s.machine(t, func(sp *spec) { sp.Name, sp.Init = "taken", c.init })
				for range 2 { // the name is free again
					if _, err := m.Start(ctx); !errors.Is(err, c.want) {
						t.Errorf("Start returned %v, want %v", err, c.want)
					}
				}
			})
		})
	}
}

func TestStartWithoutInit(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		s := &script{}
		m := s.machine(t, func(sp *spec) { sp.Init = nil })
		if _, err := m.Start(ctx); err == nil || !strings.Contains(err.Error(), "With") {
			t.Errorf("Start returned %v, want the cure", err)
		}
		m = m.Named("x").With(func(*turn) (string, *script, error) { return "a", s, nil })
		ref, err := m.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if pid, _ := process.Whereis(ctx, "x"); pid != ref.PID() {
			t.Errorf("x is %v, want %v", pid, ref)
		}
		var taken *process.AlreadyStartedError
		if _, err := m.Start(ctx); !errors.As(err, &taken) || taken.PID != ref.PID() {
			t.Errorf("a second start returned %v, want that the name is taken", err)
		}
	})
}

// How a process of a machine ends, and what its handlers get to see of it.
func TestEnds(t *testing.T) {
	stop := func(reason error, ask ...func(*turn)) func(*turn) (string, error) {
		return func(t *turn) (string, error) { s, _ := to("a", ask...)(t); return s, statem.Stop(reason) }
	}
	enter := map[string]func(*turn) error{}
	for _, c := range []struct {
		name  string
		on    on
		enter map[string]func(*turn) error
		send  string
		want  error
		log   []string
	}{
		{
			name: "GST-07: stop is a normal end",
			on:   on{"a die": stop(nil)}, send: "die x",
			log: []string{"a die", "terminate in a: <nil>"},
		}, {
			name: "stop with a reason",
			on:   on{"a die": stop(errBoom)}, send: "die x", want: errBoom,
			log: []string{"a die", "terminate in a: boom"},
		}, {
			name: "an error is a reason",
			on:   on{"a die": func(*turn) (string, error) { return "b", errBoom }}, send: "die", want: errBoom,
			log: []string{"a die", "terminate in a: boom"},
		}, {
			name:  "GST-10: stop in Enter",
			on:    on{"a go": to("b")},
			enter: map[string]func(*turn) error{"b": func(*turn) error { return statem.Stop(errBoom) }}, send: "go", want: errBoom,
			log: []string{"a enter from a", "a go", "b enter from a", "terminate in b: boom"},
		}, {
			name:  "GST-10: postpone in Enter",
			on:    on{"a go": to("b")},
			enter: map[string]func(*turn) error{"b": entering(postpone)}, send: "go", want: statem.ErrMisuse,
			log: []string{"a enter from a", "a go", "b enter from a", "terminate in b: statem: misuse: Postpone in Enter"},
		}, {
			name:  "GST-10: insert in Enter",
			on:    on{"a go": to("b")},
			enter: map[string]func(*turn) error{"b": entering(insert("i"))}, send: "go", want: statem.ErrMisuse,
			log: []string{"a enter from a", "a go", "b enter from a", "terminate in b: statem: misuse: Insert in Enter"},
		}, {
			name: "a state that the row does not list",
			on:   on{"a go": to("nowhere")}, enter: enter, send: "go x", want: statem.ErrMisuse,
			log: []string{"a enter from a", "a go", "terminate in a: statem: misuse: state a returned nowhere, which its To does not list"},
		}, {
			name: "repeat and another state",
			on:   on{"a go": to("b", repeat)}, send: "go", want: statem.ErrMisuse,
			log: []string{"a go", "terminate in a: statem: misuse: state a asked for Repeat and returned another state, b"},
		}, {
			name: "a panic",
			on:   on{"a go": func(*turn) (string, error) { panic(errBoom) }}, send: "go", want: errBoom,
			log: []string{"a go", "terminate in a: panic: boom"},
		}, {
			name: "process.Exit",
			on:   on{"a go": func(t *turn) (string, error) { process.Exit(t.Context(), errBoom); return "a", nil }}, send: "go", want: errBoom,
			log: []string{"a go", "terminate in a: boom"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(ctx context.Context, t *testing.T) {
				s := &script{on: c.on, enter: c.enter}
				ref := s.run(ctx, t, s.machine(t, withTerminate), []string{c.send})
				wantEnd(ctx, t, ref, c.want)
				wantLines(t, c.name, s.log.take(), c.log...)
			})
		})
	}
}

// GST-28, 29: the parent's exit reaches Terminate of a machine that traps, and
// ends one that does not without a word.
func TestParentsExit(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		s, quiet := &script{}, &script{}
		trapping := s.run(ctx, t, s.machine(t, withTerminate), nil)
		plain := quiet.run(ctx, t, quiet.machine(t), nil)
		for _, pid := range []process.PID{trapping.PID(), plain.PID()} {
			if err := process.SendExit(ctx, pid, process.ErrShutdown); err != nil { // the node's root is the parent
				t.Fatal(err)
			}
		}
		wantEnd(ctx, t, trapping, process.ErrShutdown)
		wantEnd(ctx, t, plain, process.ErrShutdown)
		wantLines(t, "Terminate of the one that traps", s.log.take(), "terminate in a: shutdown")
	})
}

// What was sent before the parent's exit is handled before it, with all that
// is inserted.
func TestToldToStop(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		s := &script{on: on{"a 1": to("a", insert("i"))}}
		ref := s.run(ctx, t, s.machine(t, withTerminate), nil)
		ref.Cast(ctx, "hold")
		ref.Cast(ctx, "1")
		process.SendExit(ctx, ref, process.ErrShutdown)
		ref.Cast(ctx, "2")
		synctest.Wait()
		s.gate <- struct{}{}
		wantEnd(ctx, t, ref, process.ErrShutdown)
		wantLines(t, "order of the mailbox", s.log.take(), "a 1", "a i", "terminate in a: shutdown")
	})
}

// A machine that was killed in a handler handles nothing that it had inserted.
func TestKilled(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		gate := make(chan struct{})
		s := &script{on: on{"a 1": func(t *turn) (string, error) { t.Insert("i"); <-gate; return "a", nil }}}
		m := s.machine(t, withTerminate)
		ref, err := m.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ref.Cast(ctx, "1")
		synctest.Wait()
		process.Kill(ctx, ref)
		close(gate)
		wantEnd(ctx, t, ref, process.ErrKilled)
		synctest.Wait()
		wantLines(t, "nothing after the kill, and no Terminate", s.log.take(), "a 1")
	})
}

// GST-28: exits of others are events, if the machine has an event for them.
func TestTrappedExit(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		s := &script{on: on{"a spawn": func(t *turn) (string, error) {
			_, err := process.Go(t.Context(), func(context.Context) error { return errBoom })
			return "a", err
		}}}
		ref := s.run(ctx, t, s.machine(t, withTerminate, func(sp *spec) {
			sp.Exit = func(x process.ExitSignal) string { return fmt.Sprint("exit ", x.Reason) }
		}), []string{"spawn"})
		if !ref.PID().Alive() {
			t.Error("the machine died of an exit that it traps")
		}
		wantLines(t, "the exit is an event", s.log.take(), "a spawn", "a exit boom")
	})
}

func TestTrappedExitWithoutEvent(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		s := &script{on: on{
			"a fine": func(t *turn) (string, error) {
				_, err := process.Go(t.Context(), func(context.Context) error { return nil })
				return "a", err
			},
			"a boom": func(t *turn) (string, error) {
				_, err := process.Go(t.Context(), func(context.Context) error { return errBoom })
				return "a", err
			},
		}}
		ref := s.run(ctx, t, s.machine(t, withTerminate), []string{"fine", "boom"})
		wantEnd(ctx, t, ref, errBoom)
		lines := s.log.take()
		wantLines(t, "a clean exit is nothing, another one ends it", lines[:2], "a fine", "a boom")
		if len(lines) != 3 || !strings.HasPrefix(lines[2], "terminate in a: ") {
			t.Errorf("after that came %q, want Terminate", lines[2:])
		}
	})
}

func TestMonitor(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		s := &script{on: on{"a watch": func(t *turn) (string, error) {
			_, err := statem.Monitor(t.Context(), process.Name("other"), func(d process.Down) string {
				return fmt.Sprintf("down %s %v", d.Name, d.Reason)
			})
			return "a", err
		}}}
		other := (&script{}).machine(t).Named("other")
		o, err := other.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		s.run(ctx, t, s.machine(t), []string{"watch"})
		process.Kill(ctx, o)
		synctest.Wait()
		wantLines(t, "the death is an event", s.log.take(), "a watch", "a down other killed")

		_, err = statem.Monitor(ctx, o, func(process.Down) string { return "" })
		if err == nil {
			t.Error("Monitor on behalf of a process that is no such machine was not refused")
		}
	})
}

// OTP's D2: a zero time-out that is started again with a delay, before it came,
// is lost there, and its timer's message leaks to the machine as one that
// nobody expected. Here it comes once, when it is due, and nothing else does.
func TestZeroTimeoutStartedAgain(t *testing.T) {
	for _, which := range []statem.Timeout{statem.EventTimeout, statem.StateTimeout, "x"} {
		t.Run(string(which), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reports := &processtest.Recorder{}
				ctx := processtest.Node(t, process.NodeSpec{Probe: reports})
				s := &script{on: on{
					"a go": to("a", set("first", 0, "i"), set(which, 0, "zero")),
					"a i":  to("a", set(which, 20*ms, "late")),
				}}
				s.run(ctx, t, s.machine(t), []string{"go", "19ms"})
				wantLines(t, "before it is due", s.log.take(), "a go", "a i")
				time.Sleep(time.Second)
				wantLines(t, "when it is due", s.log.take(), "a late")
				if seen := reports.Events(0); len(seen) > 0 {
					t.Errorf("reported: %v", seen)
				}
			})
		})
	}
}

// GST-32: the report of a crash has the state, the event in hand, and what
// waits.
func TestCrashReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports := &processtest.Recorder{}
		ctx := processtest.Node(t, process.NodeSpec{Probe: reports})
		s := &script{on: on{
			"a later": to("a", postpone),
			"a arm":   to("a", set("x", time.Hour, ""), set(state, time.Hour, "")),
			"a go":    to("b", insert("die", "next")),
			"b later": to("b", postpone),
			"b die":   func(*turn) (string, error) { return "b", errBoom },
		}}
		s.run(ctx, t, s.machine(t, func(sp *spec) { sp.Inspect = func(*script) any { return "data" } }),
			[]string{"later arm", "go mail"})
		crashes := reports.Events(process.Crashed)
		if len(crashes) != 1 {
			t.Fatalf("%d crashes were reported, want one", len(crashes))
		}
		r := crashes[0].Detail.(*process.CrashReport)
		const want = `{State:"b" Data:"data" Event:"die" Next:["next" "later"] Postponed:[] Timeouts:["x"]}`
		if r.State != want || r.Reason != errBoom {
			t.Errorf("reported %s with %v\nwant %s", r.State, r.Reason, want)
		}
	})
}

func TestUnexpectedMessage(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		seen := make(chan process.Event, 1)
		node := process.NewNode(process.NodeSpec{Probe: probe{process.Warned, seen}})
		defer node.Stop(ctx)
		s := &script{}
		ref, err := s.machine(t).Start(node.Context())
		if err != nil {
			t.Fatal(err)
		}
		process.Send(node.Context(), ref.PID(), 42)
		if e := <-seen; e.Msg != 42 || e.PID != ref.PID() {
			t.Errorf("reported %+v, want the message 42 to %v", e, ref)
		}
		if !ref.PID().Alive() {
			t.Error("a message that nobody expected ended the machine")
		}
	})
}

// A change of state can be watched, in one place.
func TestChangeIsTold(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		seen := make(chan process.Event, 1)
		node := process.NewNode(process.NodeSpec{Probe: probe{process.Changed, seen}})
		defer node.Stop(ctx)
		s := &script{on: on{"a go": to("b")}}
		ref, err := s.machine(t).Start(node.Context())
		if err != nil {
			t.Fatal(err)
		}
		ref.Cast(node.Context(), "go")
		got := map[string]any{}
		(<-seen).Detail.Each(func(k string, v any) { got[k] = v })
		if got["from"] != "a" || got["to"] != "b" {
			t.Errorf("told %v, want from a to b", got)
		}
	})
}

type probe struct {
	kind process.Kind
	seen chan process.Event
}

func (p probe) Wants() process.Kind   { return p.kind }
func (p probe) Event(e process.Event) { p.seen <- e }

func TestAs(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		s := &script{}
		ref := s.run(ctx, t, s.machine(t), nil)
		if got, err := statem.As[string](ref.PID()); got != ref || err != nil {
			t.Errorf("As[string] = %v, %v; want %v", got, err, ref)
		}
		if _, err := statem.As[int](ref.PID()); err == nil || !strings.Contains(err.Error(), "int") {
			t.Errorf("As[int] of a machine of strings: %v, want a refusal that names int", err)
		}
		process.Kill(ctx, ref)
		process.Wait(ctx, ref)
		if _, err := statem.As[string](ref.PID()); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("As of a dead process: %v, want %v", err, process.ErrNoProc)
		}
	})
}

// A Turn that outlives its handler says so, instead of asking for things in
// the name of another event.
func TestTurnKept(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		var kept *turn
		s := &script{on: on{"a keep": func(t *turn) (string, error) { kept = t; return "a", nil }}}
		s.run(ctx, t, s.machine(t), []string{"keep"})
		defer func() {
			if recover() == nil {
				t.Error("a Turn was used after its handler, and nobody noticed")
			}
		}()
		kept.Postpone()
	})
}

// The process is where crash reports say it was started.
func TestSpawner(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		m := (&script{}).machine(t)
		ref, err := m.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := m.StartFunc()(ctx)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := m.StartUnlinked(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer process.Stop(ctx, alone, nil)
		for _, pid := range []process.PID{ref.PID(), pid, alone.PID()} {
			if got := pid.Spawner(); !strings.Contains(got, "statem_test.go") {
				t.Errorf("%v was started at %q, want this file", pid, got)
			}
		}
	})
}
