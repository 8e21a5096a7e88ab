package task_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/supervisor/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errBoom = errors.New("boom")
	tasks   = process.Name("tasks")
)

// bubble runs f in a bubble of its own, with the ctx of a node that has a
// supervisor of tasks.
func bubble(t *testing.T, f func(t *testing.T, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		if _, err := supervisor.Start(ctx, task.Supervisor(string(tasks))); err != nil {
			t.Fatal(err)
		}
		f(t, ctx)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// What tasks do in these tests.

func answer(context.Context) (int, error) { return 42, nil }

func fail(context.Context) (int, error) { return 7, errBoom }

func explode(context.Context) (int, error) { panic("ouch") }

func obey(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() }

func second(ctx context.Context) (int, error) {
	select {
	case <-time.After(time.Second):
		return 1, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// deaf returns long after it was told to stop, within its Grace.
func deaf(ctx context.Context) (int, error) {
	<-ctx.Done()
	time.Sleep(50 * time.Millisecond)
	return 99, nil
}

// begin has a task begun in one of the three ways.
type begin func(ctx context.Context, f func(context.Context) (int, error)) (*task.Task[int], error)

var ways = map[string]begin{
	"Async": task.Async[int],
	"AsyncUnder": func(ctx context.Context, f func(context.Context) (int, error)) (*task.Task[int], error) {
		return task.AsyncUnder(ctx, tasks, f)
	},
	"AsyncNoLink": func(ctx context.Context, f func(context.Context) (int, error)) (*task.Task[int], error) {
		return task.AsyncNoLink(ctx, tasks, f)
	},
}

// everyWay runs a test for each way of beginning a task.
func everyWay(t *testing.T, f func(t *testing.T, ctx context.Context, async begin)) {
	for name, async := range ways {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) { f(t, ctx, async) })
		})
	}
}

func TestResult(t *testing.T) {
	everyWay(t, func(t *testing.T, ctx context.Context, async begin) {
		a, err := async(ctx, answer)
		must(t, err)
		b, err := async(ctx, fail)
		must(t, err)
		for range 2 { // the result stays
			if n, err := a.Await(ctx); n != 42 || err != nil {
				t.Errorf("awaited %d, %v", n, err)
			}
			if n, err := b.Await(ctx); n != 7 || err != errBoom {
				t.Errorf("awaited %d, %v, want 7 and the function's own error", n, err)
			}
			if n, err := a.Result(); n != 42 || err != nil {
				t.Errorf("result %d, %v", n, err)
			}
		}
		if reason, err := process.Wait(ctx, b); reason != nil || err != nil {
			t.Errorf("a task whose function failed ended with %v (%v): its error is the result, not a crash", reason, err)
		}
		if !a.PID().Is(task.Kind) {
			t.Errorf("%v is a %q", a.PID(), a.PID().Kind())
		}
	})
}

func TestCrashReachesWhoAwaits(t *testing.T) {
	everyWay(t, func(t *testing.T, ctx context.Context, async begin) {
		a, err := async(ctx, explode)
		must(t, err)
		_, err = a.Await(ctx)
		exit, ok := errors.AsType[*process.ExitError](err)
		if !ok || exit.PID != a.PID() {
			t.Errorf("awaited: %v, want an exit error of %v", err, a.PID())
		}
		if p, ok := errors.AsType[*process.PanicError](err); !ok || p.Value != "ouch" {
			t.Errorf("awaited: %v, want the panic in it", err)
		}
		k, err := async(ctx, obey)
		must(t, err)
		must(t, process.Kill(ctx, k))
		_, err = k.Await(ctx)
		wantErr(t, err, process.ErrKilled)
		_, err = k.Result()
		wantErr(t, err, process.ErrKilled)
	})
}

// in runs f in a process that holds still afterwards, and returns its PID.
func in(t *testing.T, ctx context.Context, f func(ctx context.Context) error) process.PID {
	t.Helper()
	pid, err := process.Go(ctx, func(ctx context.Context) error {
		if err := f(ctx); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	must(t, err)
	return pid
}

// A crash of a linked task is its caller's too, and the other way round.
func TestLinks(t *testing.T) {
	for name, linked := range map[string]bool{"Async": true, "AsyncUnder": true, "AsyncNoLink": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				caller := in(t, ctx, func(ctx context.Context) error {
					_, err := ways[name](ctx, func(context.Context) (int, error) { time.Sleep(time.Second); panic("ouch") })
					return err
				})
				var of *task.Task[int]
				other := in(t, ctx, func(ctx context.Context) (err error) { of, err = ways[name](ctx, obey); return err })
				synctest.Wait()
				must(t, process.Kill(ctx, other))
				time.Sleep(2 * time.Second)
				if caller.Alive() == linked {
					t.Errorf("the task crashed; its caller lives: %v, want %v", caller.Alive(), !linked)
				}
				if of.PID().Alive() == linked {
					t.Errorf("the caller was killed; its task lives: %v, want %v", of.PID().Alive(), !linked)
				}
			})
		})
	}
}

// A task under a supervisor whose caller has ended before it began does not
// begin.
func TestNobodyIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		must(t, process.Suspend(ctx, tasks))
		ran := false
		caller := in(t, ctx, func(ctx context.Context) error {
			_, err := task.AsyncUnder(ctx, tasks, func(context.Context) (int, error) { ran = true; return 0, nil })
			return err
		})
		synctest.Wait()
		must(t, process.Kill(ctx, caller))
		must(t, process.Resume(ctx, tasks))
		synctest.Wait()
		if ran {
			t.Error("it began")
		}
	})
}

func TestYield(t *testing.T) {
	everyWay(t, func(t *testing.T, ctx context.Context, async begin) {
		a, err := async(ctx, second)
		must(t, err)
		if _, over, err := a.Yield(ctx, time.Millisecond); over || err != nil {
			t.Errorf("after a millisecond: over %v, %v", over, err)
		}
		_, err = a.Result()
		wantErr(t, err, task.ErrRunning)
		soon, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err = a.Await(soon)
		wantErr(t, err, context.DeadlineExceeded)
		if n, over, err := a.Yield(ctx, time.Minute); n != 1 || !over || err != nil {
			t.Errorf("in the end: %d, over %v, %v", n, over, err)
		}
		if n, err := a.Await(soon); n != 1 || err != nil {
			t.Errorf("a result that is there, with a ctx that is done: %d, %v", n, err)
		}
	})
}

func TestShutdown(t *testing.T) {
	everyWay(t, func(t *testing.T, ctx context.Context, async begin) {
		for name, tt := range map[string]struct {
			f      func(context.Context) (int, error)
			within time.Duration
			n      int
			over   bool
			err    error
			reason error
		}{
			"obeys":                 {f: obey, within: time.Second, reason: process.ErrShutdown},
			"obeys with the cause":  {f: second, within: 100 * time.Millisecond, reason: process.ErrShutdown},
			"is over":               {f: answer, within: time.Second, n: 42, over: true},
			"has failed":            {f: fail, within: time.Second, n: 7, over: true, err: errBoom},
			"finishes nevertheless": {f: deaf, within: time.Second, n: 99, over: true},
			"is too slow":           {f: deaf, within: time.Millisecond, reason: process.ErrKilled},
		} {
			caller, err := process.Go(ctx, func(ctx context.Context) error {
				a, err := async(ctx, tt.f)
				must(t, err)
				time.Sleep(time.Millisecond)
				n, over, err := a.Shutdown(ctx, tt.within)
				if n != tt.n || over != tt.over || err != tt.err {
					t.Errorf("%s: %d, over %v, %v; want %d, %v, %v", name, n, over, err, tt.n, tt.over, tt.err)
				}
				if reason, err := process.Wait(ctx, a); reason != tt.reason || err != nil {
					t.Errorf("%s: ended with %v (%v), want %v", name, reason, err, tt.reason)
				}
				return nil
			})
			must(t, err)
			if reason, err := process.Wait(ctx, caller); reason != nil || err != nil {
				t.Errorf("%s: the caller ended with %v (%v)", name, reason, err)
			}
		}
	})
}

// A task that crashed before it was shut down says so.
func TestShutdownOfTheCrashed(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		a, err := task.Async(ctx, explode)
		must(t, err)
		synctest.Wait()
		_, over, err := a.Shutdown(ctx, time.Second)
		if _, ok := errors.AsType[*process.PanicError](err); !over || !ok {
			t.Errorf("over %v, %v", over, err)
		}
	})
}

func TestIgnore(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var a *task.Task[int]
		caller := in(t, ctx, func(ctx context.Context) (err error) {
			if a, err = task.Async(ctx, second); err != nil {
				return err
			}
			_, over, err := a.Ignore(ctx)
			if over {
				t.Error("over at once")
			}
			return err
		})
		synctest.Wait()
		must(t, process.Kill(ctx, caller))
		if n, err := a.Await(ctx); n != 1 || err != nil {
			t.Errorf("an ignored task: %d, %v", n, err)
		}
		if n, over, err := a.Ignore(ctx); n != 1 || !over || err != nil {
			t.Errorf("ignored when it was over: %d, %v, %v", n, over, err)
		}
	})
}

func TestAwaitAll(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var all []*task.Task[int]
		for i := range 3 {
			a, err := task.Async(ctx, func(context.Context) (int, error) { time.Sleep(time.Second); return i, nil })
			must(t, err)
			all = append(all, a)
		}
		if got, err := task.AwaitAll(ctx, all...); err != nil || len(got) != 3 || got[0] != 0 || got[2] != 2 {
			t.Errorf("awaited %v, %v", got, err)
		}
		bad, err := task.Async(ctx, fail)
		must(t, err)
		_, err = task.AwaitAll(ctx, append(all, bad)...)
		wantErr(t, err, errBoom)
	})
}

func TestRefused(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		if _, err := task.Async[int](ctx, nil); err == nil {
			t.Error("a task without a function: no error")
		}
		if _, err := task.Start(ctx, tasks, nil); err == nil {
			t.Error("a task without a function: no error")
		}
		_, err := task.Async(context.Background(), answer)
		wantErr(t, err, process.ErrNoNode)
		_, err = task.AsyncNoLink(ctx, process.Name("nobody"), answer)
		wantErr(t, err, process.ErrNoProc)
		self := make(chan *task.Task[int], 1)
		a, err := task.Async(ctx, func(ctx context.Context) (int, error) { a := <-self; self <- a; return a.Await(ctx) })
		must(t, err)
		self <- a
		_, err = a.Await(ctx)
		wantErr(t, err, process.ErrCallingSelf)
	})
}

// The end of a supervisor is the end of its tasks; who awaits them hears of it.
func TestSupervisorEnds(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		spec := task.Supervisor("two")
		spec.MaxChildren = 2
		sup, err := supervisor.Start(ctx, spec)
		must(t, err)
		a, err := task.AsyncNoLink(ctx, sup, obey)
		must(t, err)
		ended := false
		_, err = task.Start(ctx, sup, func(ctx context.Context) error { <-ctx.Done(); ended = true; return ctx.Err() })
		must(t, err)
		_, err = task.AsyncNoLink(ctx, sup, obey)
		wantErr(t, err, supervisor.ErrMaxChildren)
		must(t, process.Stop(ctx, sup, process.ErrShutdown))
		_, err = a.Await(ctx)
		wantErr(t, err, process.ErrShutdown)
		if !ended {
			t.Error("the other task still runs")
		}
	})
}

// An abandoned task's late result is nobody's.
func TestLateResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		gate := make(chan struct{})
		a, err := task.Async(ctx, func(context.Context) (int, error) { <-gate; return 1, nil })
		must(t, err)
		must(t, process.Kill(ctx, a))
		_, err = a.Await(ctx)
		wantErr(t, err, process.ErrKilled)
		close(gate)
		synctest.Wait()
		_, err = a.Result()
		wantErr(t, err, process.ErrKilled)
	})
}

// A Shop is a server that fetches without waiting.
type Shop struct{ has []int }

// Order has a Shop fetch something.
type Order struct {
	f func(context.Context) (int, error)
}

// Handle implements server.Request.
func (m Order) Handle(ctx context.Context, _ *Shop) (struct{}, error) {
	t, err := task.AsyncNoLink(ctx, tasks, m.f)
	if err != nil {
		return struct{}{}, err
	}
	_, err = server.Monitor(ctx, t, func(process.Down) Fetched { return Fetched{t} })
	return struct{}{}, err
}

// Fetched is what a Shop hears of its task.
type Fetched struct{ task *task.Task[int] }

// Handle implements server.Notice.
func (m Fetched) Handle(_ context.Context, s *Shop) error {
	n, err := m.task.Result()
	if err != nil {
		n = -1
	}
	s.has = append(s.has, n)
	return nil
}

// Has asks for what a Shop has got.
type Has struct{}

// Handle implements server.Request.
func (Has) Handle(_ context.Context, s *Shop) ([]int, error) { return s.has, nil }

func TestInAServer(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		shop, err := server.Start(ctx, server.Spec[Shop]{})
		must(t, err)
		for _, f := range []func(context.Context) (int, error){answer, explode, fail} {
			_, err := server.Call(ctx, shop, Order{f})
			must(t, err)
			synctest.Wait()
		}
		if got, err := server.Call(ctx, shop, Has{}); err != nil || len(got) != 3 || got[0] != 42 || got[1] != -1 || got[2] != -1 {
			t.Errorf("the shop has %v, %v", got, err)
		}
	})
}
