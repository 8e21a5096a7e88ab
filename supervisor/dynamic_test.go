package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// pool starts a dynamic supervisor of workers, and returns a function that adds
// one. The workers call themselves by the number that they are given.
func pool(w *world, spec supervisor.Spec, change ...func(*worker, *supervisor.Child)) (add func(n int) process.PID) {
	spec.Strategy = supervisor.Dynamic
	k := &worker{w: w, trap: true}
	c := supervisor.Child{ID: "w", Start: supervisor.Template(func(ctx context.Context, n int) (process.PID, error) {
		pid, err := process.Start(process.WithBirth(ctx, process.Birth{ID: fmt.Sprint(n)}), process.Spec{TrapExit: k.trap, Behaviour: &instance{k, 1}})
		if err == nil {
			w.mu.Lock()
			w.pids[pid.Path()] = pid
			w.mu.Unlock()
		}
		return pid, err
	})}
	for _, f := range change {
		f(k, &c)
	}
	spec.Children = []supervisor.Child{c}
	w.top(spec)
	return func(n int) process.PID {
		w.t.Helper()
		pid, err := supervisor.StartOne(w.ctx, w.pid("top"), n)
		if err != nil {
			w.t.Fatal(err)
		}
		return pid
	}
}

func TestDynamic(t *testing.T) {
	bubble(t, func(w *world) {
		add := pool(w, supervisor.Spec{Intensity: 3})
		top := w.pid("top")
		w.want("the template is not started")
		one, two := add(1), add(2)
		add(3)
		w.want("one start each", "top/1 starts", "top/2 starts", "top/3 starts")

		w.end("top/2", errBoom)
		w.want("it is restarted with its own argument", "top/2 stops boom", "top: child terminated: w boom", "top/2 starts")
		if err := supervisor.TerminateOne(w.ctx, top, two); err != nil {
			t.Errorf("terminating one that is dead: %v", err)
		}
		w.want("that it is dead is no error")
		if err := supervisor.TerminateOne(w.ctx, top, one); err != nil {
			t.Error(err)
		}
		w.want("one is stopped", "top/1 stops shutdown")
		if err := supervisor.TerminateOne(w.ctx, top, top); !errors.Is(err, supervisor.ErrNotFound) {
			t.Errorf("terminating somebody else: %v", err)
		}
		counts, err := supervisor.CountChildren(w.ctx, top)
		if want := (supervisor.Counts{Specs: 1, Active: 2, Workers: 2}); counts != want || err != nil {
			t.Errorf("the counts are %+v (%v), want %+v", counts, err, want)
		}
		infos, err := supervisor.WhichChildren(w.ctx, top)
		var got []process.PID
		for _, c := range infos {
			got = append(got, c.PID)
		}
		if len(got) != 2 || !slices.Contains(got, w.pid("top/2")) || !slices.Contains(got, w.pid("top/3")) || err != nil {
			t.Errorf("the children are %v (%v), want 2 and 3", infos, err)
		}
		if c, err := supervisor.GetChild(w.ctx, top, "w"); c.ID != "w" || c.Shutdown != 5*time.Second || err != nil {
			t.Errorf("the template is %+v (%v)", c, err)
		}
	})
}

func TestDynamicRefuses(t *testing.T) {
	bubble(t, func(w *world) {
		pool(w, supervisor.Spec{})
		top := w.pid("top")
		for what, err := range map[string]error{
			"StartChild":     second(supervisor.StartChild(w.ctx, top, w.child("a"))),
			"TerminateChild": supervisor.TerminateChild(w.ctx, top, "w"),
			"RestartChild":   second(supervisor.RestartChild(w.ctx, top, "w")),
			"DeleteChild":    supervisor.DeleteChild(w.ctx, top, "w"),
			"GetChild":       second(supervisor.GetChild(w.ctx, top, "a")),
		} {
			if !errors.Is(err, supervisor.ErrDynamic) {
				t.Errorf("%s of a dynamic supervisor: %v", what, err)
			}
		}
		_, err := supervisor.StartOne(w.ctx, top, "three")
		if e, ok := errors.AsType[*supervisor.ArgumentError](err); !ok || *e != (supervisor.ArgumentError{Want: "int", Got: "string"}) {
			t.Errorf("an argument of the wrong type: %v", err)
		}
		w.want("nobody was started")
	})
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a")}})
		if _, err := supervisor.StartOne(w.ctx, top, 1); !errors.Is(err, supervisor.ErrNotDynamic) {
			t.Errorf("StartOne of a static supervisor: %v", err)
		}
		if err := supervisor.TerminateOne(w.ctx, top, w.pid("top/a")); !errors.Is(err, supervisor.ErrNotDynamic) {
			t.Errorf("TerminateOne of a static supervisor: %v", err)
		}
		_, err := supervisor.StartChild(w.ctx, top, supervisor.Child{ID: "t",
			Start: supervisor.Template(func(context.Context, fmt.Stringer) (process.PID, error) { panic("not called") })})
		if e, ok := errors.AsType[*supervisor.ArgumentError](err); !ok || e.Want != "fmt.Stringer" || e.Got != "" {
			t.Errorf("a template in a static supervisor: %v", err)
		}
	})
}

// Arguments of an interface type: any implementation will do, and so will nil.
func TestTemplateOfInterface(t *testing.T) {
	bubble(t, func(w *world) {
		var got []error
		top := w.top(supervisor.Spec{Strategy: supervisor.Dynamic, Children: []supervisor.Child{{ID: "e",
			Start: supervisor.Template(func(_ context.Context, err error) (process.PID, error) {
				got = append(got, err)
				return process.PID{}, process.ErrIgnore
			})}}})
		args := []func() (process.PID, error){
			func() (process.PID, error) { return supervisor.StartOne(w.ctx, top, errBoom) },
			func() (process.PID, error) { return supervisor.StartOne(w.ctx, top, &supervisor.StartError{ID: "x"}) },
			func() (process.PID, error) { return supervisor.StartOne[error](w.ctx, top, nil) },
		}
		for _, start := range args {
			if _, err := start(); err != process.ErrIgnore {
				t.Errorf("StartOne: %v", err)
			}
		}
		if len(got) != 3 || got[0] != errBoom || got[2] != nil {
			t.Errorf("the template got %v", got)
		}
	})
}

func TestDynamicStartFails(t *testing.T) {
	bubble(t, func(w *world) {
		n := 0
		pool(w, supervisor.Spec{Intensity: 9, MaxChildren: 2}, func(k *worker, c *supervisor.Child) {
			k.starts = []func(context.Context) error{func(context.Context) error {
				n++
				return []error{errNo, process.ErrIgnore, nil, nil, errNo, process.ErrIgnore, nil}[n-1]
			}}
		})
		top := w.pid("top")
		_, err := supervisor.StartOne(w.ctx, top, 1)
		if e, ok := errors.AsType[*supervisor.StartError](err); !ok || e.ID != "w" || e.Err != errNo {
			t.Errorf("a start that fails: %v", err)
		}
		if _, err := supervisor.StartOne(w.ctx, top, 1); err != process.ErrIgnore {
			t.Errorf("a start that declines: %v", err)
		}
		for range 2 {
			if _, err := supervisor.StartOne(w.ctx, top, 1); err != nil {
				t.Error(err)
			}
		}
		if _, err := supervisor.StartOne(w.ctx, top, 1); !errors.Is(err, supervisor.ErrMaxChildren) {
			t.Errorf("one too many: %v", err)
		}
		w.take()
		w.end("top/1", errBoom)
		w.want("a restart that fails is tried again; one that declines is forgotten",
			"top/1 stops boom", "top: child terminated: w boom", "top/1 fails", "top: start error: w no", "top/1 declines")
		if counts, err := supervisor.CountChildren(w.ctx, top); counts.Workers != 1 || err != nil {
			t.Errorf("there are %+v (%v), want one", counts, err)
		}
		if _, err := supervisor.StartOne(w.ctx, top, 1); err != nil {
			t.Errorf("there is room again: %v", err)
		}
	})
}

// A child that waits for a restart is terminated by the PID it had.
func TestTerminateOneRestarting(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Strategy: supervisor.Dynamically(patient{time.Hour}), Children: []supervisor.Child{w.child("a")}})
		pid, err := supervisor.StartOne(w.ctx, top, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		w.end("top/a", errBoom)
		infos, err := supervisor.WhichChildren(w.ctx, top)
		if len(infos) != 1 || infos[0].Status != supervisor.Restarting || err != nil {
			t.Errorf("the children are %+v (%v), want one that is restarting", infos, err)
		}
		w.take()
		if err := supervisor.TerminateOne(w.ctx, top, pid); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Hour)
		w.want("it does not come back")
		if counts, err := supervisor.CountChildren(w.ctx, top); counts.Workers != 0 || err != nil {
			t.Errorf("there are %+v (%v), want none", counts, err)
		}
	})
}

// All children of a dynamic supervisor stop together, in the time of one.
func TestDynamicStop(t *testing.T) {
	const n = 100
	tests := []struct {
		name  string
		child []func(*worker, *supervisor.Child)
		want  string
		took  time.Duration
	}{
		{"in time", []func(*worker, *supervisor.Child){stops(taking(time.Second))}, "", time.Second},
		{"not in time", []func(*worker, *supervisor.Child){shutdown(2 * time.Second), stops(taking(time.Minute))},
			"top: shutdown error: 100 w killed", 2 * time.Second},
		{"badly", []func(*worker, *supervisor.Child){stops(func(context.Context, error) error { return errNo })},
			"top: shutdown error: 100 w no", 0},
		{"killed", []func(*worker, *supervisor.Child){shutdown(supervisor.BrutalKill)}, "", 0},
		{"at once, and they have only to return", []func(*worker, *supervisor.Child){shutdown(supervisor.AtOnce),
			stops(func(context.Context, error) error { return errNo })}, "top: shutdown error: 100 w no", 0},
		{"at once, and they take longer", []func(*worker, *supervisor.Child){shutdown(supervisor.AtOnce), stops(taking(time.Minute))},
			"top: shutdown error: 100 w killed", time.Millisecond},
		{"without limit", []func(*worker, *supervisor.Child){shutdown(supervisor.Infinity), stops(taking(time.Hour))}, "", time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				add := pool(w, supervisor.Spec{}, tt.child...)
				for i := range n {
					add(i)
				}
				w.take()
				start := time.Now()
				w.stop()
				if _, err := process.Wait(w.ctx, w.pid("top")); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("%d children took %v, want %v", n, took, tt.took)
				}
				got := slices.DeleteFunc(w.take(), func(line string) bool { return strings.HasSuffix(line, "stops shutdown") })
				want := []string{"top exit shutdown"}
				if tt.want != "" {
					want = []string{tt.want, "top exit shutdown"}
				}
				if !slices.Equal(got, want) {
					t.Errorf("besides their own words:\n got: %q\nwant: %q", got, want)
				}
			})
		})
	}
}

// A hundred children that ignore even a kill cost one Shutdown and one Grace.
func TestDynamicStopDeaf(t *testing.T) {
	bubble(t, func(w *world) {
		let := make(chan struct{})
		add := pool(w, supervisor.Spec{}, shutdown(time.Second), stops(deaf(let)))
		for range 100 {
			add(1)
		}
		start := time.Now()
		w.stop()
		if _, err := process.Wait(w.ctx, w.pid("top")); err != nil {
			t.Fatal(err)
		}
		if took, want := time.Since(start), time.Second+100*time.Millisecond; took != want {
			t.Errorf("it took %v, want Shutdown and the node's Grace, %v", took, want)
		}
		close(let)
		synctest.Wait()
	})
}
