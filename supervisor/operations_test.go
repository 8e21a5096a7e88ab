package supervisor_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

func TestOperations(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a")}})
		w.take()

		pid, err := supervisor.StartChild(w.ctx, top, w.child("b"))
		if err != nil || pid != w.pid("top/b") {
			t.Fatalf("StartChild: %v, %v", pid, err)
		}
		_, err = supervisor.StartChild(w.ctx, top, w.child("b"))
		if e, ok := errors.AsType[*process.AlreadyStartedError](err); !ok || e.PID != pid {
			t.Errorf("starting b twice: %v, want it already started", err)
		}
		if _, err := supervisor.RestartChild(w.ctx, top, "b"); !errors.Is(err, supervisor.ErrRunning) {
			t.Errorf("restarting b while it runs: %v", err)
		}
		if err := supervisor.DeleteChild(w.ctx, top, "b"); !errors.Is(err, supervisor.ErrRunning) {
			t.Errorf("deleting b while it runs: %v", err)
		}
		w.want("b started once", "top/b starts")

		for range 2 { // the second time it is down already
			if err := supervisor.TerminateChild(w.ctx, top, "b"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := supervisor.StartChild(w.ctx, top, w.child("b")); !errors.Is(err, supervisor.ErrAlreadyPresent) {
			t.Errorf("starting b while it is down: %v", err)
		}
		w.want("b stopped once", "top/b stops shutdown")

		if pid, err := supervisor.RestartChild(w.ctx, top, "b"); err != nil || pid != w.pid("top/b") {
			t.Errorf("restarting b: %v, %v", pid, err)
		}
		if err := supervisor.TerminateChild(w.ctx, top, "b"); err != nil {
			t.Fatal(err)
		}
		if err := supervisor.DeleteChild(w.ctx, top, "b"); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"terminate": supervisor.TerminateChild(w.ctx, top, "b"),
			"delete":    supervisor.DeleteChild(w.ctx, top, "b"),
			"restart":   second(supervisor.RestartChild(w.ctx, top, "b")),
			"get":       second(supervisor.GetChild(w.ctx, top, "b")),
		} {
			if !errors.Is(err, supervisor.ErrNotFound) {
				t.Errorf("%s, though b is deleted: %v", what, err)
			}
		}
		w.want("b once more", "top/b starts", "top/b stops shutdown")
	})
}

func second[T any](_ T, err error) error { return err }

func TestOperationsFail(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a", starts(nil, errNo, process.ErrIgnore, nil))}})
		if err := supervisor.TerminateChild(w.ctx, top, "a"); err != nil {
			t.Fatal(err)
		}
		w.take()
		_, err := supervisor.RestartChild(w.ctx, top, "a")
		if e, ok := errors.AsType[*supervisor.StartError](err); !ok || e.ID != "a" || e.Err != errNo {
			t.Errorf("a restart that fails: %v", err)
		}
		if _, err := supervisor.RestartChild(w.ctx, top, "a"); err != process.ErrIgnore {
			t.Errorf("a restart that declines: %v", err)
		}
		if _, err := supervisor.RestartChild(w.ctx, top, "a"); err != nil {
			t.Errorf("a restart at last: %v", err)
		}
		w.want("the caller has the errors, so there are no reports", "top/a fails", "top/a declines", "top/a starts")

		if _, err := supervisor.StartChild(w.ctx, top, w.child("b", starts(process.ErrIgnore))); err != process.ErrIgnore {
			t.Errorf("a start that declines: %v", err)
		}
		if _, err := supervisor.StartChild(w.ctx, top, w.child("b")); !errors.Is(err, supervisor.ErrAlreadyPresent) {
			t.Errorf("b is kept when it declines, so: %v", err)
		}
		if _, err := supervisor.StartChild(w.ctx, top, w.child("t", restart(supervisor.Temporary), starts(process.ErrIgnore))); err != process.ErrIgnore {
			t.Errorf("a temporary start that declines: %v", err)
		}
		if _, err := supervisor.StartChild(w.ctx, top, w.child("t")); err != nil {
			t.Errorf("a temporary child is forgotten when it declines, so: %v", err)
		}
	})
}

func TestWhichCountGet(t *testing.T) {
	bubble(t, func(w *world) {
		inner := supervisor.StartFunc(supervisor.Spec{})
		top := w.top(supervisor.Spec{Children: []supervisor.Child{
			w.child("a"), {ID: "s", Start: inner}, w.child("b", restart(supervisor.Transient), shutdown(7*time.Second)),
		}})
		w.end("top/b", nil)
		infos, err := supervisor.WhichChildren(w.ctx, top)
		if err != nil {
			t.Fatal(err)
		}
		want := []supervisor.ChildInfo{
			{ID: "b", Status: supervisor.Down},
			{ID: "s", PID: infos[1].PID, Status: supervisor.Running, Supervisor: true},
			{ID: "a", PID: w.pid("top/a"), Status: supervisor.Running},
		}
		if !reflect.DeepEqual(infos, want) || !infos[1].PID.Is(process.KindSupervisor) {
			t.Errorf("the children are %+v, want the last first: %+v", infos, want)
		}
		counts, err := supervisor.CountChildren(w.ctx, top)
		if want := (supervisor.Counts{Specs: 3, Active: 2, Supervisors: 1, Workers: 2}); counts != want || err != nil {
			t.Errorf("the counts are %+v (%v), want %+v", counts, err, want)
		}
		for id, want := range map[string]time.Duration{"a": 5 * time.Second, "s": supervisor.Infinity, "b": 7 * time.Second} {
			if c, err := supervisor.GetChild(w.ctx, top, id); c.ID != id || c.Shutdown != want || err != nil {
				t.Errorf("%s is %+v (%v), want Shutdown %v", id, c, err, want)
			}
		}
	})
}

// What is asked of a supervisor between two attempts to restart a child is
// served between them.
func TestServedBetweenAttempts(t *testing.T) {
	bubble(t, func(w *world) {
		gate := make(chan struct{})
		top := w.top(supervisor.Spec{Intensity: 9, Children: []supervisor.Child{w.child("a", func(k *worker, _ *supervisor.Child) {
			k.starts = append(k.starts, nil, func(context.Context) error { <-gate; return errNo }, nil)
		})}})
		w.take()
		w.end("top/a", errBoom)
		for what, ask := range map[string]func(ctx context.Context) error{
			"start":   func(ctx context.Context) error { return second(supervisor.StartChild(ctx, top, w.child("a"))) },
			"restart": func(ctx context.Context) error { return second(supervisor.RestartChild(ctx, top, "a")) },
			"delete":  func(ctx context.Context) error { return supervisor.DeleteChild(ctx, top, "a") },
		} {
			want := map[string]error{"start": supervisor.ErrAlreadyPresent}[what]
			if want == nil {
				want = supervisor.ErrRestarting
			}
			if _, err := process.Go(w.ctx, func(ctx context.Context) error {
				if err := ask(ctx); !errors.Is(err, want) {
					t.Errorf("%s while it is restarting: %v, want %v", what, err, want)
				}
				w.note("asked")
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		// The answers may be read later than the next attempt is made.
		got := w.take()
		for range 3 {
			got = without(got, "asked")
		}
		w.lines = got
		w.want("all three are served, and then it starts", "top/a stops boom", "top: child terminated: a boom",
			"top/a fails", "top: start error: a no", "top/a starts")
	})
}

func without(lines []string, line string) []string {
	for i := range lines {
		if lines[i] == line {
			return append(lines[:i:i], lines[i+1:]...)
		}
	}
	return append(lines, "(missing: "+line+")")
}

// Terminating a child that waits for its next attempt cancels that.
func TestTerminateCancelsRestart(t *testing.T) {
	bubble(t, func(w *world) {
		gate := make(chan struct{})
		top := w.top(supervisor.Spec{Intensity: 9, Children: []supervisor.Child{w.child("a", func(k *worker, _ *supervisor.Child) {
			k.starts = append(k.starts, nil, func(context.Context) error { <-gate; return errNo }, nil)
		})}})
		w.take()
		w.end("top/a", errBoom)
		if _, err := process.Go(w.ctx, func(ctx context.Context) error {
			return supervisor.TerminateChild(ctx, top, "a")
		}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		close(gate)
		w.want("there is no other attempt", "top/a stops boom", "top: child terminated: a boom", "top/a fails", "top: start error: a no")
		if _, err := supervisor.RestartChild(w.ctx, top, "a"); err != nil {
			t.Errorf("it is down, so it can be restarted: %v", err)
		}
		w.want("by hand", "top/a starts")
	})
}

// Every request to what is no supervisor, or none any more, says so.
func TestWrongTarget(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a")}})
		if _, err := supervisor.WhichChildren(w.ctx, w.pid("top/a")); !errors.Is(err, supervisor.ErrNotSupervisor) {
			t.Errorf("asking a worker: %v", err)
		}
		if _, err := supervisor.WhichChildren(w.ctx, process.Name("nobody")); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("asking nobody: %v", err)
		}
		if _, err := supervisor.WhichChildren(t.Context(), top); !errors.Is(err, process.ErrNoNode) {
			t.Errorf("asking from nowhere: %v", err)
		}
		_, err := supervisor.StartChild(w.ctx, top, supervisor.Child{ID: "b", Start: func(ctx context.Context) (process.PID, error) {
			_, err := supervisor.WhichChildren(ctx, top)
			return process.PID{}, err
		}})
		if !errors.Is(err, process.ErrCallingSelf) {
			t.Errorf("asking itself from a start function: %v", err)
		}
		_, err = supervisor.StartChild(w.ctx, top, w.child("c", func(k *worker, _ *supervisor.Child) {
			k.starts = append(k.starts, func(ctx context.Context) error { return second(supervisor.WhichChildren(ctx, top)) })
		}))
		if !errors.Is(err, process.ErrCallingStarter) {
			t.Errorf("asking it from an Init that it waits for: %v", err)
		}
		w.stop()
		if _, err := supervisor.WhichChildren(w.ctx, top); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("asking the dead: %v", err)
		}
	})
}

// A supervisor may be busy for longer than a call's time-out.
func TestNoTimeout(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a", shutdown(time.Minute), stops(taking(time.Minute-1)))}})
		if err := supervisor.TerminateChild(w.ctx, top, "a"); err != nil {
			t.Errorf("a needs a minute: %v", err)
		}
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		slow := func(k *worker, _ *supervisor.Child) {
			k.starts = append(k.starts, func(context.Context) error { time.Sleep(time.Minute); return nil })
		}
		if _, err := supervisor.StartChild(ctx, top, w.child("b", slow)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller's own deadline holds: %v", err)
		}
		time.Sleep(time.Minute)
		if c, err := supervisor.CountChildren(w.ctx, top); c.Active != 1 || err != nil {
			t.Errorf("b was started all the same: %+v, %v", c, err)
		}
	})
}
