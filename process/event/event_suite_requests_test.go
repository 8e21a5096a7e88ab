package event_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/system"
	"github.com/coppice-go/coppice/registry"
)

// The cases of OTP's gen_event_SUITE on request collections. A label is here a
// key of the caller's own map.

// withBook gives a case a manager that has a handler.
func withBook(f func(*testing.T, context.Context, event.Manager[string])) func(*testing.T, context.Context, *processtest.Recorder) {
	return func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		m := start(t, ctx, event.Spec[string]{})
		ok(t, event.Add(ctx, m, handler(book{id: "h1", d: &diary{}})))
		f(t, ctx, m)
	}
}

// after is a request that is answered with n when d has passed.
func after(d time.Duration, n int) tell {
	return tell{func(context.Context, *book) (int, error) { time.Sleep(d); return n, nil }}
}

// collect sends three requests, one of them to nobody, and gives them labels.
func collect(ctx context.Context, m event.Manager[string]) (*process.Gather, map[*process.Pending]string, map[string]event.Pending[int]) {
	g, labels, byLabel := &process.Gather{}, map[*process.Pending]string{}, map[string]event.Pending[int]{}
	for label, p := range map[string]event.Pending[int]{
		"answered": event.SendRequest(ctx, m, "h1", after(time.Second, 7)),
		"unknown":  event.SendRequest(ctx, m, "h2", after(0, 0)),
		"nobody":   event.SendRequest(ctx, registry.NewKey[event.Manager[string]]("nobody"), "h1", after(0, 0)),
	} {
		g.Add(p.Request())
		labels[p.Request()], byLabel[label] = label, p
	}
	return g, labels, byLabel
}

// wantAll takes all three and checks them.
func wantAll(t *testing.T, ctx context.Context, g *process.Gather, labels map[*process.Pending]string, byLabel map[string]event.Pending[int]) {
	t.Helper()
	got := map[string]bool{}
	for g.Len() > 0 {
		p, err := g.Next(ctx)
		ok(t, err)
		label := labels[p]
		got[label] = true
		n, done, err := byLabel[label].Poll()
		good := map[string]bool{
			"answered": n == 7 && err == nil,
			"unknown":  errors.Is(err, event.ErrNoHandler),
			"nobody":   errors.Is(err, process.ErrNoProc),
		}
		if !done || !good[label] {
			t.Errorf("%s: %d, %v, %v", label, n, done, err)
		}
	}
	if len(got) != 3 {
		t.Errorf("handed out %v, want all three", got)
	}
	if p, err := g.Next(ctx); p != nil || err != nil {
		t.Errorf("an empty collection hands out %v, %v", p, err)
	}
}

// Receive gives up what is not there in time.
func suiteReceiveCollection(t *testing.T, ctx context.Context, m event.Manager[string]) {
	wantAllOf := func() { g, l, b := collect(ctx, m); wantAll(t, ctx, g, l, b) }
	wantAllOf()
	ok(t, system.Suspend(ctx, m))
	p := event.SendRequest(ctx, m, "h1", count{})
	var g process.Gather
	g.Add(p.Request())
	if _, err := g.Next(process.WithCallTimeout(ctx, time.Second)); !errors.Is(err, process.ErrTimeout) {
		t.Errorf("receive: %v, want a time-out", err)
	}
	g.Abandon()
	ok(t, system.Resume(ctx, m))
	if _, err := p.Wait(ctx); !errors.Is(err, process.ErrAbandoned) {
		t.Errorf("after it was given up: %v", err)
	}
}

// Wait keeps them.
func suiteWaitCollection(t *testing.T, ctx context.Context, m event.Manager[string]) {
	ok(t, system.Suspend(ctx, m))
	g, labels, byLabel := collect(ctx, m)
	if _, err := byLabel["answered"].Wait(process.WithCallTimeout(ctx, time.Second)); !errors.Is(err, process.ErrTimeout) {
		t.Errorf("wait: %v, want a time-out", err)
	}
	ok(t, system.Resume(ctx, m))
	wantAll(t, ctx, g, labels, byLabel)
	if n, err := byLabel["answered"].Wait(ctx); n != 7 || err != nil {
		t.Errorf("waited for again: %d, %v", n, err)
	}
	if _, err := byLabel["nobody"].Wait(ctx); !errors.Is(err, process.ErrNoProc) {
		t.Errorf("waited for nobody: %v", err)
	}
}

// Check looks and does not wait.
func suiteCheckCollection(t *testing.T, ctx context.Context, m event.Manager[string]) {
	_, _, byLabel := collect(ctx, m)
	p := byLabel["answered"]
	if _, done, err := p.Poll(); done || err != nil {
		t.Errorf("at once: %v, %v", done, err)
	}
	time.Sleep(2 * time.Second)
	synctest.Wait()
	if n, done, err := p.Poll(); n != 7 || !done || err != nil {
		t.Errorf("later: %d, %v, %v", n, done, err)
	}
	if p.Abandon() {
		t.Error("a request that has ended was abandoned")
	}
	if _, done, err := byLabel["nobody"].Poll(); !done || !errors.Is(err, process.ErrNoProc) {
		t.Errorf("nobody: %v, %v", done, err)
	}
}
