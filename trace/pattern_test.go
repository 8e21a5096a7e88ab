package trace

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/process"
)

// An envelope carries a message, as those of package server do.
type envelope struct{ msg any }

func (e envelope) Message() any { return e.msg }

func TestPattern(t *testing.T) {
	long := func(m greet) bool { return len(m.Name) > 3 }
	noteA := MatchNote(func(m greet) (string, bool) { return "a", m.Name == "ann" })
	noteB := MatchNote(func(m greet) (string, bool) { return "b", true })
	tests := []struct {
		name string
		p    Pattern
		msg  any
		note string
		ok   bool
	}{
		{"zero", Pattern{}, greet{}, "", true},
		{"accepted", Match(long), greet{"long"}, "", true},
		{"refused", Match(long), greet{"ann"}, "", false},
		{"sent as a pointer", Match(long), &greet{"long"}, "", true},
		{"nil pointer", Match(long), (*greet)(nil), "", false},
		{"in an envelope", Match(long), envelope{&greet{"long"}}, "", true},
		{"another type", Match(long), divide{}, "", false},
		{"no message", Match(long), nil, "", false},
		{"any of a type", Match[greet](nil), greet{}, "", true},
		{"an interface", Match(func(interface{ do(context.Context) error }) bool { return true }), relay{}, "", true},
		{"the first that accepts", noteA.Or(noteB), greet{"ann"}, "a", true},
		{"else the second", noteA.Or(noteB), greet{"bob"}, "b", true},
		{"or zero", noteA.Or(Pattern{}), greet{"bob"}, "", false},
		{"zero or", Pattern{}.Or(noteA), greet{"bob"}, "", false},
		{"long note", MatchNote(func(greet) (string, bool) { return strings.Repeat("x", 2*maxLine), true }), greet{},
			strings.Repeat("x", maxLine-len("…")) + "…", true},
	}
	for _, tt := range tests {
		note, ok, err := tt.p.accepts(&process.Event{Kind: process.Sent, Msg: tt.msg})
		if note != tt.note || ok != tt.ok || err != nil {
			t.Errorf("%s: got %q, %v, %v; want %q, %v", tt.name, note, ok, err, tt.note, tt.ok)
		}
	}
	if _, ok, _ := Match[greet](nil).accepts(&process.Event{Kind: process.Handled, Msg: greet{}}); ok {
		t.Error("what was handled is looked at, when it may be another's")
	}
}

// A pattern that panics ends its own stream: not the process that it is called
// in, and no other stream.
func TestPatternPanics(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		bad, _ := streaming(t, node, StreamSpec{Match: Match(func(m divide) bool { return m.A/m.B > 0 })})
		good, out := streaming(t, node, StreamSpec{Kinds: process.Sent})
		pid := startWorker(t, node.Context(), "worker")
		send(t, node.Context(), pid, divide{1, 1})
		synctest.Wait()
		send(t, node.Context(), pid, &divide{1, 0})
		end, err := bad.Wait(context.Background())
		if err != nil || end.Why != ByPattern || end.Events != 2 || end.Err == nil || !strings.Contains(end.Err.Error(), "divide by zero") {
			t.Errorf("the stream ended with %+v, %v; want the panic", end, err)
		}
		if _, err := good.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), `"sent"`); n != 2 {
			t.Errorf("the other stream has %d sendings, want 2", n)
		}
		if r := log.only(t); r[fieldReason] != "panic: runtime error: integer divide by zero" {
			t.Errorf("reported: %v, want only that the worker itself crashed", r)
		}
	})
}

// A secret of a sensitive process is not shown to a pattern either.
func TestPatternSeesNoSecrets(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		pid := startWorker(t, node.Context(), "worker")
		send(t, node.Context(), pid, do(func(ctx context.Context) error { process.SetSensitive(ctx, true); return nil }))
		synctest.Wait()
		asked := false
		got := during(t, node, StreamSpec{Match: Match(func(greet) bool { asked = true; return true })}, func() {
			send(t, node.Context(), pid, greet{canary})
		})
		if asked || len(got) != 0 {
			t.Errorf("the pattern was asked: %v; lines: %v", asked, got)
		}
	})
}

// A pattern may hold a switch that messages turn, as OTP's {silent, Bool} does.
func TestPatternAsSwitch(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		var on atomic.Bool
		between := Match(func(m greet) bool {
			switch m.Name {
			case "begin":
				on.Store(true)
			case "end":
				on.Store(false)
			}
			return on.Load()
		})
		pid := startWorker(t, node.Context(), "worker")
		got := during(t, node, StreamSpec{Kinds: process.Sent, Match: between}, func() {
			for _, name := range []string{"early", "begin", "between", "end", "late"} {
				send(t, node.Context(), pid, greet{name})
			}
		})
		wantLines(t, "between", got, `sent worker trace.greet{Name:"begin"}`, `sent worker trace.greet{Name:"between"}`)
	})
}
