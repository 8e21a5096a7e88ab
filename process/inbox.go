package process

import (
	"fmt"
	"runtime"
	"time"
)

// An Inbox is the mailbox of a raw process. It is used by that process's own
// goroutine only. When the process is ended from outside, waiting in it does
// not return: deferred functions run, and that is all.
type Inbox[M any] struct {
	p     *proc
	exit  func(ExitSignal) M
	saved []envelope // taken from the mailbox, passed over by Take
}

// Receive waits for the oldest message and takes it.
func (in *Inbox[M]) Receive() M {
	m, _ := in.take(func(M) bool { return true }, nil)
	return m
}

// ReceiveWithin is Receive with a limit; ok is false when it is over.
func (in *Inbox[M]) ReceiveWithin(d time.Duration) (m M, ok bool) {
	return in.TakeWithin(d, func(M) bool { return true })
}

// Take takes the oldest message that matches, waiting for it; others stay, in
// their order.
func (in *Inbox[M]) Take(match func(M) bool) M {
	m, _ := in.take(match, nil)
	return m
}

// TakeWithin is Take with a limit; 0 looks at what is there and does not wait.
func (in *Inbox[M]) TakeWithin(d time.Duration, match func(M) bool) (m M, ok bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	limit := timer.C
	if d <= 0 {
		closed := make(chan time.Time)
		close(closed)
		limit = closed
	}
	m, ok = in.take(match, limit)
	if !ok && in.p.node.wants(TimedOut) {
		in.p.note(TimedOut, nil, nil, nil)
	}
	return m, ok
}

// Len is how many messages and signals wait to be taken.
func (in *Inbox[M]) Len() int {
	in.p.mu.Lock()
	defer in.p.mu.Unlock()
	return in.p.queue.Len() + in.p.batch.Len() + len(in.saved)
}

// Monitor is process.Monitor; down makes a message of the Down.
func (in *Inbox[M]) Monitor(to Target, down func(Down) M) (MonitorRef, error) {
	return Monitor(in.p, to, down)
}

func (in *Inbox[M]) take(match func(M) bool, limit <-chan time.Time) (m M, ok bool) {
	for i := 0; ; i++ {
		for i >= len(in.saved) {
			if !in.fill(limit) {
				return m, false
			}
		}
		e := in.saved[i]
		if m = in.message(e); match(m) {
			in.saved = append(in.saved[:i], in.saved[i+1:]...)
			if in.p.node.wants(Received) {
				in.p.note(Received, e.from, m, nil)
			}
			return m, true
		}
	}
}

// fill moves the next entry of the mailbox that is a message to saved, waiting
// until limit; it reports whether there was one.
func (in *Inbox[M]) fill(limit <-chan time.Time) bool {
	p := in.p
	for {
		var e envelope
		switch p.next(&e, parked) {
		case doom:
			runtime.Goexit()
		case stopped:
			p.exit(p.orders())
		case nothing:
			if !p.park(limit) {
				return false
			}
			continue
		}
		if p.keep(&e) {
			in.saved = append(in.saved, e)
			return true
		}
	}
}

// keep reports whether an envelope is still to be delivered to a raw process.
func (p *proc) keep(e *envelope) bool {
	switch e.kind {
	case envDown:
		return e.msg.(*Down).Ref.m.deliver(p)
	case envTimer:
		t := e.msg.(*Timer)
		e.msg = t.msg
		return t.deliver()
	case envStop:
		p.exit(e.msg.(*stopRequest).reason)
	}
	return true
}

// park waits until the process is roused; false: limit came first.
func (p *proc) park(limit <-chan time.Time) bool {
	select {
	case <-p.x.wake:
		return true
	case <-limit:
	}
	p.mu.Lock()
	roused := p.state != parked
	p.state = running
	p.mu.Unlock()
	if roused {
		<-p.x.wake
	}
	return roused
}

// message gives an envelope as the process's own type.
func (in *Inbox[M]) message(e envelope) M {
	switch msg := e.msg.(type) {
	case *ExitSignal:
		return in.exit(*msg)
	case *Down:
		if f, ok := msg.Tag.(func(Down) M); ok {
			return f(*msg)
		}
		panic(fmt.Errorf("process: %v monitors %v without saying what message its Down becomes: use Inbox.Monitor", PID{in.p}, msg.PID))
	case interface{ message() any }:
		return msg.message().(M)
	case M:
		return msg
	}
	panic(fmt.Errorf("process: %v was sent a %T, it takes %T", PID{in.p}, e.msg, *new(M)))
}
