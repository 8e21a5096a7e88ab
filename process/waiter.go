package process

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// A waiter is a one-shot slot in which somebody waits for one thing: an
// answer, the end of an Init, a death. Whoever decides the outcome first wins,
// by compare-and-swap, and leaves one token in ch; all others come too late and
// reach nobody. Waiters are used again, so a use is told by its number.
//
//	begin → waiting ─┬→ replied
//	                 ├→ timedOut   (the node's deadlines)
//	                 ├→ died       (who should have answered has ended)
//	                 └→ cancelled  (who waits was told to stop, or gave up)
type waiter struct {
	state atomic.Uint64 // number of the use << 3 | outcome
	due   atomic.Int64  // nanoseconds since the node's start
	ch    chan struct{}
	hard  bool // only a fatal signal cancels it, not a shutdown
	start bool // it waits for an Init, among the mourners
	// pending is set for the one waiter that belongs to a Pending: nobody
	// waits in it, the one who decides its outcome settles it instead.
	pending *Pending
	at      [sides]place // in the lists of either side, guarded by theirs

	received bool // the token of this use has been taken out of ch; the owner's
}

type outcome uint64

const (
	unused outcome = iota
	waiting
	replied
	timedOut
	died
	cancelled
)

const never = math.MaxInt64

// begin starts a use and returns its number.
func (w *waiter) begin() (use uint64) {
	use = w.state.Load()>>3 + 1
	w.hard, w.start, w.received = false, false, false
	w.due.Store(never)
	w.state.Store(use<<3 | uint64(waiting))
	return use
}

func (w *waiter) use() uint64 { return w.state.Load() >> 3 }

func (w *waiter) outcome() outcome { return outcome(w.state.Load() & 7) }

// claim decides the outcome of that use and reports whether it was the first
// to. The winner then calls wake.
func (w *waiter) claim(use uint64, o outcome) bool {
	return w.state.CompareAndSwap(use<<3|uint64(waiting), use<<3|uint64(o))
}

// receive waits for the outcome.
func (w *waiter) receive() {
	<-w.ch
	w.received = true
}

// end ends a use: from here on nobody can decide it, and no token is left.
func (w *waiter) end() {
	if !w.claim(w.use(), cancelled) && !w.received && w.outcome() != unused {
		w.receive()
	}
}

func (w *waiter) wake() {
	if w.pending == nil {
		w.ch <- struct{}{}
	}
}

// resolve is claim and wake. The caller holds a lock that keeps this use going
// (that of a list that w is in), or is its owner.
func (w *waiter) resolve(o outcome) bool { return w.resolveUse(w.use(), o) }

func (w *waiter) resolveUse(use uint64, o outcome) bool {
	if !w.claim(use, o) {
		return false
	}
	w.wake()
	return true
}

// Which list of a process a waiter is in.
const (
	calleeSide  = iota // those who wait for an answer from it
	callerSide         // those that it waits in itself
	mournerSide        // those who wait for its death, or for its Init
	sides
)

// place is where a waiter is in a list, which is a circle; zero: nowhere.
type place struct{ next, prev *waiter }

// waiters is one such list, in order, guarded by its process's mu.
type waiters struct{ first *waiter }

func (l *waiters) add(w *waiter, side int) {
	if l.first == nil {
		l.first = w
		w.at[side] = place{w, w}
		return
	}
	first := l.first
	last := first.at[side].prev
	w.at[side] = place{first, last}
	last.at[side].next, first.at[side].prev = w, w
}

// remove takes w out. It may be out already: a death removes all at once.
func (l *waiters) remove(w *waiter, side int) {
	at := w.at[side]
	if at.next == nil {
		return
	}
	at.prev.at[side].next, at.next.at[side].prev = at.next, at.prev
	w.at[side] = place{}
	switch {
	case at.next == w:
		l.first = nil
	case l.first == w:
		l.first = at.next
	}
}

// resolve gives all of them that outcome; soft ones only, unless hard. What it
// returns is to be settled once the lock is let go.
func (l *waiters) resolve(side int, o outcome, hard bool) (unsettled []*Pending) {
	for w := l.first; w != nil; {
		if (hard || !w.hard) && w.resolve(o) && w.pending != nil {
			unsettled = also(unsettled, w.pending)
		}
		if w = w.at[side].next; w == l.first {
			break
		}
	}
	return unsettled
}

// also is append, kept off the stack of those who have none of these to add.
//
//go:noinline
func also(all []*Pending, p *Pending) []*Pending { return append(all, p) }

// clear takes all of them out.
func (l *waiters) clear(side int) {
	for l.first != nil {
		l.remove(l.first, side)
	}
}

func settle(all []*Pending) {
	for _, p := range all {
		p.settle()
	}
}

// waiterPools lend out waiters, in a few shards so that those who call do not all
// wait for one lock. They belong to a node: a waiter holds a channel, and a
// channel must not wander from one synctest bubble to another.
type waiterPools [8]waiterPool

func (p *waiterPools) of(user *proc) *waiterPool { return &p[user.id%uint64(len(p))] }

type waiterPool struct {
	mu   sync.Mutex
	free []*waiter
	all  []*waiter // for the deadlines
	_    [8]byte   // fills the cache line
}

func (p *waiterPool) get() (w *waiter) {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		w, p.free = p.free[n-1], p.free[:n-1]
	} else {
		w = p.grow()
	}
	p.mu.Unlock()
	return w
}

func (p *waiterPool) grow() *waiter {
	w := &waiter{ch: make(chan struct{}, 1)}
	p.all = append(p.all, w)
	return w
}

func (p *waiterPool) put(w *waiter) {
	w.end()
	p.mu.Lock()
	p.free = append(p.free, w)
	p.mu.Unlock()
}

// deadlines ends the waits whose time is up. A call costs it one atomic load:
// there is one timer a node, set for the earliest deadline that was ever armed;
// when it fires it looks at all waiters there are (as many as ever waited at
// once) and sets itself for the earliest that is left.
type deadlines struct {
	node  *Node
	next  atomic.Int64 // when the timer fires; never if it does not
	mu    sync.Mutex
	timer *time.Timer
}

// arm lets w time out after d.
func (d *deadlines) arm(w *waiter, after time.Duration) {
	due := int64(d.node.since() + after)
	w.due.Store(due)
	if due < d.next.Load() {
		d.mu.Lock()
		d.set(due)
		d.mu.Unlock()
	}
}

// set makes the timer fire no later than due. d.mu is held.
func (d *deadlines) set(due int64) {
	if due >= d.next.Load() {
		return
	}
	d.next.Store(due)
	in := time.Duration(due) - d.node.since()
	if d.timer == nil {
		d.timer = time.AfterFunc(in, d.fire)
	} else {
		d.timer.Reset(in)
	}
}

func (d *deadlines) fire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	// First next, then the look at the waiters: one that is armed meanwhile
	// either sees never, and sets the timer, or is seen here.
	d.next.Store(never)
	now, earliest := int64(d.node.since()), int64(never)
	for i := range d.node.waiters {
		earliest = min(earliest, d.node.waiters[i].expire(now))
	}
	d.set(earliest)
}

// expire lets those time out whose time is up, and returns the earliest deadline
// that is left.
func (p *waiterPool) expire(now int64) (earliest int64) {
	p.mu.Lock()
	all := p.all
	p.mu.Unlock()
	earliest = never
	for _, w := range all {
		s := w.state.Load()
		due := w.due.Load()
		switch {
		case outcome(s&7) != waiting || due == never:
		case due <= now:
			w.resolveUse(s>>3, timedOut)
		default:
			earliest = min(earliest, due)
		}
	}
	return earliest
}

func (d *deadlines) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
}
