package registry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/registry"
)

// Whatever is asked of a table that is not there, the error says so.
func TestNoSuchTable(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		a := newAgent(t, ctx)
		a.must(t, ctx, func(ctx context.Context) error {
			for what, f := range map[string]func() error{
				"Join":            func() error { return rooms.Join(ctx, "g", a.pid()) },
				"Leave":           func() error { return rooms.Leave(ctx, "g", a.pid()) },
				"Members":         func() error { _, err := rooms.Members(ctx, "g"); return err },
				"Groups":          func() error { _, err := rooms.Groups(ctx); return err },
				"MonitorGroup":    func() error { _, _, err := registry.MonitorGroup(ctx, rooms, "g", heard[roomChange]("")); return err },
				"Register":        func() error { return seats.Register(ctx, place{}, "") },
				"Unregister":      func() error { return seats.Unregister(ctx, place{}) },
				"Lookup":          func() error { _, err := seats.Lookup(ctx, place{}); return err },
				"Update":          func() error { _, err := seats.Update(ctx, place{}, nil); return err },
				"Keys":            func() error { _, err := seats.Keys(ctx, a.ref); return err },
				"Count":           func() error { _, err := seats.Count(ctx); return err },
				"Select":          func() error { _, err := seats.Select(ctx, nil); return err },
				"Listen":          func() error { _, _, err := registry.Listen(ctx, seats, heard[seatEvent]("")); return err },
				"Lookup of many":  func() error { _, err := topics.Lookup(ctx, ""); return err },
				"Values":          func() error { _, err := topics.Values(ctx, "", a.ref); return err },
				"Dispatch":        func() error { return topics.Dispatch(ctx, "", nil) },
				"UnregisterWhere": func() error { _, err := topics.UnregisterWhere(ctx, "", nil); return err },
				"Lock":            func() error { return files.Lock(ctx, "f") },
				"Get":             func() error { _, _, err := registry.NewMeta[int]("").Get(ctx, seats); return err },
			} {
				if err := f(); !errors.Is(err, process.ErrNoProc) {
					t.Errorf("%s: %v, want %v", what, err, process.ErrNoProc)
				}
			}
			return nil
		})
	})
}

// A listener that ends is forgotten, with all its subscriptions.
func TestListenerEnds(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startRegistry(t, ctx, seats)
		a, b, l := newAgent(t, ctx), newAgent(t, ctx), newAgent(t, ctx)
		listen := func(by *agent, name string) (w *registry.Watch) {
			by.must(t, ctx, func(ctx context.Context) (err error) {
				w, _, err = registry.Listen(ctx, seats, heard[seatEvent](name))
				return err
			})
			return w
		}
		first, second, other := listen(l, "1"), listen(l, "2"), listen(b, "b")
		if !first.Stop() {
			t.Error("the first had ended")
		}
		l.end(t, ctx)
		if second.Stop() {
			t.Error("the second goes on after the end of its process")
		}
		must(t, take(t, ctx, a, place{}, "ada"))
		a.end(t, ctx)
		b.must(t, ctx, func(context.Context) error {
			if len(b.heard) != 2 {
				t.Errorf("the other heard %q, want that ada came and went", b.heard)
			}
			return nil
		})
		if !other.Stop() {
			t.Error("the other had ended")
		}
	})
}

// A process that does not come back from its handler has what it has until its
// Grace is over; then others can have it, and its goroutine can have no more.
func TestAbandoned(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startRegistry(t, ctx, seats)
		startScope(t, ctx)
		startLocks(t, ctx)
		gate, done := make(chan struct{}), make(chan struct{})
		deaf, err := process.Go(ctx, func(ctx context.Context) error {
			defer close(done)
			must(t, seats.Register(ctx, place{}, "deaf"))
			must(t, rooms.Join(ctx, "g", process.Self(ctx)))
			must(t, files.Lock(ctx, "f"))
			<-gate
			wantErr(t, seats.Register(ctx, place{9, 9}, "deaf"), process.ErrKilled)
			wantErr(t, rooms.Join(ctx, "h", process.Self(ctx)), process.ErrKilled)
			wantErr(t, files.Lock(ctx, "g"), process.ErrKilled)
			return nil
		})
		must(t, err)
		synctest.Wait()
		must(t, process.Kill(ctx, deaf))
		a := newAgent(t, ctx)
		wantErr(t, take(t, ctx, a, place{}, "ada"), process.ErrNameTaken)
		if _, err := seats.Lookup(ctx, place{}); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("a key of the doomed leads somewhere: %v", err)
		}
		tryLock(t, ctx, a, false)
		began := time.Now()
		_, err = process.Wait(ctx, deaf)
		must(t, err)
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("abandoned after %v, want the node's Grace", took)
		}
		wantGroups(t, ctx)
		must(t, take(t, ctx, a, place{}, "ada"))
		tryLock(t, ctx, a, true)
		close(gate)
		<-done
		synctest.Wait()
		wantGroups(t, ctx)
		if n, err := seats.Count(ctx); n != 1 || err != nil {
			t.Errorf("%d entries (%v), want ada's", n, err)
		}
	})
}
