package trace

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/process"
)

func TestStreams(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		ctx := node.Context()
		a, _ := streaming(t, node, StreamSpec{})
		b, _ := streaming(t, node, StreamSpec{})
		c, _ := streaming(t, node, StreamSpec{})
		want := func(what string, want ...*Session) {
			t.Helper()
			if got, err := Streams(ctx); err != nil || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, %v; want %v", what, got, err, want)
			}
		}
		want("three", a, b, c)
		if err := process.Kill(ctx, b.PID()); err != nil {
			t.Fatal(err)
		}
		want("one was killed", a, c)
		if _, err := a.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		want("one was stopped", c)
		if why := a.Status().Why; why != ByStop {
			t.Errorf("the status of one that was stopped says %q", why)
		}
	})
	bubble(t, func(t *testing.T, node *process.Node) {
		if _, err := Streams(node.Context()); err == nil || !strings.Contains(err.Error(), "trace.Start") {
			t.Errorf("without a tracer: %v, want the cure", err)
		}
	})
	if _, err := Streams(context.Background()); !errors.Is(err, process.ErrNoNode) {
		t.Errorf("without a node: %v, want ErrNoNode", err)
	}
}

func TestStatus(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		a := startWorker(t, node.Context(), "shop")
		slow := newGate(&buffer{})
		s, _ := streaming(t, node, StreamSpec{To: slow, Kinds: process.Sent | process.Received, Under: "shop", PID: a, Peer: a,
			Abnormal: true, Message: reflect.TypeFor[greet](), Match: Match[greet](nil), Limit: 7})
		s.mu.Lock()
		s.passed, s.dropped = 3, 2
		s.mu.Unlock()
		s.end(ByStop)
		const want = "<3 stream> sent|received, abnormal, under shop, of or with <2 shop>, with <2 shop>, of type trace.greet, " +
			"that match; 1 living; 3 of 7 events, 0s of 30s, 2 dropped, ended: stopped"
		if got := s.Status().String(); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		slow.open()
		wantEnd(t, s, End{Why: ByStop, Dropped: 2})
	})
}

// Flush says what became of what was let through.
func TestFlush(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		ctx := node.Context()
		var out buffer
		slow := newGate(&out)
		s, _ := streaming(t, node, StreamSpec{To: slow, Kinds: process.Sent})
		pid := startWorker(t, ctx, "worker")
		send(t, ctx, pid, greet{"ann"})
		early, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Flush(early); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if err := s.Flush(ctx); !errors.Is(err, process.ErrTimeout) {
			t.Errorf("the writer blocks: %v, want ErrTimeout", err)
		}
		slow.open()
		if err := s.Flush(context.Background()); err != nil || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("Flush: %v, written %q", err, out.String())
		}
		s.end(ByStop)
		if err := s.Flush(ctx); err != nil {
			t.Errorf("it has ended: %v, want that all is written", err)
		}
		s, _ = streaming(t, node, StreamSpec{Kinds: process.Sent})
		if err := process.Kill(ctx, s.PID()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := s.Flush(ctx); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("it was killed: %v, want that", err)
		}
	})
}
