package process

import (
	"time"

	"github.com/coppice-go/coppice/internal/mailbox"
)

// abandon gives up on the goroutine of a doomed process that has not come back
// from a handler: its watchers learn of the death now.
func (p *proc) abandon() {
	p.mu.Lock()
	if p.burying {
		p.mu.Unlock()
		return
	}
	reason, last := p.reason, p.x.spared
	p.mu.Unlock()
	stack := PID{p}.Stack()
	if stuck := stack != "" && !waitsForCPU(stack); !stuck && !last {
		p.spare()
		return
	}
	p.mu.Lock()
	back := p.burying
	p.x.abandoned = !back
	p.mu.Unlock()
	if back {
		return
	}
	if p.node.wants(Abandoned) {
		p.emit(Event{Kind: Abandoned, Level: LevelError, Text: "goroutine abandoned: it did not return from its handler",
			Reason: reason, Detail: &AbandonReport{PID: PID{p}, Grace: p.grace, Stack: stack}})
	}
	p.bury(true)
}

// spare gives a goroutine that is not blocked, but has not had its turn on a busy
// machine, its Grace a second time.
func (p *proc) spare() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.burying {
		p.x.spared = true
		p.x.graceTime = time.AfterFunc(p.grace, p.abandon)
	}
}

// bury makes the end of p known, in this order: its name is free; its keepers
// have forgotten it; the probe is told; whoever asks finds it dead; those linked
// to it, those who watch it and the one who started it are told. Nothing of p
// arrives anywhere after that.
func (p *proc) bury(abandoned bool) {
	p.fenced.Store(true)
	p.mu.Lock()
	again := p.burying // it was abandoned, and now its goroutine has come back
	p.burying = true
	if !p.doomed {
		p.reason = p.outcome
	}
	name, reason, keepers := p.name, p.reason, p.takeKeepers()
	if again {
		p.forget()
	}
	p.mu.Unlock()
	if again {
		return
	}
	if name != "" && p.node.names.release(name, p) {
		p.named(Unregistered, name, nil)
	}
	for _, k := range keepers {
		p.forgottenBy(k)
	}
	if p.node.wants(Exited) {
		p.emit(Event{Kind: Exited, Reason: reason})
	}
	r := p.lay(abandoned)
	r.cancel()
	settle(r.unsettled)
	for _, q := range r.links {
		// A link signals an end; it cannot fail.
		_ = q.exitSignal(p, reason, true)
	}
	for _, m := range r.watched {
		m.fire(reason)
	}
	for _, m := range r.watching {
		m.on.unwatch(m)
	}
	if r.starter != nil {
		r.starter.resolveUse(r.use, replied)
	}
}

// remains is what is left to do after a death, without the lock.
type remains struct {
	cancel            func()
	links             []*proc
	watched, watching []*monitor
	unsettled         []*Pending
	starter           *waiter
	use               uint64
}

// lay takes everything that p held away from it.
func (p *proc) lay(abandoned bool) (r remains) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = dead
	r = remains{cancel: p.cancelWith(p.reason), links: p.links.All(), watched: p.watched.All()}
	r.unsettled = p.callers.resolve(died, true)
	p.waits.resolve(cancelled, true)
	p.callers, p.waits = waiters{}, waiters{}
	p.links, p.watched = struct0(p.links), struct0(p.watched)
	if x := p.x; x != nil {
		r.watching, x.monitors = x.monitors.All(), struct0(x.monitors)
		if r.starter, x.starter = x.starter, nil; r.starter != nil {
			r.use = x.startUse
			if x.startErr == nil {
				x.startErr = p.reason
			}
		}
		if x.graceTime != nil {
			x.graceTime.Stop()
		}
		x.called = nil
	}
	p.queue.Drop()
	p.system, p.stopping = nil, nil
	if !abandoned {
		p.forget()
	}
	return r
}

// forget drops what belongs to the process's goroutine, which has come back.
// p.mu is held.
func (p *proc) forget() {
	p.b, p.inHand, p.batch = nil, nil, mailbox.Batch[envelope]{}
	p.node.table.remove(p)
}

func struct0[T any](T) (zero T) { return zero }
