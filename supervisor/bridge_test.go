package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A machine is something foreign: it runs in goroutines of nobody's.
type machine struct {
	w    *world
	over chan struct{} // closed when it has ended
	why  error         // why it ended by itself
	stop error         // what its Stop returns
}

// on makes a machine run, and a bridge to it.
func (m *machine) on(ctx context.Context) (supervisor.Foreign, error) {
	m.w.note("%s switches it on", process.Self(ctx).Path())
	m.over = make(chan struct{})
	return supervisor.Foreign{
		Wait: func(context.Context) error { <-m.over; return m.why },
		Stop: func(_ context.Context, why error) error {
			m.w.note("it is stopped: %s", reason(why))
			close(m.over)
			return m.stop
		},
	}, nil
}

// breaks lets the machine end by itself.
func (m *machine) breaks(why error) {
	m.why = why
	close(m.over)
	synctest.Wait()
}

func (m *machine) child(r supervisor.Restart) supervisor.Child {
	return supervisor.Child{ID: "m", Start: supervisor.Bridge(m.on), Restart: r}
}

func TestBridge(t *testing.T) {
	bubble(t, func(w *world) {
		m := &machine{w: w}
		top := w.top(supervisor.Spec{Intensity: 5, Children: []supervisor.Child{m.child(supervisor.Transient)}})
		w.want("it runs when the start returns", "top/m switches it on")
		m.breaks(errBoom)
		w.want("the bridge ends as the machine did, stops nothing, and is restarted",
			"top/m: child terminated", "top: child terminated: m boom", "top/m switches it on")
		if kids, err := supervisor.WhichChildren(w.ctx, must(w.which(top, "m"))); len(kids) != 0 || err != nil {
			t.Errorf("a bridge has the children %v (%v), want none", kids, err)
		}
		if _, err := supervisor.CountChildren(w.ctx, must(w.which(top, "m"))); !errors.Is(err, supervisor.ErrNotSupervisor) {
			t.Errorf("count_children of a bridge: %v", err)
		}
		if err := supervisor.TerminateChild(w.ctx, top, "m"); err != nil {
			t.Error(err)
		}
		w.want("told to stop, it stops the machine", "it is stopped: shutdown")
		if _, err := supervisor.RestartChild(w.ctx, top, "m"); err != nil {
			t.Error(err)
		}
		m.breaks(nil)
		w.want("a normal end is one of the bridge", "top/m switches it on")
	})
}

// which returns the process of a child.
func (w *world) which(sup process.Target, id string) (process.PID, error) {
	c, err := supervisor.WhichChild(w.ctx, sup, id)
	return c.PID, err
}

func TestBridgeStops(t *testing.T) {
	tests := []struct {
		name string
		with func(f *supervisor.Foreign)
		want []string
		took time.Duration
	}{
		{"with an error", func(f *supervisor.Foreign) {
			f.Stop = func(context.Context, error) error { return errNo }
			f.Wait = nil
		}, []string{"top: shutdown error: m no"}, 0},
		{"with a panic", func(f *supervisor.Foreign) {
			f.Stop = func(context.Context, error) error { panic(errNo) }
			f.Wait = nil
		}, []string{"top: shutdown error: m panic: no"}, 0},
		{"once the machine is gone", func(f *supervisor.Foreign) {
			f.Stop = func(context.Context, error) error { return nil }
			f.Wait = func(context.Context) error { time.Sleep(3 * time.Second); return nil }
		}, nil, 3 * time.Second},
		{"too late", func(f *supervisor.Foreign) {
			f.Stop = func(ctx context.Context, _ error) error { <-ctx.Done(); return ctx.Err() }
			f.Wait = nil
		}, []string{"top: shutdown error: m killed"}, 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				m := &machine{w: w}
				top := w.top(supervisor.Spec{Children: []supervisor.Child{{ID: "m",
					Start: supervisor.Bridge(func(ctx context.Context) (supervisor.Foreign, error) {
						f, err := m.on(ctx)
						tt.with(&f)
						return f, err
					})}}})
				w.take()
				begin := time.Now()
				if err := supervisor.TerminateChild(w.ctx, top, "m"); err != nil {
					t.Fatal(err)
				}
				w.want("how it stops", tt.want...)
				if took := time.Since(begin); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

// A process that the machine's start has started belongs to the bridge, and a
// stranger's exit signal does not concern it.
func TestBridgeHelpers(t *testing.T) {
	bubble(t, func(w *world) {
		m := &machine{w: w}
		var helper process.PID
		top := w.top(supervisor.Spec{Children: []supervisor.Child{{ID: "m", Restart: supervisor.Temporary,
			Start: supervisor.Bridge(func(ctx context.Context) (supervisor.Foreign, error) {
				helper = must(startLeaf(ctx))
				return m.on(ctx)
			})}}})
		w.take()
		if _, err := process.Go(w.ctx, func(ctx context.Context) error {
			return process.SendExit(ctx, must(w.which(top, "m")), errNo)
		}); err != nil {
			t.Fatal(err)
		}
		w.want("strangers are ignored")
		if err := process.Send(w.ctx, helper, end{errBoom}); err != nil {
			t.Fatal(err)
		}
		w.want("a helper that crashes ends the bridge, which stops the machine",
			"top/m: child terminated", "it is stopped: boom", "top: child terminated: m boom")
	})
}

func TestBridgeStartFails(t *testing.T) {
	for name, tt := range map[string]struct {
		start func(context.Context) (supervisor.Foreign, error)
		is    error
	}{
		"an error":     {func(context.Context) (supervisor.Foreign, error) { return supervisor.Foreign{}, errNo }, errNo},
		"declined":     {func(context.Context) (supervisor.Foreign, error) { return supervisor.Foreign{}, process.ErrIgnore }, process.ErrIgnore},
		"a panic":      {func(context.Context) (supervisor.Foreign, error) { panic(errNo) }, errNo},
		"without Stop": {func(context.Context) (supervisor.Foreign, error) { return supervisor.Foreign{}, nil }, nil},
		"nothing":      {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				top := w.top(supervisor.Spec{})
				_, err := supervisor.StartChild(w.ctx, top, supervisor.Child{ID: "m", Start: supervisor.Bridge(tt.start), Restart: supervisor.Temporary})
				if err == nil || tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("the start ended with %v, want %v", err, tt.is)
				}
			})
		})
	}
}
