package process_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

// bubble runs f in a bubble of its own, with the ctx of a new node.
func bubble(t *testing.T, f func(t *testing.T, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, processtest.Context(t)) })
}

// A script is a behaviour that does what it is told: a func it runs, an error
// it returns, anything else it keeps.
type script struct {
	init      func(ctx context.Context) error
	terminate func(ctx context.Context, reason error) error
	kept      []any
}

type (
	do   func(ctx context.Context, s *script) error
	take struct { // answers with what was kept
		process.Call
		kept []any
	}
	run struct { // runs f, which answers or not
		process.Call
		f func(ctx context.Context, r *run) error
	}
)

func (s *script) Init(ctx context.Context) error {
	if s.init != nil {
		return s.init(ctx)
	}
	return nil
}

func (s *script) Handle(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case do:
		return m(ctx, s)
	case error:
		return m
	case *take:
		m.Reply(func() { m.kept = s.kept }, nil)
	case *run:
		return m.f(ctx, m)
	default:
		s.kept = append(s.kept, m)
	}
	return nil
}

func (s *script) Terminate(ctx context.Context, reason error) error {
	if s.terminate != nil {
		return s.terminate(ctx, reason)
	}
	return nil
}

func start(t *testing.T, ctx context.Context, spec process.Spec) process.PID {
	t.Helper()
	if spec.Behaviour == nil {
		spec.Behaviour = &script{}
	}
	pid, err := process.Start(ctx, spec)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	return pid
}

func send(t *testing.T, ctx context.Context, to process.PID, msg any) {
	t.Helper()
	if err := process.Send(ctx, to, msg); err != nil {
		t.Errorf("Send: %v", err)
	}
}

// in runs f in a process and waits for it.
func in(t *testing.T, ctx context.Context, pid process.PID, f func(ctx context.Context)) {
	t.Helper()
	if err := process.Do(ctx, pid, &run{f: func(ctx context.Context, r *run) error {
		f(ctx)
		r.Reply(nil, nil)
		return nil
	}}); err != nil {
		t.Errorf("in %v: %v", pid, err)
	}
}

// kept returns what a script has been sent so far.
func kept(t *testing.T, ctx context.Context, pid process.PID) []any {
	t.Helper()
	q := &take{}
	if err := process.Do(ctx, pid, q); err != nil {
		t.Errorf("asking %v: %v", pid, err)
	}
	return q.kept
}

func wantReason(t *testing.T, ctx context.Context, pid process.PID, want error) {
	t.Helper()
	synctest.Wait()
	if pid.Alive() {
		t.Errorf("%v is alive, want it ended with %v", pid, want)
		return
	}
	got, err := process.Wait(ctx, pid)
	if err != nil || got != want && !errors.Is(got, want) {
		t.Errorf("%v ended with %v (%v), want %v", pid, got, err, want)
	}
}

// downs and exits among what was kept.
func downs(kept []any) (out []*process.Down) {
	for _, m := range kept {
		if d, ok := m.(*process.Down); ok {
			out = append(out, d)
		}
	}
	return out
}

func exits(kept []any) (out []*process.ExitSignal) {
	for _, m := range kept {
		if x, ok := m.(*process.ExitSignal); ok {
			out = append(out, x)
		}
	}
	return out
}
