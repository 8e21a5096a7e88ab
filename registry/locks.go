package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// ErrNotHeld refuses to unlock what the calling process has not locked.
var ErrNotHeld = errors.New("registry: the process does not hold the lock")

// Locks are locks by key, each held by one process at a time (OTP:
// global:set_lock on one node). A process may lock one several times, and then
// unlocks it as often; when it ends, its locks are free. Locks are for what
// several processes must not do at the same time; what only one process ever
// does needs a server instead.
type Locks[K comparable] struct{ name string }

// NewLocks returns the locks with that name, which is also the registered name
// of their process.
func NewLocks[K comparable](name string) Locks[K] { return Locks[K]{name} }

// Start starts the process that lends the locks, linked to the calling one.
// When it ends, nothing is locked any more.
func (l Locks[K]) Start(ctx context.Context) (process.PID, error) {
	return start(ctx, l.name, &lender[K]{name: l.name, held: map[K]*hold[K]{}})
}

// Lock waits until the calling process has the lock, those who came first
// first; or until ctx is done. It has no time-out of its own.
func (l Locks[K]) Lock(ctx context.Context, key K) error {
	_, err := l.ask(process.WithCallTimeout(ctx, process.Infinity), &lockRequest[K]{key: key, what: lockWait})
	return err
}

// TryLock takes the lock if that can be done at once, and reports whether it
// did.
func (l Locks[K]) TryLock(ctx context.Context, key K) (bool, error) {
	return l.ask(ctx, &lockRequest[K]{key: key, what: lockTry})
}

// Unlock gives the lock back.
func (l Locks[K]) Unlock(ctx context.Context, key K) error {
	_, err := l.ask(ctx, &lockRequest[K]{key: key, what: lockFree})
	return err
}

// Do runs f with the lock held (OTP: global:trans).
func (l Locks[K]) Do(ctx context.Context, key K, f func() error) (err error) {
	if err := l.Lock(ctx, key); err != nil {
		return err
	}
	// Uninterrupted: a process that is told to stop still gives back what it has.
	defer func() { err = errors.Join(err, l.Unlock(process.Uninterrupted(ctx), key)) }()
	return f()
}

func (l Locks[K]) ask(ctx context.Context, r *lockRequest[K]) (bool, error) {
	if _, err := self(ctx); err != nil {
		return false, err
	}
	pid, err := process.Name(l.name).Resolve(ctx)
	if err != nil {
		return false, err
	}
	err = process.Do(ctx, pid, r)
	return r.got, err
}

type lockRequest[K comparable] struct {
	process.Call
	key  K
	what lockVerb
	got  bool
}

type lockVerb uint8

const (
	lockWait lockVerb = iota
	lockTry
	lockFree
)

// A lender is the behaviour of the process behind Locks, which alone touches
// what it holds.
type lender[K comparable] struct {
	host
	name string
	held map[K]*hold[K]
}

// A hold is one lock that is held.
type hold[K comparable] struct {
	by    process.PID
	times int
	queue []*lockRequest[K]
}

// grant reports whether there was still somebody to get the lock.
func (r *lockRequest[K]) grant() bool { return r.Reply(func() { r.got = true }, nil) }

// Handle implements process.Behaviour.
func (l *lender[K]) Handle(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case *lockRequest[K]:
		l.serve(m)
		return nil
	case orphaned:
		for key, h := range l.held {
			if h.by == m.pid {
				l.pass(key, h)
			}
		}
		return nil
	}
	return l.host.Handle(ctx, msg)
}

func (l *lender[K]) serve(r *lockRequest[K]) {
	h, pid := l.held[r.key], r.From()
	switch {
	case r.what == lockFree && (h == nil || h.by != pid):
		r.Reply(nil, fmt.Errorf("%w: %s[%v]", ErrNotHeld, l.name, r.key))
	case r.what == lockFree:
		if h.times--; h.times == 0 {
			l.pass(r.key, h)
		}
		r.Reply(nil, nil)
	case h == nil:
		h = &hold[K]{queue: []*lockRequest[K]{r}}
		l.held[r.key] = h
		l.pass(r.key, h)
	case h.by == pid:
		if r.grant() {
			h.times++
		}
	case r.what == lockTry:
		r.Reply(nil, nil)
	default:
		h.queue = append(h.queue, r)
	}
}

// pass gives a lock that nobody holds any more to the first who still waits for
// it.
func (l *lender[K]) pass(key K, h *hold[K]) {
	h.by, h.times = process.PID{}, 0
	for len(h.queue) > 0 {
		next := h.queue[0]
		h.queue = h.queue[1:]
		if !next.Waiting() {
			continue
		}
		// First we make sure to hear of its end: then it may have the lock.
		if _, err := process.Keep(l.own, next.From(), l); err == nil && next.grant() {
			h.by, h.times = next.From(), 1
			return
		}
	}
	delete(l.held, key)
}

// orphaned is the message that a holder has ended.
type orphaned struct{ pid process.PID }

// Forget implements process.Keeper. The message is in the mailbox before anybody
// learns of the end of pid, so whoever has and asks for the lock finds it free.
func (l *lender[K]) Forget(pid process.PID) {
	// It is refused only if the lender has ended, and its locks with it.
	_ = process.Send(l.own, l.pid, orphaned{pid})
}
