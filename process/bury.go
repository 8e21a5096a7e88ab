package process

import (
	"sync"
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
	p.ext().abandoned = !back
	p.mu.Unlock()
	if back {
		return
	}
	if p.node.wants(Abandoned) && !p.marked(markLends) { // then it is not its own fault
		p.emit(Event{Kind: Abandoned, Level: LevelError, Text: "goroutine abandoned: it did not return from its handler",
			Reason: reason, Detail: &AbandonReport{PID: PID{p}, Grace: p.origin.grace, Stack: stack}})
	}
	p.bury(nil, true).launch()
}

// spare gives a goroutine that is not blocked, but has not had its turn on a busy
// machine, its Grace a second time.
func (p *proc) spare() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.burying {
		p.ext().spared = true
		p.x.graceTime = time.AfterFunc(p.origin.grace, p.abandon)
	}
}

// bury makes the end of p known, in this order: its name is free; its keepers
// have forgotten it; the probe is told; whoever asks finds it dead; those linked
// to it, those who watch it and the one who started it are told. Nothing of p
// arrives anywhere after that.
//
// If its parent was idle, and is the last to be told, bury returns it: to be run
// by the goroutine of p, which has nothing more to do. Else nil.
func (p *proc) bury(outcome error, abandoned bool) (next *proc) {
	reason, first := p.depart(outcome)
	if !first {
		return nil
	}
	return p.lower(reason, abandoned)
}

// depart is the first of a burial, up to the probe. It reports whether it is the
// first: one that was abandoned may come back to be buried again.
func (p *proc) depart(outcome error) (reason error, first bool) {
	p.mark(markFenced)
	p.mu.Lock()
	if p.burying {
		p.forget()
		p.mu.Unlock()
		return nil, false
	}
	if !p.doomed() {
		p.conclude(outcome)
	}
	p.burying = true
	name, reason := p.name(), p.reason
	kept := p.x != nil && p.x.keepers.Len() > 0 // no more can come: p is fenced
	p.mu.Unlock()
	if name != "" && p.node.names.release(name, p) {
		p.named(Unregistered, name, nil)
	}
	if kept {
		p.forgotten()
	}
	if p.node.wants(Exited) {
		p.note(Exited, nil, nil, reason)
	}
	return reason, true
}

// lower is the last of a burial: p is dead, and everybody is told.
func (p *proc) lower(reason error, abandoned bool) (next *proc) {
	var r remains
	p.lay(&r, abandoned)
	r.after.now()
	return r.tell(p, reason)
}

// remains are those who are still to be told of a death, and are told without
// the lock. Most have nobody but their parent.
type remains struct {
	after   aftermath
	parent  *proc // if linked
	mourned bool  // there are mourners; no more can come
	others  *others
}

type others struct {
	links             []*proc
	watched, watching []*monitor
}

func (r *remains) tell(p *proc, reason error) (next *proc) {
	if r.parent != nil {
		var after aftermath
		r.parent.linkBroke(p, reason, &after)
		if r.others == nil && !r.mourned {
			next, after.launch = after.launch, nil
		}
		after.now()
	}
	if r.others != nil {
		r.others.tell(p, reason)
	}
	if r.mourned {
		p.mu.Lock()
		p.mourners.resolve(mournerSide, replied, true)
		p.mourners.clear(mournerSide)
		p.mu.Unlock()
	}
	return next
}

func (o *others) tell(p *proc, reason error) {
	for _, q := range o.links {
		var after aftermath
		q.linkBroke(p, reason, &after)
		after.now()
	}
	fireAll(o.watched, reason)
	for _, m := range o.watching {
		m.on.unwatch(m)
	}
}

// fireAll tells those who watch. Many are told by several goroutines: to tell one
// that is idle is to start a goroutine for it, and one processor alone would be
// behind those that these run on.
func fireAll(all []*monitor, reason error) {
	const share = 64
	fire := func(some []*monitor) {
		for _, m := range some {
			m.fire(reason)
		}
	}
	var others sync.WaitGroup
	for len(all) > 2*share {
		some := all[:share]
		all = all[share:]
		others.Add(1)
		launch(func() {
			defer others.Done()
			fire(some)
		})
	}
	fire(all)
	others.Wait()
}

// lay takes everything that p held away from it.
func (p *proc) lay(r *remains, abandoned bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = dead
	p.mark(markDead)
	p.cancel(&r.after)
	r.after.unsettled = p.callers.resolve(calleeSide, died, true)
	p.waits.resolve(callerSide, cancelled, true)
	p.callers.clear(calleeSide)
	p.waits.clear(callerSide)
	r.mourned = p.mourners.first != nil
	if p.up {
		p.up, r.parent = false, p.parent
	}
	if p.starting && p.reason != nil && (p.x == nil || p.x.startErr == nil) {
		p.ext().startErr = p.reason
	}
	p.starting = false
	if p.x != nil {
		r.others = p.layRest()
	}
	p.queue.Drop()
	if !abandoned {
		p.forget()
	}
}

// layRest takes away what is in the extension. p.mu is held.
func (p *proc) layRest() *others {
	x := p.x
	o := &others{links: p.takeLinks(), watched: x.watched.All(), watching: x.monitors.All()}
	x.watched, x.monitors = struct0(x.watched), struct0(x.monitors)
	if x.graceTime != nil {
		x.graceTime.Stop()
	}
	x.called, x.system, x.stopping, x.offspring = nil, nil, nil, nil
	return o
}

// forget drops what belongs to the process's goroutine, which has come back.
// p.mu is held.
func (p *proc) forget() {
	p.b, p.liveFn, p.inHand, p.batch = nil, nil, nil, mailbox.Batch[envelope]{}
	p.left.Store(0)
	p.node.table.remove(p)
}

func struct0[T any](T) (zero T) { return zero }
