package registry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
)

type place struct{ row, seat int }

var (
	seats  = registry.NewUnique[place, string]("seats")
	topics = registry.NewDuplicate[string, int]("topics")
)

func startRegistry[K comparable, V any](t testing.TB, ctx context.Context, r registry.Registry[K, V]) process.PID {
	t.Helper()
	pid, err := r.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// take has an agent register in seats.
func take(t testing.TB, ctx context.Context, a *agent, at place, value string) error {
	t.Helper()
	return a.do(t, ctx, func(ctx context.Context) error { return seats.Register(ctx, at, value) })
}

func TestUnique(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startRegistry(t, ctx, seats)
		a, b := newAgent(t, ctx), newAgent(t, ctx)
		at := place{1, 2}
		_, err := seats.Lookup(ctx, at)
		wantErr(t, err, process.ErrNoProc)
		if !strings.Contains(err.Error(), "seats[{1 2}]") {
			t.Errorf("the error does not name the key: %v", err)
		}
		must(t, take(t, ctx, a, at, "ada"))
		for _, other := range []*agent{a, b} {
			err = take(t, ctx, other, at, "bob")
			if taken, ok := errors.AsType[*process.AlreadyStartedError](err); !ok || taken.PID != a.pid() {
				t.Errorf("a taken key: %v", err)
			}
		}
		must(t, take(t, ctx, a, place{3, 4}, "ada"))
		if e, err := seats.Lookup(ctx, at); err != nil || e != (registry.Entry[place, string]{Key: at, PID: a.pid(), Value: "ada"}) {
			t.Errorf("looked up %v, %v", e, err)
		}
		if keys, err := seats.Keys(ctx, a.ref); err != nil || len(keys) != 2 {
			t.Errorf("keys: %v, %v", keys, err)
		}
		if keys, err := seats.Keys(ctx, b.ref); err != nil || keys != nil {
			t.Errorf("keys of one that has none: %v, %v", keys, err)
		}
		if n, err := seats.Count(ctx); err != nil || n != 2 {
			t.Errorf("count: %d, %v", n, err)
		}
		front, err := seats.Select(ctx, func(e registry.Entry[place, string]) bool { return e.Key.row == 1 })
		if err != nil || len(front) != 1 || front[0].Key != at {
			t.Errorf("selected %v, %v", front, err)
		}

		// Only the process itself changes or takes away what is its own.
		b.must(t, ctx, func(ctx context.Context) error { return seats.Unregister(ctx, at) })
		wantErr(t, b.do(t, ctx, func(ctx context.Context) error {
			_, err := seats.Update(ctx, at, strings.ToUpper)
			return err
		}), registry.ErrNotRegistered)
		a.must(t, ctx, func(ctx context.Context) error {
			now, err := seats.Update(ctx, at, strings.ToUpper)
			if now != "ADA" {
				t.Errorf("updated to %q", now)
			}
			return err
		})
		if e, err := seats.Lookup(ctx, at); err != nil || e.Value != "ADA" {
			t.Errorf("after an update: %v, %v", e, err)
		}
		a.must(t, ctx, func(ctx context.Context) error { return seats.Unregister(ctx, at) })
		must(t, take(t, ctx, b, at, "bob"))
		b.end(t, ctx)
		must(t, take(t, ctx, a, at, "ada"))
		wantErr(t, seats.Register(ctx, at, "root"), process.ErrNoSelf)
		wantErr(t, seats.Register(context.Background(), at, "nobody"), process.ErrNoNode)
	})
}

func TestDuplicate(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startRegistry(t, ctx, topics)
		a, b := newAgent(t, ctx), newAgent(t, ctx)
		sub := func(a *agent, topic string, value int) {
			a.must(t, ctx, func(ctx context.Context) error { return topics.Register(ctx, topic, value) })
		}
		sub(a, "x", 1)
		sub(b, "x", 2)
		sub(a, "x", 3)
		sub(a, "y", 4)
		sum := func(topic string) (n int) {
			must(t, topics.Dispatch(ctx, topic, func(e registry.Entry[string, int]) error { n += e.Value; return nil }))
			return n
		}
		if got := sum("x"); got != 6 {
			t.Errorf("dispatched to %d, want 6", got)
		}
		odd := errors.New("odd")
		err := topics.Dispatch(ctx, "x", func(e registry.Entry[string, int]) error {
			if e.Value%2 == 1 {
				return odd
			}
			return nil
		})
		wantErr(t, err, odd)
		if got, err := topics.Values(ctx, "x", a.ref); err != nil || !slices.Equal(got, []int{1, 3}) {
			t.Errorf("values of one process: %v, %v", got, err)
		}
		a.must(t, ctx, func(ctx context.Context) error {
			n, err := topics.UnregisterWhere(ctx, "x", func(v int) bool { return v > 1 })
			if n != 1 {
				t.Errorf("took away %d", n)
			}
			return err
		})
		if list, err := topics.Lookup(ctx, "x"); err != nil || len(list) != 2 || list[0].Value != 1 || list[1].PID != b.pid() {
			t.Errorf("what is left of x: %v, %v", list, err)
		}
		a.must(t, ctx, func(ctx context.Context) error { return topics.Unregister(ctx, "x") })
		b.end(t, ctx)
		if got := sum("x"); got != 0 {
			t.Errorf("x still has %d", got)
		}
		if n, err := topics.Count(ctx); err != nil || n != 1 {
			t.Errorf("count: %d, %v", n, err)
		}
	})
}

// A registry is of one kind and type, and says so.
func TestRegistryOfAnotherKind(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startRegistry(t, ctx, topics)
		_, err := registry.NewUnique[string, int]("topics").Count(ctx)
		if err == nil || !strings.Contains(err.Error(), "unique") {
			t.Errorf("used as unique: %v", err)
		}
		if _, err := registry.NewDuplicate[int, int]("topics").Count(ctx); err == nil {
			t.Error("used with other keys: no error")
		}
	})
}

func TestEndOfARegistry(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		first := startRegistry(t, ctx, seats)
		a, l := newAgent(t, ctx), newAgent(t, ctx)
		must(t, take(t, ctx, a, place{}, "ada"))
		var w *registry.Watch
		l.must(t, ctx, func(ctx context.Context) (err error) {
			w, _, err = registry.Listen(ctx, seats, heard[seatEvent]("seats"))
			return err
		})
		must(t, process.Stop(ctx, first, process.ErrShutdown))
		_, err := seats.Count(ctx)
		wantErr(t, err, process.ErrNoProc)
		wantErr(t, take(t, ctx, a, place{}, "ada"), process.ErrNoProc)
		startRegistry(t, ctx, seats)
		if n, err := seats.Count(ctx); n != 0 || err != nil {
			t.Errorf("a new registry has %d entries, %v", n, err)
		}
		must(t, take(t, ctx, a, place{}, "ada"))
		a.end(t, ctx)
		if w.Stop() {
			t.Error("a listener of a registry that has ended still listens")
		}
		l.wants(t, ctx)
	})
}

type seatEvent = registry.Event[place, string]

// A listener hears of everything once, whatever its limits, and of nothing more
// after Stop.
func TestListen(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startRegistry(t, ctx, seats)
		a, l := newAgent(t, ctx), newAgent(t, ctx)
		must(t, take(t, ctx, a, place{1, 1}, "ada"))
		var w, other *registry.Watch
		l.must(t, ctx, func(ctx context.Context) error {
			var now []registry.Entry[place, string]
			var err error
			if w, now, err = registry.Listen(ctx, seats, heard[seatEvent]("one")); err != nil {
				return err
			}
			if len(now) != 1 || now[0].Value != "ada" {
				t.Errorf("what there is already: %v", now)
			}
			other, _, err = registry.Listen(ctx, seats, heard[seatEvent]("two"))
			return err
		})
		event := func(name string, kind registry.EventKind, at place, value string) string {
			return fmt.Sprintf("%s %v", name, seatEvent{Kind: kind, Entry: registry.Entry[place, string]{Key: at, PID: a.pid(), Value: value}})
		}
		must(t, take(t, ctx, a, place{2, 2}, "bob"))
		wantErr(t, take(t, ctx, a, place{2, 2}, "bob"), process.ErrNameTaken)
		l.wants(t, ctx, event("one", registry.Registered, place{2, 2}, "bob"), event("two", registry.Registered, place{2, 2}, "bob"))
		if !other.Stop() || other.Stop() {
			t.Error("Stop must report true once")
		}
		a.must(t, ctx, func(ctx context.Context) error { return seats.Unregister(ctx, place{1, 1}) })
		a.end(t, ctx)
		l.wants(t, ctx, event("one", registry.Unregistered, place{1, 1}, "ada"), event("one", registry.Unregistered, place{2, 2}, "bob"))
		if !w.Stop() {
			t.Error("a listener that was going on: Stop reports false")
		}
		b := newAgent(t, ctx)
		must(t, take(t, ctx, b, place{1, 1}, "bea"))
		l.wants(t, ctx)
		_, _, err := registry.Listen(ctx, seats, heard[seatEvent]("root"))
		wantErr(t, err, process.ErrNoSelf)
	})
}

// Of many that want a key at the same moment one gets it.
func TestOneWins(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startRegistry(t, ctx, seats)
		won := make(chan process.PID, 100)
		for range cap(won) {
			_, err := process.Go(ctx, func(ctx context.Context) error {
				if seats.Register(ctx, place{}, "") == nil {
					won <- process.Self(ctx)
				}
				<-ctx.Done()
				return ctx.Err()
			})
			must(t, err)
		}
		synctest.Wait()
		if e, err := seats.Lookup(ctx, place{}); len(won) != 1 || err != nil || e.PID != <-won {
			t.Errorf("%d won, registered is %v, %v", len(won)+1, e, err)
		}
	})
}

// A key that is looked up at each use, of a server that is restarted.
func TestVia(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startRegistry(t, ctx, seats)
		at := registry.At[server.Ref[Lamp]](seats, place{7, 7})
		for range 2 {
			_, err := server.Call(ctx, at, Switch{})
			wantErr(t, err, process.ErrNoProc)
			spec := server.Spec[Lamp]{Init: func(ctx context.Context) (*Lamp, error) {
				return &Lamp{}, seats.Register(ctx, place{7, 7}, "")
			}}
			l, err := server.Start(ctx, spec)
			must(t, err)
			_, err = server.Start(ctx, spec)
			wantErr(t, err, process.ErrNameTaken)
			if was, err := server.Call(ctx, at, Switch{On: true}); was || err != nil {
				t.Errorf("called: %v, %v", was, err)
			}
			must(t, process.Stop(ctx, at, nil))
			if l.PID().Alive() {
				t.Error("another was stopped")
			}
		}
		a := newAgent(t, ctx)
		must(t, take(t, ctx, a, place{7, 7}, ""))
		if _, err := at.Ref(ctx); err == nil || !strings.Contains(err.Error(), "seats[{7 7}]") {
			t.Errorf("a process of another type: %v", err)
		}
	})
}

func TestMeta(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		opened, size := registry.NewMeta[bool]("about"), registry.NewMeta[int]("about")
		wantErr(t, size.Put(ctx, seats, 1), process.ErrNoProc)
		startRegistry(t, ctx, seats)
		if _, ok, err := size.Get(ctx, seats); ok || err != nil {
			t.Errorf("never set: %v, %v", ok, err)
		}
		must(t, size.Put(ctx, seats, 300))
		must(t, opened.Put(ctx, seats, true))
		if n, ok, err := size.Get(ctx, seats); n != 300 || !ok || err != nil {
			t.Errorf("got %d, %v, %v", n, ok, err)
		}
		must(t, size.Delete(ctx, seats))
		if _, ok, err := size.Get(ctx, seats); ok || err != nil {
			t.Errorf("deleted: %v, %v", ok, err)
		}
		if b, ok, err := opened.Get(ctx, seats); !b || !ok || err != nil {
			t.Errorf("the other of that name: %v, %v, %v", b, ok, err)
		}
	})
}

// ledger is what a listener has been told.
type ledger map[place]process.PID

// Whatever happens at the same time: a key has one owner, who is alive, and what
// a listener is told, each event once, adds up to what is.
func TestKeysEndWithTheirProcess(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ops := rapid.SliceOfN(rapid.IntRange(0, 4*3*4-1), 0, 60).Draw(rt, "ops")
		var faults []string
		synctest.Test(t, func(t *testing.T) { faults = register(t, ops) })
		if faults != nil {
			rt.Fatal(strings.Join(faults, "\n"))
		}
	})
}

type told struct {
	event   *seatEvent
	down    process.PID
	compare func(ledger)
}

func register(t *testing.T, ops []int) (faults []string) {
	ctx := processtest.Context(t)
	startRegistry(t, ctx, seats)
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	var agents []*agent
	for range 4 {
		agents = append(agents, newAgent(t, ctx))
	}
	l := ledger{}
	listener, err := process.Spawn(ctx, func(ctx context.Context, in *process.Inbox[told]) error {
		if _, _, err := registry.Listen(ctx, seats, func(e seatEvent) told { return told{event: &e} }); err != nil {
			return err
		}
		for _, a := range agents {
			if _, err := in.Monitor(a.ref, func(d process.Down) told { return told{down: d.PID} }); err != nil {
				return err
			}
		}
		for {
			switch m := in.Receive(); {
			case m.compare != nil:
				m.compare(l)
			case m.event == nil:
				keys, err := seats.Keys(ctx, m.down)
				if err != nil || keys != nil {
					fault("at the Down of %v it has %v (%v)", m.down, keys, err)
				}
				for at, pid := range l {
					if pid == m.down {
						fault("at the Down of %v it has %v, as we were told", m.down, at)
					}
				}
			case m.event.Kind == registry.Registered:
				if has, ok := l[m.event.Key]; ok {
					fault("told that %v has %v, which %v has", m.event.PID, m.event.Key, has)
				}
				l[m.event.Key] = m.event.PID
			default:
				if l[m.event.Key] != m.event.PID {
					fault("told that %v had %v, which %v has", m.event.PID, m.event.Key, l[m.event.Key])
				}
				delete(l, m.event.Key)
			}
		}
	})
	must(t, err)
	synctest.Wait()
	for _, op := range ops {
		a, at := agents[op%4], place{row: op / 4 % 3}
		must(t, a.ref.Send(ctx, order{do: func(ctx context.Context) error {
			switch op / 12 {
			case 0:
				if at.row == 0 {
					return errors.New("enough")
				}
				return seats.Unregister(ctx, at)
			default:
				_ = seats.Register(ctx, at, "") // it may be taken
				return nil
			}
		}}))
	}
	synctest.Wait()
	must(t, listener.Send(ctx, told{compare: func(l ledger) {
		now, err := seats.Select(ctx, nil)
		if err != nil || len(now) != len(l) {
			fault("there is %v (%v), we were told of %v", now, err, l)
		}
		for _, e := range now {
			if l[e.Key] != e.PID || !e.PID.Alive() {
				fault("%v has %v, we were told of %v", e.PID, e.Key, l[e.Key])
			}
		}
	}}))
	synctest.Wait()
	return faults
}
