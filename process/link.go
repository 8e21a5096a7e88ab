package process

import "context"

// Link ties the calling process and another together: when one ends, the other
// gets an exit signal with the same reason. Linking twice, or oneself, changes
// nothing. If the other is dead already, a caller that traps exits gets its
// *ExitSignal with [ErrNoProc]; one that does not, the error.
func Link(ctx context.Context, to Target) error {
	self, p, err := pair(ctx, to)
	if err != nil {
		return err
	}
	if self == p {
		return nil
	}
	a, b := self, p
	if a.id > b.id { // always the older first, so that two who link each other cannot deadlock
		a, b = b, a
	}
	a.mu.Lock()
	b.mu.Lock()
	// One that is on its way out may still be linked to, as it may be watched:
	// its end is told when its name is free, and not before. A link that is there
	// stays until the end of the other has come by it: that is not told twice.
	linked := self.hasLink(p)
	gone := p.state == dead && !linked
	fenced := self.fenced()
	if !gone && !fenced && !linked {
		a.addLink(b)
		b.addLink(a)
	}
	b.mu.Unlock()
	a.mu.Unlock()
	switch {
	case fenced:
		return self.refusal()
	case gone:
		return self.linkDead(p)
	}
	if self.node.wants(Linked) {
		self.note(Linked, p, nil, nil)
	}
	return nil
}

// linkDead is what linking a dead process does.
func (p *proc) linkDead(to *proc) error {
	p.mu.Lock()
	if !p.trap {
		p.mu.Unlock()
		return &ExitError{PID: PID{to}, Name: to.path(), Reason: ErrNoProc}
	}
	resume := p.enqueue(envelope{msg: &ExitSignal{PID{to}, ErrNoProc}, from: to, kind: envExit})
	p.mu.Unlock()
	resume.now()
	return nil
}

// Unlink takes a link away. After it no exit signal of the other comes by link;
// an *ExitSignal that is already in the mailbox stays there.
func Unlink(ctx context.Context, to Target) error {
	self, p, err := pair(ctx, to)
	if err != nil {
		return err
	}
	if !unlink(self, p, func() bool { return !self.fenced() }) {
		return self.refusal() // its end must still reach those it is linked to
	}
	if self != p && self.node.wants(Unlinked) {
		self.note(Unlinked, p, nil, nil)
	}
	return nil
}

// unlink takes the link between two away, if allowed says so under their locks.
func unlink(a, b *proc, allowed func() bool) bool {
	if a.id > b.id {
		a, b = b, a
	}
	if a == b {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !allowed() {
		return false
	}
	a.dropLink(b)
	b.dropLink(a)
	return true
}

func always() bool { return true }
