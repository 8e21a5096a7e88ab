package supervisortest

import (
	"context"
	"errors"
	"time"

	"github.com/coppice-go/coppice/process"
)

var errNotYet = errors.New("it does not start")

// start is the kid's start function.
func (k *kid) start(ctx context.Context) (process.PID, error) {
	k.starts++
	if k.pid.Alive() {
		k.h.breaks("ordered and awaited", "%s is started while it is running", k.id)
	}
	if who := k.h.busy(); who != nil {
		k.h.breaks("ordered and awaited", "%s is started while %s is stopping", k.id, who.id)
	}
	if k.failing > 0 && k.starts > 1 || k.fails && k.starts > 1 {
		k.failing--
		return process.PID{}, errNotYet
	}
	pid, err := process.Start(ctx, process.Spec{TrapExit: true, Behaviour: k})
	k.pid = pid
	k.h.note("%s starts", k.id)
	if k.crashes && k.starts > 1 {
		k.end(errCrash)
	}
	return pid, err
}

// end makes the kid's process end by itself.
func (k *kid) end(reason error) {
	if !k.pid.Alive() {
		return
	}
	if !k.restart.Wants(reason) {
		k.excused = true
	}
	// Sending to a process never fails but on a stopped node.
	_ = process.Send(k.h.ctx, k.pid, ending{reason})
}

type ending struct{ reason error }

func (k *kid) Init(context.Context) error { return nil }

func (k *kid) Handle(_ context.Context, msg any) error {
	if m, ok := msg.(ending); ok {
		return process.End(m.reason)
	}
	return nil
}

// Terminate takes a while if the supervisor wants it, so that whoever does not
// wait is seen.
func (k *kid) Terminate(_ context.Context, reason error) error {
	if reason != process.ErrShutdown {
		return nil
	}
	k.h.note("%s stops", k.id)
	k.h.stops(k)
	time.Sleep(goodbye)
	k.h.stopped()
	return nil
}

// busy returns who is in its goodbye.
func (h *history) busy() *kid {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stopping
}

// stops notes that k begins its goodbye, and checks that it is k's turn.
func (h *history) stops(k *kid) {
	h.mu.Lock()
	other, last := h.stopping, h.last
	h.stopping = k
	if h.ending {
		h.last = k
	}
	h.mu.Unlock()
	if other != nil {
		h.breaks("ordered and awaited", "%s is stopped while %s is still stopping", k.id, other.id)
	}
	if last != nil && last.place < k.place {
		h.breaks("ordered and awaited", "%s is stopped after %s, which is older", k.id, last.id)
	}
}

func (h *history) stopped() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopping = nil
}
