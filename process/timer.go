package process

import (
	"context"
	"sync/atomic"
	"time"
)

// A Timer is a message to oneself that is still to come.
type Timer struct {
	p     *proc
	msg   any
	t     *time.Timer
	state atomic.Uint32
}

const (
	timerSet uint32 = iota
	timerFired
	timerDelivered
	timerStopped
)

// After sends msg to the calling process when d has passed; 0: when what is in
// its mailbox has been taken. nil is returned if
// ctx belongs to no process.
func After(ctx context.Context, d time.Duration, msg any) *Timer {
	p, err := actor(ctx)
	if err != nil || p.isRoot() {
		return nil
	}
	t := &Timer{p: p, msg: msg}
	if d <= 0 { // right behind what is in the mailbox, not some time later
		t.fire()
		return t
	}
	t.t = time.AfterFunc(d, t.fire)
	return t
}

func (t *Timer) fire() {
	if t.state.CompareAndSwap(timerSet, timerFired) {
		// A timer is never refused: it counts as a signal.
		_ = t.p.push(envelope{msg: t, from: nil, kind: envTimer})
	}
}

// Stop keeps the message from arriving, even if it is in the mailbox already,
// and reports whether it has not arrived yet. Stopping a nil Timer is fine.
func (t *Timer) Stop() bool {
	if t == nil {
		return false
	}
	if t.t != nil {
		t.t.Stop()
	}
	return t.state.CompareAndSwap(timerSet, timerStopped) || t.state.CompareAndSwap(timerFired, timerStopped)
}

// deliver reports whether the message that comes out of the mailbox is wanted.
func (t *Timer) deliver() bool { return t.state.CompareAndSwap(timerFired, timerDelivered) }
