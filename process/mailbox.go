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
	envFeed                   // *feedMessage
	envStop                   // *stopRequest; this one and the next are more than put into the queue
	envSystem                 // *systemRequest, in a queue of its own
)

// countsAgainstLimit reports whether a mailbox limit may refuse it.
func (k envKind) countsAgainstLimit() bool { return k == envMessage || k == envCall }

// isSent reports whether the process it is from sends it itself; the others are
// sent for it, at its end, and pass its fence.
func (k envKind) isSent() bool { return k != envExit && k != envDown }

// A sender that finds more than this waiting lets others run now and then: the
// receiver catches up sooner, and memory is spared.
const (
	farAhead   = 2048
	nowAndThen = 256
)

// push delivers e to p. Nothing of a fenced sender arrives; what a dead process
// is sent vanishes, as in OTP.
func (p *proc) push(e envelope) error {
	p.mu.Lock()
	if p.marked(attDoomed|markDead|markLimited) || e.from != nil && e.from.fenced() {
		if err, in := p.admit(&e); !in {
			p.mu.Unlock()
			return e.refused(err)
		}
	}
	var resume resumption
	if p.state == running && e.kind < envStop && !p.marked(markLimited) {
		p.queue.Push(e, &p.node.chunks) // as nearly always where many are sent
	} else {
		resume = p.enqueue(e)
	}
	n := p.queue.Len()
	p.mu.Unlock()
	resume.now()
	if n > farAhead && n%nowAndThen == 0 {
		runtime.Gosched()
	}
	return nil
}

// admit reports whether e may enter p's mailbox; if not, err is why, nil if it
// vanishes. p.mu is held.
func (p *proc) admit(e *envelope) (err error, in bool) {
	alive := !p.marked(markDead)
	switch {
	case e.kind.isSent() && e.from != nil && e.from.fenced():
		return errFenced, false
	case alive && p.marked(markLimited) && e.kind.countsAgainstLimit() && p.x.users >= p.origin.limit:
		return &mailboxFullError{PID{p}, p.origin.limit}, false
	}
	return nil, alive && !p.doomed()
}

// refused is what the sender of e is told.
func (e *envelope) refused(err error) error {
	if err == errFenced {
		return e.from.refusal()
	}
	return err
}

// enqueue appends e. p.mu is held; the caller does what is returned once it has
// let go of the lock.
func (p *proc) enqueue(e envelope) resumption {
	switch {
	case e.kind == envSystem:
		p.ext().system = append(p.ext().system, e.msg.(*systemRequest))
		p.mark(attSystem)
		return p.rouse()
	case e.kind == envStop && p.ext().stopping == nil:
		p.x.stopping = e.msg.(*stopRequest)
	case p.marked(markLimited) && e.kind.countsAgainstLimit():
		p.x.users++
	}
	p.queue.Push(e, &p.node.chunks)
	if p.suspended() && !p.told && p.ext().stopping == nil {
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
		r.launch.launch()
	} else if r.wake != nil {
		r.wake <- struct{}{}
	}
}

// launch gives p a goroutine. For nobody it does nothing.
func (p *proc) launch() {
	if p != nil {
		launch(p.liveFn)
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
	stopped // it was told to stop while it was suspended; see orders
)

// next takes the oldest entry. When there is nothing the process has become
// rest (idle or parked); if idle, another goroutine may already be running it
// and the caller must not touch it again.
func (p *proc) next(e *envelope, rest state) found {
	for {
		got := p.take(e, rest)
		if got != something || e.kind != envFeed || e.open() {
			return got
		}
	}
}

func (p *proc) take(e *envelope, rest state) found {
	for {
		if p.marked(attention) {
			if got := p.attend(rest); got != something {
				return got
			}
		}
		if p.batch.Next(e, &p.node.chunks) {
			p.recount()
			break
		}
		p.mu.Lock()
		if p.marked(attention) { // it came this moment
			p.mu.Unlock()
			continue
		}
		n := p.queue.Len()
		if n == 0 {
			p.state = rest
			p.mu.Unlock()
			return nothing
		}
		p.taken += uint64(n)
		p.queue.Take(e, &p.batch)
		if n > 1 {
			p.left.Store(int32(n - 1))
		}
		p.mu.Unlock()
		break
	}
	if p.marked(markLimited) && e.kind.countsAgainstLimit() {
		p.mu.Lock()
		p.x.users--
		p.mu.Unlock()
	}
	return something
}

// recount tells those who look from outside how many of a batch are left. While
// there are many that is done now and then only, for it is not cheap.
func (p *proc) recount() {
	if n := p.batch.Len(); n < 64 || n%16 == 0 {
		p.left.Store(int32(n))
	}
}
