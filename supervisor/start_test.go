package supervisor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

func TestStartFails(t *testing.T) {
	bubble(t, func(w *world) {
		inner := supervisor.Spec{Children: []supervisor.Child{w.child("c"), w.child("d", starts(errNo)), w.child("e")}}
		_, err := w.tryTop(supervisor.Spec{Name: "top", Children: []supervisor.Child{
			w.child("a"), w.child("b"), {ID: "s", Start: supervisor.StartFunc(inner)}, w.child("z"),
		}})
		w.want("those before are stopped in reverse before Start returns",
			"top/a starts", "top/b starts", "top/s/c starts", "top/s/d fails",
			"top/s: start error: d no", "top/s/c stops shutdown", "top/s exit shutdown: failed to start child \"d\": no",
			"top: start error: s shutdown: failed to start child \"d\": no",
			"top/b stops shutdown", "top/a stops shutdown",
			"top exit shutdown: failed to start child \"s\": shutdown: failed to start child \"d\": no")
		outer, ok := errors.AsType[*supervisor.StartError](err)
		if !ok || outer.ID != "s" {
			t.Fatalf("the error is %v, want a StartError of s", err)
		}
		inside, ok := errors.AsType[*supervisor.StartError](outer.Err)
		if !ok || inside.ID != "d" || inside.Err != errNo {
			t.Errorf("its cause is %v, want a StartError of d", outer.Err)
		}
		if !errors.Is(err, process.ErrShutdown) || !errors.Is(err, errNo) {
			t.Errorf("%v should be both shutdown and no", err)
		}
		if _, ok := process.Whereis(w.ctx, "top"); ok {
			t.Error("the name of the failed supervisor is still taken")
		}
	})
}

// What can be wrong with a start function, and what is said of it.
func TestBadStartFunctions(t *testing.T) {
	type pid = process.PID
	var w *world
	var first pid
	tests := []struct {
		name  string
		start func(ctx context.Context) (pid, error)
		is    error
		says  string
	}{
		{"nothing", func(context.Context) (pid, error) { return pid{}, nil },
			supervisor.ErrNoProcess, "returned no process and no error"},
		{"an error", func(context.Context) (pid, error) { return pid{}, errBoom },
			errBoom, `failed to start child "x": boom`},
		{"a panic", func(context.Context) (pid, error) { panic(errBoom) },
			errBoom, "the start function: panic: boom"},
		{"another ctx", func(context.Context) (pid, error) {
			return process.Go(w.ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
		}, supervisor.ErrNotLinked, "pass on the ctx you were given"},
		{"a sibling", func(context.Context) (pid, error) { return first, nil },
			supervisor.ErrNotNew, `it is "first"`},
		{"the supervisor itself", func(ctx context.Context) (pid, error) { return process.Self(ctx), nil },
			supervisor.ErrNotNew, ""},
		{"the supervisor's parent", func(ctx context.Context) (pid, error) { return process.Self(ctx).Parent(), nil },
			supervisor.ErrNotNew, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(world *world) {
				w = world
				inner := supervisor.Spec{Name: "inner", Children: []supervisor.Child{w.child("first")}}
				w.top(supervisor.Spec{Children: []supervisor.Child{{ID: "inner", Start: supervisor.StartFunc(inner)}}})
				top := process.Name("inner")
				first = w.pid("top/inner/first")
				w.take()
				_, err := supervisor.StartChild(w.ctx, top, supervisor.Child{ID: "x", Start: tt.start})
				if e, ok := errors.AsType[*supervisor.StartError](err); !ok || e.ID != "x" {
					t.Errorf("the error is %v, want a StartError of x", err)
				}
				if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("the error is %q, want %v, saying %q", err, tt.is, tt.says)
				}
				if _, err := supervisor.GetChild(w.ctx, top, "x"); !errors.Is(err, supervisor.ErrNotFound) {
					t.Errorf("x was kept: %v", err)
				}
				w.want("the caller has the error, so there is no report, and first was left alone")
			})
		})
	}
}

// A panic in a start function is not one in an Init.
func TestStartPanics(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{})
		_, err := supervisor.StartChild(w.ctx, top, supervisor.Child{ID: "f",
			Start: func(context.Context) (process.PID, error) { panic("in the function") }})
		own, ok := errors.AsType[*supervisor.StartPanicError](err)
		if !ok || !strings.Contains(own.Panic.StackText(), "TestStartPanics") {
			t.Errorf("the error is %v, want a StartPanicError with the stack of the function", err)
		}
		_, err = supervisor.StartChild(w.ctx, top, w.child("i", func(k *worker, _ *supervisor.Child) {
			k.starts = append(k.starts, func(context.Context) error { panic("in Init") })
		}))
		if _, ok := errors.AsType[*supervisor.StartPanicError](err); ok {
			t.Errorf("a panic in Init is said to be one in the start function: %v", err)
		}
		if _, ok := errors.AsType[*process.PanicError](err); !ok {
			t.Errorf("the error is %v, want a PanicError", err)
		}
		w.want("the supervisor goes on, and nobody else heard of it")
	})
}

// Whatever a start function has started does not outlive its failure, if it is
// known.
func TestStartReturnsBoth(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{})
		c := w.child("a")
		begin := c.Start
		c.Start = func(ctx context.Context) (process.PID, error) {
			pid, err := begin(ctx)
			return pid, errors.Join(err, errNo)
		}
		if _, err := supervisor.StartChild(w.ctx, top, c); !errors.Is(err, errNo) {
			t.Errorf("the error is %v", err)
		}
		w.want("the process is stopped again", "top/a starts", "top/a stops shutdown")
	})
}

// A process that ends as soon as it has started is a crash, not a failed start;
// also if its start function has forgotten the ctx.
func TestEndsAtOnce(t *testing.T) {
	for name, from := range map[string]func(w *world, given context.Context) context.Context{
		"linked":     func(_ *world, given context.Context) context.Context { return given },
		"not linked": func(w *world, _ context.Context) context.Context { return w.ctx },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				n := 0
				w.top(supervisor.Spec{Children: []supervisor.Child{{ID: "a", Start: func(ctx context.Context) (process.PID, error) {
					if n++; n > 1 {
						return process.PID{}, process.ErrIgnore
					}
					pid, err := process.Go(from(w, ctx), func(context.Context) error { return errBoom })
					if err == nil {
						_, err = process.Wait(ctx, pid)
					}
					return pid, err
				}}}})
				switch name {
				case "linked":
					w.want("its reason is known", "top: child terminated: a boom")
				default:
					w.want("all that is known is that it is gone", "top: child terminated: a no such process")
				}
				if n != 2 {
					t.Errorf("it was started %d times, want twice", n)
				}
			})
		})
	}
}

// A start that takes too long is a failed start, and leaves nothing behind.
func TestStartTimeout(t *testing.T) {
	slowly := func(k *worker, c *supervisor.Child) {
		c.StartTimeout = 3 * time.Second
		k.starts = append(k.starts, nil, func(ctx context.Context) error {
			select {
			case <-time.After(time.Hour):
			case <-ctx.Done():
			}
			return ctx.Err()
		}, nil)
	}
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a", slowly), w.child("b")}})
		w.take()
		w.end("top/a", errBoom)
		w.want("it is restarted, and hangs", "top/a stops boom", "top: child terminated: a boom")
		time.Sleep(3 * time.Second)
		w.want("until its time is over; that was the one restart allowed",
			"top/a fails", "top: start error: a did not start within 3s: process: timed out",
			"top: shutdown: a supervisor: reached maximum restart intensity", "top/b stops shutdown", "top exit shutdown")
		if top.Alive() {
			t.Error("top is alive")
		}
	})
}

// The start function itself sees the deadline.
func TestStartTimeoutOfTheFunction(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{})
		_, err := supervisor.StartChild(w.ctx, top, supervisor.Child{ID: "a", StartTimeout: time.Second,
			Start: func(ctx context.Context) (process.PID, error) {
				<-ctx.Done()
				return process.PID{}, context.Cause(ctx)
			}})
		if !errors.Is(err, process.ErrTimeout) {
			t.Errorf("the error is %v, want a time-out", err)
		}
		w.want("the supervisor goes on, and nobody else heard of it")
	})
}

// While a supervisor is told to stop, a start that is under way sees it in its
// ctx; one that does not care is waited for.
func TestStopDuringRestart(t *testing.T) {
	bubble(t, func(w *world) {
		gate := make(chan struct{})
		w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a"), w.child("b", func(k *worker, _ *supervisor.Child) {
			k.starts = append(k.starts, nil, func(context.Context) error { <-gate; return errNo }, nil)
		})}})
		w.take()
		w.end("top/b", errBoom)
		w.stop()
		w.want("the restart is still under way", "top/b stops boom", "top: child terminated: b boom")
		close(gate)
		w.want("the order to stop comes before the next attempt",
			"top/b fails", "top: start error: b no", "top/a stops shutdown", "top exit shutdown")
	})
}

// unanswered is a request that nobody answers.
type unanswered struct{ process.Call }

// A child that ends while its supervisor looks at it for the first time has ended
// with its own reason, and not because there is no such process: so a transient one
// that was done is not started again.
func TestEndsWhileItIsAdmitted(t *testing.T) {
	bubble(t, func(w *world) {
		ending, admitted := make(chan struct{}), make(chan struct{})
		starts := 0
		w.top(supervisor.Spec{Name: "top", Children: []supervisor.Child{{
			ID: "a", Restart: supervisor.Transient,
			Start: func(ctx context.Context) (process.PID, error) {
				if starts++; starts > 1 {
					return process.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
				}
				begun := make(chan struct{})
				pid, err := process.Go(ctx, func(context.Context) error { <-begun; return nil })
				// What was not answered is settled before the links are told of the end.
				process.Begin(ctx, pid, &unanswered{}).Then(func() { close(ending); <-admitted })
				close(begun)
				<-ending
				return pid, err
			},
		}}})
		close(admitted)
		synctest.Wait()
		w.want("nobody is said to be missing")
		if starts != 1 {
			t.Errorf("it was started %d times", starts)
		}
	})
}
