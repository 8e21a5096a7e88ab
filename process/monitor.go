package process

import (
	"context"
	"sync/atomic"
	"time"
)

// A Down tells a process that one it monitors has ended. It comes once, and
// nothing of the dead arrives after it.
type Down struct {
	Ref    MonitorRef
	PID    PID
	Name   string // if it was monitored by name
	Reason error  // ErrNoProc if it had ended before
	Tag    any    // what was given to Monitor
}

// A MonitorRef is one monitor.
type MonitorRef struct{ m *monitor }

type monitor struct {
	by, on *proc
	name   string
	tag    any
	state  atomic.Uint32
	alias  atomic.Pointer[Alias] // closed with it
}

const (
	monActive uint32 = iota
	monFired
	monDelivered
	monFlushed
)

// Monitor lets the calling process know by a *Down when another ends; at once,
// with [ErrNoProc], if it has. Each Monitor is one of its own.
func Monitor(ctx context.Context, to Target, tag any) (MonitorRef, error) {
	self, err := actor(ctx)
	if err != nil {
		return MonitorRef{}, err
	}
	m := &monitor{by: self, tag: tag}
	if n, ok := to.(Name); ok {
		m.name = string(n)
	}
	if pid, err := to.Resolve(ctx); err == nil {
		m.on = pid.p
	}
	self.mu.Lock()
	if self.fenced() {
		self.mu.Unlock()
		return MonitorRef{}, self.refusal()
	}
	self.ext().monitors.Add(m)
	self.mu.Unlock()
	if m.on == nil || !m.on.watch(m) {
		m.fire(ErrNoProc)
	}
	return MonitorRef{m}, nil
}

// newMonitor is a monitor of p's on a process that is about to be made.
func (p *proc) newMonitor(tag any) *monitor {
	m := &monitor{by: p, tag: tag}
	p.mu.Lock()
	p.ext().monitors.Add(m)
	p.mu.Unlock()
	return m
}

// watch enters m unless p is dead. It may still watch the dying.
func (p *proc) watch(m *monitor) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == dead {
		return false
	}
	return p.ext().watched.Add(m)
}

func (p *proc) unwatch(m *monitor) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.x != nil && p.x.watched.Delete(m)
}

// fire tells the watcher.
func (m *monitor) fire(reason error) {
	if !m.state.CompareAndSwap(monActive, monFired) {
		return
	}
	m.alias.Load().monitorGone()
	d := &Down{Ref: MonitorRef{m}, PID: PID{m.on}, Name: m.name, Reason: reason, Tag: m.tag}
	// A signal is never refused.
	_ = m.by.push(envelope{msg: d, from: m.on, kind: envDown})
}

// deliver reports whether a Down that comes out of p's mailbox is still wanted.
func (m *monitor) deliver(p *proc) bool {
	p.mu.Lock()
	if p.x != nil {
		p.x.monitors.Delete(m)
	}
	p.mu.Unlock()
	return m.state.CompareAndSwap(monFired, monDelivered)
}

// Demonitor takes a monitor away, with its *Down if that is in the mailbox
// (OTP: demonitor with flush and info). It reports whether the monitor was
// still active, that is whether the other had not ended.
func Demonitor(ctx context.Context, ref MonitorRef) (was bool) {
	self, err := actor(ctx)
	if err != nil || ref.m == nil || ref.m.by != self {
		return false
	}
	return ref.m.drop()
}

func (m *monitor) drop() (was bool) {
	was = m.on.unwatch(m)
	m.alias.Load().monitorGone()
	m.state.CompareAndSwap(monFired, monFlushed)
	m.by.mu.Lock()
	if m.by.x != nil {
		m.by.x.monitors.Delete(m)
	}
	m.by.mu.Unlock()
	return was
}

// Wait waits until a process has ended and returns its reason. That of one that
// is dead already is returned at once. err is ctx's cause if ctx is done first.
func Wait(ctx context.Context, to Target) (reason, err error) {
	return WaitFor(ctx, to, Infinity)
}

// WaitFor is Wait with a limit; err is ErrTimeout when it is over.
func WaitFor(ctx context.Context, to Target, limit time.Duration) (reason, err error) {
	self, p, err := pair(ctx, to)
	if err != nil {
		return nil, err
	}
	pool := self.node.waiters.of(self)
	w := pool.get()
	defer pool.put(w)
	w.begin()
	if err := self.wait(ctx, w); err != nil {
		return nil, err
	}
	defer self.dropWait(w)
	if p.mourn(w) {
		defer p.dropMourner(w)
		if limit >= 0 {
			self.node.deadlines.arm(w, limit)
		}
		switch await(ctx, w) {
		case timedOut:
			return nil, ErrTimeout
		case cancelled:
			return nil, cause(ctx, self)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason, nil
}

// awaitDeath waits for the end of a process that is doomed, so for its Grace at
// most.
func (p *proc) awaitDeath() {
	pool := p.node.waiters.of(p)
	w := pool.get()
	defer pool.put(w)
	w.begin()
	if p.mourn(w) {
		w.receive()
		p.dropMourner(w)
	}
}

// mourn enters w among those who wait for the death of p, unless it is dead.
func (p *proc) mourn(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == dead {
		return false
	}
	p.mourners.add(w, mournerSide)
	return true
}

func (p *proc) dropMourner(w *waiter) {
	p.mu.Lock()
	p.mourners.remove(w, mournerSide)
	p.mu.Unlock()
}
