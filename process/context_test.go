package process_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

type key string

// A process is its own context, and its cause is the exit reason, in derived
// contexts too, whenever they were made.
func TestContextOfAProcess(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		for _, early := range []bool{false, true} {
			pid := start(t, ctx, process.Spec{})
			var own, derived context.Context
			cancel := func() {}
			in(t, ctx, pid, func(ctx context.Context) {
				own = ctx
				if early {
					derived, cancel = context.WithCancel(ctx)
				}
			})
			if own.Err() != nil {
				t.Errorf("Err of the living: %v", own.Err())
			}
			send(t, ctx, pid, errBoom)
			wantReason(t, ctx, pid, errBoom)
			if !early {
				derived, cancel = context.WithCancel(own)
			}
			defer cancel()
			for _, c := range []context.Context{own, derived} {
				<-c.Done()
				if !errors.Is(c.Err(), context.Canceled) || context.Cause(c) != errBoom {
					t.Errorf("Err %v, Cause %v; want Canceled and %v", c.Err(), context.Cause(c), errBoom)
				}
			}
		}
	})
}

// Contexts derived from a process cost no goroutine.
func TestDerivedContextsCostNoGoroutine(t *testing.T) {
	ctx := processtest.Context(t)
	pid := start(t, ctx, process.Spec{})
	in(t, ctx, pid, func(ctx context.Context) {
		before := runtime.NumGoroutine()
		for range 100 {
			_, cancel := context.WithCancel(ctx)
			defer cancel()
		}
		if more := runtime.NumGoroutine() - before; more > 0 {
			t.Errorf("100 derived contexts made %d goroutines", more)
		}
	})
}

// Values come from the node and from births, never from a starter's own ctx.
func TestValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Node(t, process.NodeSpec{Values: context.WithValue(context.Background(), key("node"), 1)})
		values := func(ctx context.Context) (out [3]any) {
			pid := start(t, ctx, process.Spec{})
			in(t, ctx, pid, func(ctx context.Context) {
				out = [3]any{ctx.Value(key("node")), ctx.Value(key("starter")), ctx.Value(key("birth"))}
			})
			return out
		}
		with := context.WithValue(ctx, key("starter"), 2)
		if got := values(with); got != [3]any{1, nil, nil} {
			t.Errorf("values %v, want the node's only", got)
		}
		birth := process.WithBirth(with, process.Birth{ID: "x", Values: context.WithValue(context.Background(), key("birth"), 3)})
		if got := values(birth); got != [3]any{nil, nil, 3} {
			t.Errorf("values %v, want those of the birth", got)
		}
	})
}

func TestNoNode(t *testing.T) {
	ctx := context.Background()
	if _, err := process.Start(ctx, process.Spec{Behaviour: &script{}}); !errors.Is(err, process.ErrNoNode) {
		t.Errorf("Start: %v", err)
	}
	if _, err := process.NodeOf(ctx); !errors.Is(err, process.ErrNoNode) {
		t.Errorf("NodeOf: %v", err)
	}
	if !process.Self(ctx).IsZero() {
		t.Errorf("Self: %v", process.Self(ctx))
	}
	process.Emit(ctx, process.Event{Kind: process.Warned}) // nobody's: nothing happens
}

// Acting lends an identity to a ctx from outside, which keeps its deadline.
func TestActing(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid := start(t, ctx, process.Spec{})
		in(t, ctx, pid, func(own context.Context) {
			outside, cancel := context.WithTimeout(context.WithValue(context.Background(), key("request"), 7), time.Second)
			defer cancel()
			both, err := process.Acting(outside, own)
			if err != nil {
				t.Fatal(err)
			}
			if process.Self(both) != pid || both.Value(key("request")) != 7 {
				t.Errorf("acting as %v with value %v", process.Self(both), both.Value(key("request")))
			}
			quiet := start(t, ctx, process.Spec{})
			began := time.Now()
			err = process.Do(both, quiet, &run{f: func(context.Context, *run) error { return nil }})
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("a call that is never answered: %v after %v, want the deadline of the ctx", err, time.Since(began))
			}
		})
	})
}

// A process whose parent told it to stop is done; what it must still finish it
// does in Terminate, or with Uninterrupted.
func TestToldToStop(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		helper := start(t, ctx, process.Spec{})
		parent := start(t, ctx, process.Spec{TrapExit: true})
		var during, hard, last error
		var child process.PID
		in(t, ctx, parent, func(ctx context.Context) {
			child = start(t, ctx, process.Spec{TrapExit: true, Behaviour: &script{terminate: func(ctx context.Context, _ error) error {
				last = process.Do(ctx, helper, &take{})
				return nil
			}}})
		})
		send(t, ctx, child, do(func(ctx context.Context, _ *script) error {
			never := &run{f: func(context.Context, *run) error { return nil }}
			during = process.Do(ctx, helper, never)
			hard = process.Do(process.Uninterrupted(ctx), helper, &take{})
			return nil
		}))
		synctest.Wait()
		began := time.Now()
		in(t, ctx, parent, func(ctx context.Context) {
			if err := process.SendExit(ctx, child, process.ErrShutdown); err != nil {
				t.Error(err)
			}
		})
		wantReason(t, ctx, child, process.ErrShutdown)
		if during != process.ErrShutdown || time.Since(began) != 0 {
			t.Errorf("the call in hand ended with %v after %v, want %v at once", during, time.Since(began), process.ErrShutdown)
		}
		if hard != nil || last != nil {
			t.Errorf("Uninterrupted call: %v, call in Terminate: %v; want both answered", hard, last)
		}
	})
}
