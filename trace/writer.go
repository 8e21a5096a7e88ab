package trace

import (
	"context"
	"runtime"

	"github.com/coppice-go/coppice/process"
)

// A writer is the process that writes the reports. It has no goroutine while
// there are none.
type writer struct{ t *tracer }

// Init takes over the node's probe.
func (w *writer) Init(ctx context.Context) error {
	self := process.Self(ctx)
	w.t.pid.Store(&self)
	w.t.node.SetProbe(w.t)
	return process.SendSelf(ctx, wake{}) // a predecessor may have left something
}

// Handle writes what there is.
func (w *writer) Handle(_ context.Context, msg any) error {
	if _, ok := msg.(wake); ok {
		w.t.drain()
	}
	return nil // the exit of another, or a stray message: neither concerns us
}

// Terminate gives the node its own probe back, so that later reports are seen,
// and writes what is left.
func (w *writer) Terminate(context.Context, error) error {
	w.t.retire(nil)
	w.t.drain()
	return nil
}

// drain writes what is in the queue. One writer at a time does it: the next can
// start only when the one before has been buried, and so let go of the name.
func (t *tracer) drain() {
	for {
		reports, lost := t.queue.take()
		for _, r := range reports {
			runtime.Gosched() // whoever starts a crashed child again comes first
			r.write(t.log, t.node.Name())
		}
		if lost > 0 {
			writeLost(t.log, t.node.Name(), lost)
		}
		if len(reports) == 0 {
			return
		}
	}
}

// rouse tells a writer that there is something to write. It acts for the node:
// the process at hand may be fenced already.
func rouse(node *process.Node, pid process.PID) {
	// It fails only once the node has stopped, and then the writer has had its
	// last look into the queue.
	_ = process.Send(node.Context(), pid, wake{})
}

// wake says: look into the queue.
type wake struct{}

// revive starts another writer once the one that was killed is gone. That takes
// waiting, and a probe must not; so a process does it.
func (t *tracer) revive(killed process.PID) {
	if !t.reviving.CompareAndSwap(false, true) {
		return
	}
	_, err := process.Go(t.node.Context(), func(ctx context.Context) error {
		defer t.reviving.Store(false)
		if _, err := process.Wait(ctx, killed); err != nil {
			return nil // the node stops meanwhile
		}
		if t.queue.isClosed() {
			return nil // it was abandoned, see giveUp
		}
		if err := t.start(); err != nil {
			return nil // the next report tries again
		}
		process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelWarn,
			PID: *t.pid.Load(), Text: "the process that writes reports was killed; another goes on"})
		return nil
	})
	if err != nil {
		t.reviving.Store(false) // the node has stopped
	}
}

// giveUp is called when our own writer is abandoned: it was killed, by somebody
// or at the end of a stop, because its output blocks. Another would block too. So
// the node gets its own probe back, which writes to standard error; unless that
// is the output that blocks, and then there is nobody left to be told.
func (t *tracer) giveUp(ev process.Event) {
	var instead process.Probe
	if t.stderr {
		instead = silence{}
	}
	t.retire(instead)
	process.Emit(t.node.Context(), ev)
}

// retire puts another probe in our place for good; nil is the node's own. What
// comes too late for it finds the queue closed.
func (t *tracer) retire(instead process.Probe) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.node.SetProbe(instead)
	t.queue.close()
}

// silence is a probe that wants nothing.
type silence struct{}

func (silence) Wants() process.Kind { return 0 }
func (silence) Event(process.Event) {}
