package process_test

import (
	"context"
	"runtime/debug"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// What costs no memory by design, neither now nor later.
func TestWhatDoesNotAllocate(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties pools
	ctx := processtest.Node(t, process.NodeSpec{Probe: deafProbe{}})
	pid := start(t, ctx, process.Spec{Name: "sink", Behaviour: &sink{}})
	own := self(t, ctx)
	var msg any = &struct{ n int }{}
	for _, tt := range []struct {
		what string
		f    func()
	}{
		{"a message that is a pointer", func() { send(t, ctx, pid, msg) }},
		{"a message between processes", func() { send(t, own, pid, msg) }},
		{"an event that nobody wants", func() {
			process.Emit(own, process.Event{Kind: process.Warned, Text: "text", Msg: msg})
		}},
		{"the question whether anybody wants one", func() {
			if process.Wants(own, process.Warned, process.LevelDebug) {
				t.Error("somebody wants it")
			}
		}},
		{"the look-up of a name", func() {
			if _, ok := process.Whereis(ctx, "sink"); !ok {
				t.Error("the name is not there")
			}
		}},
		{"who acts", func() {
			if process.Self(own) == pid {
				t.Error("it is another")
			}
		}},
	} {
		if n := testing.AllocsPerRun(1000, tt.f); n != 0 {
			t.Errorf("%s allocates %v times, want none", tt.what, n)
		}
	}
}

// A backlog is kept in chunks, and the chunks are used again: a thousand messages
// that wait cost no memory once a thousand have waited.
func TestBacklogDoesNotAllocate(t *testing.T) {
	const n, chunk = 1000, 32
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	ctx := processtest.Node(t, process.NodeSpec{Probe: deafProbe{}})
	pid := start(t, ctx, process.Spec{})
	begun, gate, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	first := do(func(context.Context, *script) error { begun <- struct{}{}; <-gate; return nil })
	between := do(func(context.Context, *script) error { return nil })
	last := do(func(context.Context, *script) error { done <- struct{}{}; return nil })
	got := testing.AllocsPerRun(20, func() {
		send(t, ctx, pid, first)
		<-begun
		for range n {
			send(t, ctx, pid, between)
		}
		send(t, ctx, pid, last)
		gate <- struct{}{}
		<-done
	})
	want := 0.0
	if raced {
		want = n / chunk // that there are chunks, and not an allocation a message
	}
	if got > want {
		t.Errorf("a backlog of %d allocates %v times, want at most %v", n, got, want)
	}
}
