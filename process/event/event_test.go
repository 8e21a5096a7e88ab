package event_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/process/system"
	"github.com/coppice-go/coppice/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errBoom = errors.New("boom")
	errLate = errors.New("late")
)

// bubble runs f in a bubble of its own. rec keeps the reports.
func bubble(t *testing.T, f func(t *testing.T, ctx context.Context, rec *processtest.Recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rec := &processtest.Recorder{}
		f(t, processtest.Node(t, process.NodeSpec{Probe: rec}), rec)
	})
}

// A diary is where handlers of a test write what happens, in order. All of them
// run in one process.
type diary struct{ lines []string }

func (d *diary) add(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// want compares what was written since the last time.
func (d *diary) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(d.lines, want) {
		t.Errorf("diary:\n\t%s\nwant:\n\t%s", strings.Join(d.lines, "\n\t"), strings.Join(want, "\n\t"))
	}
	d.lines = nil
}

// A book is the state of a handler that writes into the diary what it is given,
// and does what react says.
type book struct {
	id    string
	d     *diary
	react func(ev any) error
	close func(event.Gone) error
	n     int
}

func (b *book) on(_ context.Context, ev string) error { return b.take("event", ev) }

func (b *book) info(_ context.Context, msg any) error {
	if x, ok := msg.(*process.ExitSignal); ok {
		msg = fmt.Sprintf("exit %v", x.Reason)
	}
	return b.take("info", msg)
}

func (b *book) take(what string, v any) error {
	b.n++
	b.d.add("%s %s %v", b.id, what, v)
	if b.react != nil {
		return b.react(v)
	}
	return nil
}

func (b *book) terminate(_ context.Context, g event.Gone) error {
	b.d.add("%s gone: %s", b.id, shown(g))
	if b.close != nil {
		return b.close(g)
	}
	return nil
}

// shown is a Gone without the manager and the stacks.
func shown(g event.Gone) string {
	s := g.Cause.String()
	if g.Next != "" {
		s += " " + g.Next
	}
	if g.Reason != nil {
		s += ": " + g.Reason.Error()
	}
	return s
}

// handler makes a Handler of a book.
func handler(b book) event.Handler[string, book] {
	return event.Handler[string, book]{
		ID:   b.id,
		Init: func(context.Context) (*book, error) { b.d.add("%s init", b.id); return &b, nil },
		On:   (*book).on, Info: (*book).info, Terminate: (*book).terminate,
		Inspect: func(b *book) any { return b.n },
	}
}

// how many events a book has had.
type count struct{}

func (count) Handle(_ context.Context, b *book) (int, error) { return b.n, nil }

// tell has a book do f and answer what it returns.
type tell struct {
	f func(ctx context.Context, b *book) (int, error)
}

func (m tell) Handle(ctx context.Context, b *book) (int, error) { return m.f(ctx, b) }

func start(t *testing.T, ctx context.Context, spec event.Spec[string]) event.Manager[string] {
	t.Helper()
	m, err := event.Start(ctx, spec)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	return m
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("got the error %v, want none", err)
	}
}

func wantHandlers(t *testing.T, ctx context.Context, m event.Manager[string], want ...string) {
	t.Helper()
	if got, err := event.Handlers(ctx, m); err != nil || !slices.Equal(got, want) {
		t.Errorf("handlers %q (%v), want %q", got, err, want)
	}
}

// wantReport compares the failures reported since the last time, as "ID cause".
func wantReport(t *testing.T, rec *processtest.Recorder, want ...string) {
	t.Helper()
	synctest.Wait()
	var got []string
	for _, e := range rec.Events(process.Warned) {
		if r, ok := e.Detail.(*event.Report); ok && e.Level == process.LevelError {
			got = append(got, r.ID+" "+r.Cause.String())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("reported %q, want %q", got, want)
	}
}

// An Owner is a server that owns handlers.
type Owner struct{ told []string }

// gone is what an Owner is told of the end of a handler.
type gone struct{ event.Gone }

func (g gone) Handle(_ context.Context, o *Owner) error {
	o.told = append(o.told, g.ID+" "+shown(g.Gone))
	return nil
}

// do runs in an Owner.
type do struct {
	f func(ctx context.Context, o *Owner) error
}

func (m do) Handle(ctx context.Context, o *Owner) (struct{}, error) { return struct{}{}, m.f(ctx, o) }

func owner(t *testing.T, ctx context.Context, trap bool) server.Ref[Owner] {
	t.Helper()
	o, err := server.StartUnlinked(ctx, server.Spec[Owner]{TrapExit: trap})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// as runs f in an owner.
func as(t *testing.T, ctx context.Context, o server.Ref[Owner], f func(ctx context.Context) error) {
	t.Helper()
	_, err := server.Call(ctx, o, do{func(ctx context.Context, _ *Owner) error { return f(ctx) }})
	ok(t, err)
}

func addSup(t *testing.T, ctx context.Context, o server.Ref[Owner], m event.Manager[string], b book) {
	t.Helper()
	as(t, ctx, o, func(ctx context.Context) error {
		return event.AddSup(ctx, m, handler(b), func(g event.Gone) gone { return gone{g} })
	})
}

// wantTold compares what an owner was told since the last time.
func wantTold(t *testing.T, ctx context.Context, o server.Ref[Owner], want ...string) {
	t.Helper()
	synctest.Wait()
	_, err := server.Call(ctx, o, do{func(_ context.Context, o *Owner) error {
		if !slices.Equal(o.told, want) {
			t.Errorf("the owner was told %q, want %q", o.told, want)
		}
		o.told = nil
		return nil
	}})
	ok(t, err)
}

// Each event goes to all handlers before the next one, the newest first.
func TestOrder(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		m, d := start(t, ctx, event.Spec[string]{}), &diary{}
		for _, id := range []string{"h1", "h2", "h3"} {
			ok(t, event.Add(ctx, m, handler(book{id: id, d: d})))
		}
		wantHandlers(t, ctx, m, "h3", "h2", "h1")
		d.want(t, "h1 init", "h2 init", "h3 init")
		ok(t, m.Notify(ctx, "x"))
		ok(t, m.Notify(ctx, "y"))
		d.want(t, "h3 event x", "h2 event x", "h1 event x", "h3 event y", "h2 event y", "h1 event y")
		ok(t, process.Send(ctx, m.PID(), 7))
		d.want(t, "h3 info 7", "h2 info 7", "h1 info 7")
	})
}

// Handlers of the Spec are there from the start; the last one is called first.
func TestSpecHandlers(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		d := &diary{}
		h1, h2 := handler(book{id: "h1", d: d}), handler(book{id: "h2", d: d})
		m := start(t, ctx, event.Spec[string]{Handlers: []event.AnyHandler[string]{h1, h2}})
		wantHandlers(t, ctx, m, "h2", "h1")
		d.want(t, "h1 init", "h2 init")

		bad := handler(book{id: "bad", d: d})
		bad.Init = func(context.Context) (*book, error) { return nil, errBoom }
		_, err := event.Start(ctx, event.Spec[string]{Name: "again", Handlers: []event.AnyHandler[string]{h1, bad}})
		var he *event.HandlerError
		if !errors.As(err, &he) || he.ID != "bad" || !errors.Is(err, errBoom) {
			t.Errorf("start with a handler that does not start: %v", err)
		}
		d.want(t, "h1 init", "h1 gone: stopped: shutdown")
		if _, taken := process.Whereis(ctx, "again"); taken {
			t.Error("its name is still taken")
		}
	})
}

// A slow handler holds up the others and those who wait, but nobody else.
func TestSlowHandler(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		m, d := start(t, ctx, event.Spec[string]{}), &diary{}
		ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d})))
		ok(t, event.Add(ctx, m, handler(book{id: "slow", d: d, react: func(any) error { time.Sleep(time.Hour); return nil }})))
		began := time.Now()
		ok(t, m.Notify(ctx, "x"))
		if time.Since(began) != 0 {
			t.Errorf("Notify took %v", time.Since(began))
		}
		ok(t, m.SyncNotify(ctx, "y")) // no time-out of its own
		if took := time.Since(began); took != 2*time.Hour {
			t.Errorf("SyncNotify returned after %v, want both events handled by the slow one", took)
		}
		if _, err := event.Call(ctx, m, "h1", tell{func(context.Context, *book) (int, error) { time.Sleep(6 * time.Second); return 0, nil }}); !errors.Is(err, process.ErrTimeout) {
			t.Errorf("call: %v, want the 5 s of all calls", err)
		}
	})
}

// The link to the owner goes with its last handler: nobody dies with a manager
// that does nothing for him any more. One that was there before stays.
func TestLinkGoesWithTheLastHandler(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		m, d := start(t, ctx, event.Spec[string]{}), &diary{}
		o := owner(t, ctx, false)
		linked := func(want bool, when string) {
			t.Helper()
			if got := m.PID().Linked(o.PID()); got != want {
				t.Errorf("%s: linked %v, want %v", when, got, want)
			}
		}
		addSup(t, ctx, o, m, book{id: "h1", d: d})
		addSup(t, ctx, o, m, book{id: "h2", d: d})
		linked(true, "with two handlers")
		ok(t, event.Delete(ctx, m, "h1"))
		linked(true, "with one handler")
		ok(t, event.Swap(ctx, m, "h2", func(*book) event.Handler[string, book] { return handler(book{id: "h3", d: d}) }))
		linked(true, "after a swap")
		ok(t, m.Notify(ctx, "x"))
		_, err := event.Call(ctx, m, "h3", tell{func(context.Context, *book) (int, error) {
			return 0, event.Become(handler(book{id: "h4", d: d}))
		}})
		ok(t, err)
		linked(true, "after it became another")
		ok(t, event.Delete(ctx, m, "h4"))
		linked(false, "with none")
		wantTold(t, ctx, o, "h1 deleted", "h2 swapped h3", "h3 swapped h4", "h4 deleted")

		bad := handler(book{id: "bad", d: d})
		bad.Init = func(context.Context) (*book, error) { return nil, errBoom }
		as(t, ctx, o, func(ctx context.Context) error {
			if err := event.AddSup(ctx, m, bad, func(g event.Gone) gone { return gone{g} }); !errors.Is(err, errBoom) {
				t.Errorf("AddSup: %v", err)
			}
			return nil
		})
		linked(false, "after a failed add")

		as(t, ctx, o, func(ctx context.Context) error { return process.Link(ctx, m) })
		addSup(t, ctx, o, m, book{id: "h1", d: d})
		ok(t, event.Delete(ctx, m, "h1"))
		linked(true, "with a link of its own")
	})
}

// AddSup from outside any process has nobody to link to.
func TestAddSupNeedsAnOwner(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		m := start(t, ctx, event.Spec[string]{})
		err := event.AddSup(ctx, m, handler(book{id: "h1", d: &diary{}}), func(g event.Gone) gone { return gone{g} })
		if err == nil || !strings.Contains(err.Error(), "owned by a process only") {
			t.Errorf("AddSup by a node: %v", err)
		}
		wantHandlers(t, ctx, m)
	})
}

// No mailbox is too full to be told of the end of a handler.
func TestOwnerWithAFullMailbox(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		m, d := start(t, ctx, event.Spec[string]{}), &diary{}
		o, err := server.Start(ctx, server.Spec[Owner]{Limit: 1})
		ok(t, err)
		addSup(t, ctx, o, m, book{id: "h1", d: d})
		ok(t, system.Suspend(ctx, o))
		ok(t, server.Cast(ctx, o, gone{event.Gone{ID: "other"}}))
		ok(t, event.Delete(ctx, m, "h1"))
		ok(t, system.Resume(ctx, o))
		wantTold(t, ctx, o, "other deleted", "h1 deleted")
	})
}

// Faults of a Handler are told all at once, and what is asked of the wrong
// process, or for the wrong state, names both types.
func TestMisuse(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
		m, d := start(t, ctx, event.Spec[string]{Name: "bus"}), &diary{}
		contains := func(err error, parts ...string) {
			t.Helper()
			for _, part := range parts {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("error %v, want it to say %q", err, part)
				}
			}
		}
		contains(event.Add(ctx, m, event.Handler[string, book]{}), "no ID", "no On")
		_, err := event.Start(ctx, event.Spec[string]{Limit: -1})
		contains(err, "Limit is -1")
		ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d})))
		_, err = event.Call(ctx, m, "h1", other{})
		contains(err, "*event_test.book", "*int")
		contains(event.Swap(ctx, m, "h1", func(*int) event.Handler[string, book] { return handler(book{id: "h2", d: d}) }), "*event_test.book", "*int")
		contains(event.Swap(ctx, m, "h1", func(*book) event.Handler[string, book] { return event.Handler[string, book]{} }), "no ID")
		contains(event.Swap(ctx, m, "h1", func(*book) event.Handler[string, book] { panic(errBoom) }), "boom")
		_, err = event.Call(ctx, m, "h1", tell{func(ctx context.Context, _ *book) (int, error) {
			return event.Call(ctx, m, "h1", count{})
		}})
		if !errors.Is(err, process.ErrCallingSelf) {
			t.Errorf("a handler calls its own manager: %v", err)
		}
		wantHandlers(t, ctx, m, "h1")

		_, err = event.As[int](m.PID())
		contains(err, "event.Manager[string]", "event.Manager[int]")
		_, err = server.As[Owner](m.PID())
		contains(err, "event.Manager[string]")
		key := registry.NewKey[event.Manager[string]]("bus")
		ok(t, event.SyncNotify(ctx, key, "by name"))
		ok(t, event.Notify(ctx, key, "by name"))
		if err := event.Notify(ctx, registry.NewKey[event.Manager[string]]("nobody"), "x"); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("notify a name that nobody has: %v", err)
		}
		as, err := event.As[string](m.PID())
		if as != m || err != nil {
			t.Errorf("As: %v, %v", as, err)
		}
		ok(t, process.Stop(ctx, m, nil))
		if _, err := event.As[string](m.PID()); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("As of a dead manager: %v", err)
		}
	})
}

type other struct{}

func (other) Handle(context.Context, *int) (int, error) { return 0, nil }

// What is shown to people.
func TestTexts(t *testing.T) {
	causes := ""
	for c := event.Deleted; c <= event.NotStarted+1; c++ {
		causes += c.String() + ", "
	}
	if want := "deleted, removed, failed, swapped, owner ended, stopped, not started, Cause(7), "; causes != want {
		t.Errorf("causes %q, want %q", causes, want)
	}
	for got, want := range map[string]string{
		event.Gone{ID: "h", Cause: event.Swapped, Next: "i"}.String():      `event handler "h" of <nobody>: swapped for "i"`,
		event.Gone{ID: "h", Cause: event.Failed, Reason: errBoom}.String(): `event handler "h" of <nobody>: failed: boom`,
		event.Remove(errBoom).Error():                                      "event: remove: boom",
		event.Become(event.Handler[int, int]{ID: "h"}).Error():             "event: become h",
		(&event.HandlerError{ID: "h", Reason: event.ErrNoHandler}).Error(): `event handler "h": no such handler`,
		event.Manager[string]{}.String():                                   "<nobody>",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if !errors.Is(event.Remove(errBoom), errBoom) {
		t.Error("Remove does not unwrap to its reason")
	}
}
