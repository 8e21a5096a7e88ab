package task_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/supervisor/task"
)

// A piece of work takes so many milliseconds and then ends somehow.
type piece struct{ ms, how int }

const (
	succeed = iota
	failing
	panicking
)

// A gang does pieces and counts how many it does at a time.
type gang struct {
	mu               sync.Mutex
	now, most, begun int
}

func (g *gang) do(ctx context.Context, p piece) (int, error) {
	g.mu.Lock()
	g.now++
	g.begun++
	g.most = max(g.most, g.now)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.now--
		g.mu.Unlock()
	}()
	select {
	case <-time.After(time.Duration(p.ms) * time.Millisecond):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	switch p.how {
	case failing:
		return p.ms, errBoom
	case panicking:
		panic(fmt.Sprint(p.ms))
	}
	return p.ms, nil
}

// outcome is how a test writes down one element of a stream.
func outcome(n int, err error) string {
	var p *process.PanicError
	switch {
	case err == nil:
		return fmt.Sprint(n)
	case err == errBoom:
		return fmt.Sprint(n, " failed")
	case errors.As(err, &p):
		return fmt.Sprint(p.Value, " crashed")
	case errors.Is(err, process.ErrTimeout):
		return "timed out"
	}
	return err.Error()
}

func all(seq iter.Seq2[int, error]) (out []string) {
	for n, err := range seq {
		out = append(out, outcome(n, err))
	}
	return out
}

func wantAll(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

var mixed = []piece{{30, succeed}, {10, succeed}, {27, failing}, {4, succeed}, {1, succeed}}

func TestStream(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := &gang{}
		o := task.Options{Limit: 2}
		wantAll(t, all(task.AsyncStream(ctx, slices.Values(mixed), o, g.do)), "30", "10", "27 failed", "4", "1")
		o.Unordered = true
		wantAll(t, all(task.AsyncStream(ctx, slices.Values(mixed), o, g.do)), "10", "30", "4", "1", "27 failed")
		if g.most != 2 || g.begun != 10 {
			t.Errorf("%d at a time of %d, want 2 of 10", g.most, g.begun)
		}
		wantAll(t, all(task.AsyncStream(ctx, slices.Values(mixed[:0]), o, g.do)))
	})
}

// In order, a slow item holds up only so many others.
func TestStreamHoldsBackLittle(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := &gang{}
		items := append([]piece{{1000, succeed}}, slices.Repeat([]piece{{1, succeed}}, 100)...)
		for range task.AsyncStream(ctx, slices.Values(items), task.Options{Limit: 3}, g.do) {
			if g.begun > 6 {
				t.Errorf("%d were begun before the first was over, want 6 at most", g.begun)
			}
			break
		}
	})
}

func TestStreamTimeout(t *testing.T) {
	for name, sup := range map[string]process.Target{"linked": nil, "supervised": tasks} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				caller, err := process.Go(ctx, func(ctx context.Context) error {
					o := task.Options{Limit: 2, Timeout: 15 * time.Millisecond, Supervisor: sup}
					wantAll(t, all(task.AsyncStream(ctx, slices.Values(mixed), o, (&gang{}).do)), "timed out", "10", "timed out", "4", "1")
					return nil
				})
				must(t, err)
				if reason, err := process.Wait(ctx, caller); reason != nil || err != nil {
					t.Errorf("the caller ended with %v (%v)", reason, err)
				}
			})
		})
	}
}

// Under a supervisor a crash is one element; linked, it is the caller's.
func TestStreamCrash(t *testing.T) {
	items := slices.Values([]piece{{10, succeed}, {20, panicking}, {30, succeed}})
	bubble(t, func(t *testing.T, ctx context.Context) {
		caller, err := process.Go(ctx, func(ctx context.Context) error {
			wantAll(t, all(task.AsyncStream(ctx, items, task.Options{Limit: 2, Supervisor: tasks}, (&gang{}).do)), "10", "20 crashed", "30")
			return nil
		})
		must(t, err)
		if reason, err := process.Wait(ctx, caller); reason != nil || err != nil {
			t.Errorf("the caller ended with %v (%v)", reason, err)
		}
		g := &gang{}
		caller, err = process.Go(ctx, func(ctx context.Context) error {
			for range task.AsyncStream(ctx, items, task.Options{Limit: 3}, g.do) {
			}
			return nil
		})
		must(t, err)
		reason, err := process.Wait(ctx, caller)
		must(t, err)
		if p, ok := errors.AsType[*process.PanicError](reason); !ok || p.Value != "20" {
			t.Errorf("the caller of a linked stream ended with %v", reason)
		}
		synctest.Wait()
		if g.now != 0 {
			t.Errorf("%d tasks are left", g.now)
		}
	})
}

// Whatever ends a stream, it leaves no task behind.
func TestStreamLeavesNobody(t *testing.T) {
	many := slices.Repeat([]piece{{10, succeed}, {1000, succeed}}, 10)
	o := task.Options{Limit: 4, Unordered: true, Supervisor: tasks}
	for name, end := range map[string]func(ctx context.Context, g *gang){
		"break": func(ctx context.Context, g *gang) {
			for range task.AsyncStream(ctx, slices.Values(many), o, g.do) {
				break
			}
		},
		"panic": func(ctx context.Context, g *gang) {
			defer func() { _ = recover() }() // that is the test
			for range task.AsyncStream(ctx, slices.Values(many), o, g.do) {
				panic("in the loop")
			}
		},
		"panic in items": func(ctx context.Context, g *gang) {
			defer func() { _ = recover() }()
			items := func(yield func(piece) bool) {
				_ = yield(many[0]) && yield(many[1])
				time.Sleep(time.Millisecond)
				panic("in items")
			}
			for range task.AsyncStream(ctx, items, o, g.do) {
			}
		},
		"ctx": func(ctx context.Context, g *gang) {
			ctx, cancel := context.WithTimeout(ctx, 15*time.Millisecond)
			defer cancel()
			var last error
			for _, last = range task.AsyncStream(ctx, slices.Values(many), o, g.do) {
			}
			if !errors.Is(last, context.DeadlineExceeded) {
				panic(fmt.Sprint("the last element: ", last))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				g := &gang{}
				end(ctx, g)
				if g.begun == 0 || g.now != 0 {
					t.Errorf("%d tasks of %d are left", g.now, g.begun)
				}
				if n, err := supervisor.CountChildren(ctx, tasks); err != nil || n.Active != 0 {
					t.Errorf("the supervisor counts %+v, %v", n, err)
				}
			})
		})
	}
}

// A supervisor that has no room, or is not there, fails those it does not take.
func TestStreamWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		o := task.Options{Limit: 2, Supervisor: tasks}
		for _, err := range task.AsyncStream(ctx, slices.Values(mixed), o, (&gang{}).do) {
			wantErr(t, err, process.ErrNoProc)
		}
		spec := task.Supervisor(string(tasks))
		spec.MaxChildren = 1
		if _, err := supervisor.Start(ctx, spec); err != nil {
			t.Fatal(err)
		}
		var failed, ok int
		for _, err := range task.AsyncStream(ctx, slices.Values(mixed), o, (&gang{}).do) {
			if errors.Is(err, supervisor.ErrMaxChildren) {
				failed++
			} else {
				ok++
			}
		}
		if ok == 0 || failed == 0 || ok+failed != len(mixed) {
			t.Errorf("%d were run and %d refused, of %d", ok, failed, len(mixed))
		}
	})
}

// Each item has one result, in order if that is wanted, and never do more tasks
// run than may.
func TestStreamProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		items := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) piece {
			return piece{rapid.IntRange(0, 40).Draw(rt, "ms"), rapid.IntRange(succeed, panicking).Draw(rt, "how")}
		}), 0, 30).Draw(rt, "items")
		o := task.Options{
			Limit:     rapid.IntRange(1, 6).Draw(rt, "limit"),
			Unordered: rapid.Bool().Draw(rt, "unordered"),
			Timeout:   time.Duration(rapid.SampledFrom([]int{0, 25}).Draw(rt, "timeout"))*time.Millisecond + 500*time.Microsecond,
		}
		if o.Timeout < time.Millisecond {
			o.Timeout = 0
		}
		if rapid.Bool().Draw(rt, "supervised") {
			o.Supervisor = tasks
		}
		var want, got []string
		for _, p := range items {
			err := map[int]error{failing: errBoom, panicking: &process.PanicError{Value: p.ms}}[p.how]
			if o.Timeout > 0 && time.Duration(p.ms)*time.Millisecond > o.Timeout {
				err = process.ErrTimeout
			}
			want = append(want, outcome(p.ms, err))
		}
		g := &gang{}
		bubble(t, func(t *testing.T, ctx context.Context) {
			got = all(task.AsyncStream(ctx, slices.Values(items), o, g.do))
		})
		if o.Unordered {
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) || g.most > o.Limit || g.now != 0 {
			rt.Fatalf("got  %s\nwant %s\n%d at a time, %d may be; %d are left", strings.Join(got, ", "), strings.Join(want, ", "), g.most, o.Limit, g.now)
		}
	})
}
