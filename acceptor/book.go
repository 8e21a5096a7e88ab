package acceptor

import (
	"context"
	"errors"
	"maps"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// errLate ends a connection whose acceptor has given it up, or has lost its
// permission, before its process had begun.
var errLate = errors.New("acceptor: its acceptor has ended")

// opened enters a connection, on behalf of its process, which from then on is
// one: it is counted until it ends.
func (l *listener) opened(ctx context.Context, in *arrival, e entry) error {
	return l.enroll(ctx, process.Self(ctx), in, e)
}

// enroll is opened for a process that does not do it itself.
func (l *listener) enroll(ctx context.Context, pid process.PID, in *arrival, e entry) error {
	ok, awaited := l.claim(pid, in, e)
	if !ok {
		return errLate
	}
	// A gate that has just ended watches nobody, and one that is started now finds
	// the connection by itself. That goes for what it is told, too.
	if way := l.gate.Load(); way != nil {
		_ = way.watch(l, pid)
	}
	if awaited || len(l.settings().Alarms) > 0 {
		_ = server.Cast(ctx, l, changed{})
	}
	return nil
}

// claim makes the acceptor's permission the connection's. It reports also whether
// somebody waits for what that changes.
func (l *listener) claim(pid process.PID, in *arrival, e entry) (ok, awaited bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.counts = !e.conn.uncounted
	if l.peers != nil && l.suspended || in.state != underway || !l.ledger.claim(in.by, e.counts) {
		return false, false
	}
	in.state = begun
	e.conn.listed = pid
	l.conns[pid] = e
	return true, l.queued > 0 || l.awaited > 0
}

// giveUp is called by the acceptor of a connection whose start has failed. It
// reports whether the connection had not begun, and so never will.
func (l *listener) giveUp(in *arrival) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if in.state == begun {
		return false
	}
	in.state = givenUp
	return true
}

// bury counts the end of a connection, and tells tracers of it, once.
func (l *listener) bury(ctx context.Context, d process.Down) {
	e, class, reason := l.closed(d.PID, d.Reason)
	if class != "" && process.Wants(ctx, process.Network, process.LevelQuiet) {
		d.Reason = reason
		l.tellClosed(ctx, d, e, class)
	}
}

// closed forgets a connection that has ended, counts its end, and returns what
// was known of it; class "": somebody has done so before.
func (l *listener) closed(pid process.PID, told error) (e entry, class string, reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.conns[pid]
	if !ok {
		return e, "", nil
	}
	reason = e.reason(told)
	class = endClass(reason)
	l.ends[class]++
	l.ledger.leave(e.counts)
	l.leaveLocked(e.conn.bound)
	delete(l.conns, pid)
	return e, class, reason
}

// uncount stops counting a connection; false: it is not counted, or not yet.
func (l *listener) uncount(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.uncounted = true
	e := l.conns[c.listed]
	if !e.counts {
		return false
	}
	e.counts = false
	l.conns[c.listed] = e
	l.ledger.uncount()
	return true
}

// watched notes that a gate hears of a connection's end; false: it does already,
// or there is none.
func (l *listener) watched(pid, by process.PID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.conns[pid]
	if !ok || e.gate == by {
		return false
	}
	e.gate = by
	l.conns[pid] = e
	return true
}

// hurry is called right before the connections are shut down.
func (l *listener) hurry() {
	l.hurried.Store(true)
	for _, e := range l.connected() {
		e.conn.hurry()
	}
}

// connected returns the connections as they are now.
func (l *listener) connected() map[process.PID]entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.conns)
}

// present is how many there are.
func (l *listener) present() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ledger.all()
}

func (l *listener) pid() process.PID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.top
}
