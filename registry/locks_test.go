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

var files = registry.NewLocks[string]("files")

func startLocks(t testing.TB, ctx context.Context) process.PID {
	t.Helper()
	pid, err := files.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func tryLock(t *testing.T, ctx context.Context, a *agent, want bool) {
	t.Helper()
	a.must(t, ctx, func(ctx context.Context) error {
		got, err := files.TryLock(ctx, "f")
		if got != want {
			t.Errorf("TryLock by %v: %v, want %v", a.pid(), got, want)
		}
		return err
	})
}

func unlock(t *testing.T, ctx context.Context, a *agent, want error) {
	t.Helper()
	if err := a.do(t, ctx, func(ctx context.Context) error { return files.Unlock(ctx, "f") }); !errors.Is(err, want) {
		t.Errorf("Unlock by %v: %v, want %v", a.pid(), err, want)
	}
}

func TestLocks(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startLocks(t, ctx)
		a, b := newAgent(t, ctx), newAgent(t, ctx)
		tryLock(t, ctx, a, true)
		tryLock(t, ctx, a, true) // once more
		tryLock(t, ctx, b, false)
		unlock(t, ctx, b, registry.ErrNotHeld)
		unlock(t, ctx, a, nil)
		tryLock(t, ctx, b, false)
		unlock(t, ctx, a, nil)
		tryLock(t, ctx, b, true)
		unlock(t, ctx, a, registry.ErrNotHeld)
		wantErr(t, files.Lock(ctx, "f"), process.ErrNoSelf)
	})
}

// Who has seen the end of a holder finds the lock free.
func TestLocksOfTheDead(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startLocks(t, ctx)
		a, b := newAgent(t, ctx), newAgent(t, ctx)
		for range 20 {
			tryLock(t, ctx, a, true)
			a.end(t, ctx)
			tryLock(t, ctx, b, true)
			a, b = b, newAgent(t, ctx)
		}
	})
}

// Those who wait get the lock in the order in which they came; who has given up
// or ended is passed over.
func TestLocksAreFair(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startLocks(t, ctx)
		holder, impatient, dead := newAgent(t, ctx), newAgent(t, ctx), newAgent(t, ctx)
		tryLock(t, ctx, holder, true)
		must(t, impatient.ref.Send(ctx, order{do: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			wantErr(t, files.Lock(ctx, "f"), context.DeadlineExceeded)
			return nil
		}}))
		must(t, dead.ref.Send(ctx, order{do: func(ctx context.Context) error { return files.Lock(ctx, "f") }}))
		synctest.Wait()
		got := make(chan int, 3)
		for i := range cap(got) {
			a := newAgent(t, ctx)
			must(t, a.ref.Send(ctx, order{do: func(ctx context.Context) error {
				return files.Do(ctx, "f", func() error { got <- i; return nil })
			}}))
			synctest.Wait()
		}
		must(t, process.Kill(ctx, dead.ref))
		time.Sleep(2 * time.Second)
		unlock(t, ctx, holder, nil)
		synctest.Wait()
		for i := range cap(got) {
			if n := <-got; n != i {
				t.Errorf("the lock went to %d, want %d", n, i)
			}
		}
		tryLock(t, ctx, holder, true)
	})
}

// Many processes count together, and lose nothing.
func TestLocksExclude(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startLocks(t, ctx)
		n := 0 // guarded by the lock
		for range 50 {
			_, err := process.Go(ctx, func(ctx context.Context) error {
				return files.Do(ctx, "f", func() error {
					was := n
					time.Sleep(time.Millisecond)
					n = was + 1
					return nil
				})
			})
			must(t, err)
		}
		time.Sleep(time.Second)
		a := newAgent(t, ctx)
		tryLock(t, ctx, a, true)
		if n != 50 {
			t.Errorf("counted to %d", n)
		}
	})
}
