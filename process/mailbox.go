package process

import "runtime"

// An envelope is one entry of a mailbox.
type envelope struct {
	msg  any
	from *proc
	kind envKind
}

type envKind uint8

const (
	envMessage envKind = iota // a user's message
	envCall                   // a user's request; msg embeds *Call
	envExit                   // *ExitSignal, to a process that traps
	envDown                   // *Down
	envTimer                  // *Timer
	envStop                   // *stopRequest
	envSystem                 // *systemRequest, in a queue of its own
	envFeed                   // *feedMessage
)

// countsAgainstLimit reports whether a mailbox limit may refuse it.
func (k envKind) countsAgainstLimit() bool { return k == envMessage || k == envCall }

// isSent reports whether the process it is from sends it itself; the others are
// sent for it, at its end, and pass its fence.
func (k envKind) isSent() bool { return k != envExit && k != envDown }

// A sender that finds this many waiting, or a multiple, lets others run: the
// receiver catches up sooner, and memory is spared.
const farAhead = 2048

// push delivers e to p. Nothing of a fenced sender arrives; what a dead process
// is sent vanishes, as in OTP.
func (p *proc) push(e envelope) error {
	p.mu.Lock()
	if err := p.admit(e); err != nil || p.doomed || p.state == dead {
		p.mu.Unlock()
		if err == errFenced {
			return e.from.refusal()
		}
		return err
	}
	resume := p.enqueue(e)
	far := p.queue.Len()%farAhead == 0
	p.mu.Unlock()
	resume.now()
	if far {
		runtime.Gosched()
	}
	return nil
}

// admit says why e may not enter p's mailbox. p.mu is held.
func (p *proc) admit(e envelope) error {
	switch {
	case e.kind.isSent() && e.from != nil && e.from.fenced.Load():
		return errFenced
	case p.limit > 0 && e.kind.countsAgainstLimit() && p.users >= p.limit && p.state != dead:
		return &mailboxFullError{PID{p}, p.limit}
	}
	return nil
}

// enqueue appends e. p.mu is held; the caller does what is returned once it has
// let go of the lock.
func (p *proc) enqueue(e envelope) resumption {
	if e.kind == envSystem {
		p.system = append(p.system, e.msg.(*systemRequest))
		p.heed(attSystem, true)
		return p.rouse()
	}
	if e.kind == envStop && p.stopping == nil {
		p.stopping = e.msg.(*stopRequest)
	}
	p.queue.Push(e, &p.node.chunks)
	p.pushed++
	if p.limit > 0 && e.kind.countsAgainstLimit() {
		p.users++
	}
	if p.suspended() && p.stopping == nil && !p.told {
		return resumption{}
	}
	return p.rouse()
}

// rouse makes p runnable. p.mu is held.
func (p *proc) rouse() resumption {
	switch p.state {
	case idle:
		p.state = running
		return resumption{launch: p}
	case parked:
		p.state = running
		return resumption{wake: p.x.wake}
	}
	return resumption{}
}

// A resumption is the part of waking a process that is done without its lock.
type resumption struct {
	launch *proc
	wake   chan<- struct{}
}

func (r resumption) now() {
	if r.launch != nil {
		launch(r.launch.runFn)
	} else if r.wake != nil {
		r.wake <- struct{}{}
	}
}

// launch is where every goroutine of coppice starts.
func launch(run func()) { go run() }

// What next found.
type found uint8

const (
	nothing found = iota // the process rests now
	something
	doom    // a fatal signal arrived
	stopped // it was told to stop while it was suspended; outcome is set
)

// next takes the oldest entry. When there is nothing the process has become
// rest (idle or parked); if idle, another goroutine may already be running it
// and the caller must not touch it again.
func (p *proc) next(rest state) (envelope, found) {
	for {
		e, got := p.take(rest)
		if got != something || e.kind != envFeed || e.open() {
			return e, got
		}
	}
}

func (p *proc) take(rest state) (envelope, found) {
	if p.attention.Load() != 0 {
		if got := p.attend(rest); got != something {
			return envelope{}, got
		}
	}
	e, ok := p.batch.Next(&p.node.chunks)
	if !ok {
		p.mu.Lock()
		if p.attention.Load() != 0 { // it came this moment
			p.mu.Unlock()
			return p.take(rest)
		}
		if p.queue.Len() == 0 {
			p.state = rest
			p.mu.Unlock()
			return envelope{}, nothing
		}
		p.queue.Take(&p.batch)
		p.mu.Unlock()
		e, _ = p.batch.Next(&p.node.chunks)
	}
	p.took(e)
	return e, something
}

// took keeps the counts of a mailbox right.
func (p *proc) took(e envelope) {
	p.taken.Store(p.taken.Load() + 1)
	if p.limit > 0 && e.kind.countsAgainstLimit() {
		p.mu.Lock()
		p.users--
		p.mu.Unlock()
	}
}
