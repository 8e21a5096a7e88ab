package statem_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
	"github.com/coppice-go/coppice/registry"
)

// A desk answers at once, later, never, or by somebody else.

type deskEvent interface{ deskEvent() }

type (
	double struct { // answered at once
		n int
		statem.Reply[int]
	}
	wait    struct{ statem.Reply[string] } // kept until release
	release struct{ word string }
	defers  struct{ statem.Reply[int] } // postponed until release
	refuse  struct{ statem.Reply[int] }
	byOther struct{ statem.Reply[int] }
	leave   struct{ statem.Reply[string] } // stop and reply
	nothing struct{ statem.Reply[error] }  // answered with a nil interface
)

func (double) deskEvent()  {}
func (wait) deskEvent()    {}
func (release) deskEvent() {}
func (defers) deskEvent()  {}
func (refuse) deskEvent()  {}
func (byOther) deskEvent() {}
func (leave) deskEvent()   {}
func (nothing) deskEvent() {}

func (q double) With(r statem.Reply[int]) deskEvent    { q.Reply = r; return q }
func (q wait) With(r statem.Reply[string]) deskEvent   { q.Reply = r; return q }
func (q defers) With(r statem.Reply[int]) deskEvent    { q.Reply = r; return q }
func (q refuse) With(r statem.Reply[int]) deskEvent    { q.Reply = r; return q }
func (q byOther) With(r statem.Reply[int]) deskEvent   { q.Reply = r; return q }
func (q leave) With(r statem.Reply[string]) deskEvent  { q.Reply = r; return q }
func (q nothing) With(r statem.Reply[error]) deskEvent { q.Reply = r; return q }

type desk struct {
	waiting []statem.Reply[string]
	log     *journal
}

type deskTurn = statem.Turn[deskEvent]

func (d *desk) onBusy(t *deskTurn, ev deskEvent) (string, error) {
	switch ev := ev.(type) {
	case double:
		t.Reply(ev.Answer(2 * ev.n))
	case wait:
		d.waiting = append(d.waiting, ev.Reply)
	case release:
		for _, r := range slices.Backward(d.waiting) { // in any order we like
			t.Reply(r.Answer(ev.word))
		}
		return "free", nil
	case defers:
		t.Postpone()
	case refuse:
		t.Reply(ev.Refuse(errBoom))
	case nothing:
		t.Reply(ev.Answer(nil))
	case byOther:
		_, err := process.Go(t.Context(), func(context.Context) error {
			ev.Answer(7).Send()
			return nil
		})
		return "busy", err
	case leave:
		t.Reply(ev.Answer("bye"))
		return "busy", statem.Stop(nil)
	}
	return "busy", nil
}

func (d *desk) onFree(t *deskTurn, ev deskEvent) (string, error) {
	if ev, ok := ev.(defers); ok {
		t.Reply(ev.Answer(1))
	}
	return "free", nil
}

func startDesk(ctx context.Context, t *testing.T) (statem.Ref[deskEvent], *journal) {
	t.Helper()
	log := new(journal)
	m, err := statem.New(statem.Spec[string, deskEvent, desk]{
		First:    []string{"busy"},
		Init:     func(*deskTurn) (string, *desk, error) { return "busy", &desk{log: log}, nil },
		TrapExit: true,
		Terminate: func(d *desk, _ *deskTurn, _ string, _ error) error {
			synctestYield()
			d.log.add("terminate")
			return nil
		},
		States: map[string]statem.State[string, deskEvent, desk]{
			"busy": {On: (*desk).onBusy, To: []string{"free"}},
			"free": {On: (*desk).onFree},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := m.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ref, log
}

// synctestYield lets everybody else run until all wait.
func synctestYield() { time.Sleep(time.Nanosecond) }

func TestCall(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		d, _ := startDesk(ctx, t)
		if n, err := statem.Call(ctx, d, double{n: 21}); n != 42 || err != nil {
			t.Errorf("double 21 = %v, %v", n, err)
		}
		if _, err := statem.Call(ctx, d, refuse{}); err != errBoom {
			t.Errorf("a refusal is %v, want %v", err, errBoom)
		}
		if n, err := statem.Call(ctx, d, byOther{}); n != 7 || err != nil {
			t.Errorf("the answer of another process is %v, %v; want 7", n, err)
		}
		if v, err := statem.Call(ctx, d, nothing{}); v != nil || err != nil {
			t.Errorf("the answer nil is %v, %v", v, err)
		}
	})
}

// Answers can be given in a later turn, in any order, and a whole request can
// be postponed.
func TestDeferredReply(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		d, _ := startDesk(ctx, t)
		var got journal
		for _, who := range []string{"one", "two"} {
			spawn(ctx, t, func(ctx context.Context) error {
				word, err := statem.Call(ctx, d, wait{})
				got.add("%s: %s %v", who, word, err)
				return nil
			})
		}
		spawn(ctx, t, func(ctx context.Context) error {
			n, err := statem.Call(ctx, d, defers{})
			got.add("postponed: %d %v", n, err)
			return nil
		})
		synctest.Wait()
		wantLines(t, "nobody is answered yet", got.take())
		d.Cast(ctx, release{"go"})
		synctest.Wait()
		lines := got.take()
		slices.Sort(lines)
		wantLines(t, "all are", lines, "one: go <nil>", "postponed: 1 <nil>", "two: go <nil>")
	})
}

// GST-30: the answers of the last turn arrive before Terminate.
func TestStopAndReply(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		d, log := startDesk(ctx, t)
		if word, err := statem.Call(ctx, d, leave{}); word != "bye" || err != nil {
			t.Errorf("leave answers %q, %v", word, err)
		}
		log.add("answered")
		synctest.Wait()
		if reason, err := process.Wait(ctx, d); reason != nil || err != nil {
			t.Errorf("it ended with %v, %v; want a normal end", reason, err)
		}
		wantLines(t, "the reply comes first", log.take(), "answered", "terminate")
	})
}

// GST-31: calls in the mailbox, postponed or kept fail with the reason, at
// once; a later one finds nobody.
func TestCallersOfTheDead(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		d, _ := startDesk(ctx, t)
		begin := time.Now()
		var got journal
		ask := func(f func(ctx context.Context) error) {
			spawn(ctx, t, func(ctx context.Context) error {
				var exit *process.ExitError
				err := f(ctx)
				got.add("%v %v", errors.As(err, &exit), errors.Is(err, errBoom))
				return nil
			})
			synctest.Wait()
		}
		ask(func(ctx context.Context) error { _, err := statem.Call(ctx, d, wait{}); return err })
		ask(func(ctx context.Context) error { _, err := statem.Call(ctx, d, defers{}); return err })
		process.Stop(ctx, d, errBoom)
		synctest.Wait()
		wantLines(t, "both learn the reason", got.take(), "true true", "true true")
		if _, err := statem.Call(ctx, d, double{n: 1}); !errors.Is(err, process.ErrNoProc) && !errors.Is(err, errBoom) {
			t.Errorf("a call to the dead: %v", err)
		}
		if err := d.Cast(ctx, release{}); err != nil {
			t.Errorf("a cast to the dead: %v, want none", err)
		}
		if waited := time.Since(begin); waited > time.Millisecond {
			t.Errorf("all of that took %v, want no waiting for any time-out", waited)
		}
	})
}

// GEN-17: a caller that has given up gets no late answer, and the machine goes on.
func TestCallTimeout(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		d, _ := startDesk(ctx, t)
		short := process.WithCallTimeout(ctx, 30*ms)
		if _, err := statem.Call(short, d, wait{}); !errors.Is(err, process.ErrTimeout) {
			t.Errorf("a call that nobody answers: %v, want %v", err, process.ErrTimeout)
		}
		d.Cast(ctx, release{"late"})
		if n, err := statem.Call(ctx, d, defers{}); n != 1 || err != nil {
			t.Errorf("the next call: %v, %v; want 1", n, err)
		}
	})
}

// A target may be looked up at each use.
func TestTarget(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		d, _ := startDesk(ctx, t)
		if n, err := statem.Call(ctx, lookup(func() (statem.Ref[deskEvent], error) { return d, nil }), double{n: 2}); n != 4 || err != nil {
			t.Errorf("double 2 = %v, %v", n, err)
		}
		missing := lookup(func() (statem.Ref[deskEvent], error) { return statem.Ref[deskEvent]{}, errBoom })
		if _, err := statem.Call(ctx, missing, double{n: 2}); err != errBoom {
			t.Errorf("call by a name nobody has: %v, want %v", err, errBoom)
		}
		if err := statem.Cast[deskEvent](ctx, missing, release{}); err != errBoom {
			t.Errorf("cast by a name nobody has: %v, want %v", err, errBoom)
		}
	})
}

// A registry's key is such a target.
func TestRegistryKey(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		d, _ := startDesk(ctx, t)
		key := registry.NewKey[statem.Ref[deskEvent]]("desk")
		if err := key.Register(ctx, d); err != nil {
			t.Fatal(err)
		}
		if n, err := statem.Call(ctx, key, double{n: 3}); n != 6 || err != nil {
			t.Errorf("double 3 = %v, %v", n, err)
		}
		wrong := registry.NewKey[statem.Ref[string]]("desk")
		if err := statem.Cast(ctx, wrong, "x"); err == nil {
			t.Error("a key of another type was not refused")
		}
	})
}

type lookup func() (statem.Ref[deskEvent], error)

func (l lookup) Ref(context.Context) (statem.Ref[deskEvent], error) { return l() }

func spawn(ctx context.Context, t *testing.T, f func(context.Context) error) {
	t.Helper()
	if _, err := process.Go(ctx, f); err != nil {
		t.Fatal(err)
	}
}
