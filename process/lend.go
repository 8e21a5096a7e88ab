package process

import "context"

// Lend is [Send] by a process that has nothing to do until its message has been
// handled, and that needs nothing from the receiver to go on then. If the receiver is
// idle it handles that one message in the goroutine of the caller, which spares a
// goroutine that would have to be started, and a wait for it; what else comes
// meanwhile is for a goroutine of its own. If the receiver is not idle, Lend does not
// wait.
//
// To the receiver there is no difference, except in a stack trace. A handler that
// ends its goroutine (with [Exit], or runtime.Goexit) ends the process that lent it
// too: normally, once the receiver is dead. A handler that does not come back keeps
// it, so a lender that is told to end is abandoned, without a report, when its Grace
// is over.
func Lend(ctx context.Context, to PID, msg any) error {
	self, err := actor(ctx)
	if err != nil {
		return err
	}
	if to.p == nil {
		return nil // as to any other that is not there
	}
	if self.node.wants(Sent) {
		self.note(Sent, to.p, msg, nil)
	}
	e := envelope{msg: msg, from: self, kind: envMessage}
	if self.isRoot() || !to.p.borrow(e) {
		return to.p.push(e)
	}
	self.mark(markLends)
	to.p.run().launch()
	self.unmark(markLends) // not if the goroutine ends: see unwound
	return nil
}

// borrow puts e in the mailbox of a process that is idle, and has nothing else to
// mind; false: it has not.
func (p *proc) borrow(e envelope) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != idle || p.marked(attention|markDead|markLimited) || e.from.fenced() {
		return false
	}
	p.queue.Push(e, &p.node.chunks)
	p.state, p.lent = running, true
	return true
}

// giveBack is called after a turn in a goroutine that was lent: if there is more to
// do, another one does it.
func (p *proc) giveBack() {
	p.lent = false
	p.mu.Lock()
	more := p.batch.Len() > 0 || p.queue.Len() > 0 || p.marked(attention)
	if !more {
		p.state = idle
	}
	p.mu.Unlock()
	if more {
		p.launch()
	}
}
