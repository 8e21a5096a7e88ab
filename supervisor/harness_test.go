package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

var errBoom = errors.New("boom")

// A world is a node whose processes write down what happens to them: workers
// and supervisors alike, in one list and in the order in which it happened. A
// test says what must have happened since it last looked, so also that nothing
// else has.
type world struct {
	t    *testing.T
	node *process.Node
	ctx  context.Context

	mu    sync.Mutex
	lines []string
	pids  map[string]process.PID // the latest of each path
}

// bubble runs a test in a synctest bubble, and checks at its end that the node
// can be stopped without anybody having to be killed.
func bubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		test(w)
		if err := w.node.Stop(t.Context()); err != nil {
			t.Errorf("stopping the node at the end of the test: %v", err)
		}
		synctest.Wait()
		if left := w.node.Processes(); len(left) > 0 {
			t.Errorf("left over at the end of the test: %v", left)
		}
	})
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, pids: map[string]process.PID{}}
	w.node = process.NewNode(process.NodeSpec{Probe: w})
	w.ctx = w.node.Context()
	return w
}

// Wants and Event make a world a Probe: supervisors' reports are lines too.
func (w *world) Wants() process.Kind {
	return process.Supervised | process.Abandoned | process.Warned | process.Exited
}

func (w *world) Event(e process.Event) {
	who := e.PID.Path()
	switch {
	case e.Kind == process.Exited:
		if e.PID.Is(process.KindSupervisor) {
			w.note("%s exit %s", who, reason(e.Reason))
		}
	case e.Kind == process.Abandoned:
		w.note("%s abandoned", who)
	case e.Level == process.LevelError && e.Kind == process.Supervised && e.Detail != nil:
		r := e.Detail.(*supervisor.Report)
		id := r.Child.ID
		if r.Count > 0 {
			id = fmt.Sprintf("%d %s", r.Count, id)
		}
		w.note("%s: %s: %s %s", who, e.Text, id, reason(e.Reason))
	case e.Level == process.LevelError:
		w.note("%s: %s", who, e.Text)
	}
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}

// want lets everything come to rest and compares what has happened since the
// last look, one line each.
func (w *world) want(why string, lines ...string) {
	w.t.Helper()
	synctest.Wait()
	w.wantNow(why, lines...)
}

func (w *world) wantNow(why string, lines ...string) {
	w.t.Helper()
	got := w.take()
	if !slices.Equal(got, lines) {
		w.t.Errorf("%s\n got: %s\nwant: %s", why, strings.Join(got, "\n      "), strings.Join(lines, "\n      "))
	}
}

func (w *world) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.lines
	w.lines = nil
	return got
}

// pid returns the latest process with that path.
func (w *world) pid(path string) process.PID {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	pid, ok := w.pids[path]
	if !ok {
		w.t.Fatalf("nothing was started as %q", path)
	}
	return pid
}

// A worker is a process that does as it is told and writes down how it starts
// and ends.
type worker struct {
	w    *world
	trap bool
	// starts is how it starts, the last over and over: nil is well.
	starts []func(ctx context.Context) error
	// stop is what its Terminate does; nil: nothing.
	stop func(ctx context.Context, reason error) error
	n    int
}

// child makes a worker a Child.
func (w *world) child(id string, change ...func(*worker, *supervisor.Child)) supervisor.Child {
	k := &worker{w: w, trap: true}
	c := supervisor.Child{ID: id, Start: k.start}
	for _, f := range change {
		f(k, &c)
	}
	return c
}

// start begins a new process; the worker itself stays, to count.
func (k *worker) start(ctx context.Context) (process.PID, error) {
	k.n++
	pid, err := process.Start(ctx, process.Spec{TrapExit: k.trap, Behaviour: &instance{k, k.n}})
	if err == nil {
		k.w.mu.Lock()
		k.w.pids[pid.Path()] = pid
		k.w.mu.Unlock()
	}
	return pid, err
}

// An instance is one process of a worker.
type instance struct {
	*worker
	n int
}

func (i *instance) Init(ctx context.Context) error {
	path := process.Self(ctx).Path()
	if len(i.starts) > 0 {
		if f := i.starts[min(i.n, len(i.starts))-1]; f != nil {
			switch err := f(ctx); {
			case errors.Is(err, process.ErrIgnore):
				i.w.note("%s declines", path)
				return err
			case err != nil:
				i.w.note("%s fails", path)
				return err
			}
		}
	}
	i.w.note("%s starts", path)
	return nil
}

// end tells a worker to end with that reason.
type end struct{ reason error }

func (i *instance) Handle(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case end:
		return process.End(m.reason)
	case func(context.Context) error:
		return m(ctx)
	}
	return nil
}

func (i *instance) Terminate(ctx context.Context, why error) error {
	i.w.note("%s stops %s", process.Self(ctx).Path(), reason(why))
	if i.stop != nil {
		return i.stop(ctx, why)
	}
	return nil
}

// end makes the latest process of that path end, and waits for what follows.
func (w *world) end(path string, reason error) {
	w.t.Helper()
	if err := process.Send(w.ctx, w.pid(path), end{reason}); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// top starts a supervisor called top below the node's root.
func (w *world) top(spec supervisor.Spec) process.PID {
	w.t.Helper()
	pid, err := w.tryTop(spec)
	if err != nil {
		w.t.Fatal(err)
	}
	return pid
}

func (w *world) tryTop(spec supervisor.Spec) (process.PID, error) {
	pid, err := supervisor.Start(process.WithBirth(w.ctx, process.Birth{ID: "top"}), spec)
	w.mu.Lock()
	w.pids["top"] = pid
	w.mu.Unlock()
	return pid, err
}

// stop ends the supervisor top as its parent would.
func (w *world) stop() {
	w.t.Helper()
	if err := process.SendExit(w.ctx, w.pid("top"), process.ErrShutdown); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// reason is a reason in OTP's words.
func reason(err error) string {
	switch err {
	case nil:
		return "normal"
	case process.ErrShutdown:
		return "shutdown"
	case process.ErrKilled:
		return "killed"
	}
	return err.Error()
}

// What a child is like.

func restart(r supervisor.Restart) func(*worker, *supervisor.Child) {
	return func(_ *worker, c *supervisor.Child) { c.Restart = r }
}

func starts(how ...error) func(*worker, *supervisor.Child) {
	return func(k *worker, _ *supervisor.Child) {
		for _, err := range how {
			k.starts = append(k.starts, func(context.Context) error { return err })
		}
	}
}
