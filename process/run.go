package process

import (
	"context"
	"errors"
)

// A Behaviour is what a process does: the callback side, on which servers,
// state machines and supervisors are built (OTP: a special process). Its
// methods are called by one goroutine at a time, and there is none while the
// mailbox is empty.
type Behaviour interface {
	// Init runs in the new process before its start returns. An error is a
	// failed start; ErrIgnore declines.
	Init(ctx context.Context) error
	// Handle takes one thing out of the mailbox: an *ExitSignal or a *Down, a request
	// (which embeds [Call]), or whatever was sent. An error ends the process
	// with that reason; [End] ends it in an orderly way.
	Handle(ctx context.Context, msg any) error
	// Terminate runs when Init succeeded and the process ends by itself, by a
	// crash, by [Stop], or by its parent's exit signal while it traps exits. It
	// does not run for other exit signals. An error replaces the reason. ctx is
	// not cancelled by the shutdown, only by a kill.
	Terminate(ctx context.Context, reason error) error
}

// run is one activation: from a message until the mailbox is empty again, or
// the process ends. There is one recover for all of it.
//
// It does not stay in the way of the receiver's address in a stack trace: that
// is how a process's goroutine is found (see PID.Stack).
//
//go:noinline
func (p *proc) run() {
	finished := false
	defer func() {
		if !finished {
			p.outcome = p.unwound(recover())
			p.finish()
		}
	}()
	ended := p.turns()
	finished = true
	if ended {
		p.finish()
	}
}

// turns handles what is in the mailbox. It reports true when the process ends,
// with p.outcome set; after false the process may already be running elsewhere.
func (p *proc) turns() (ended bool) {
	if r, ok := p.b.(runner); ok { // nobody waits for its Init: it has begun, even if it ends at once
		p.began()
		if !p.isDoomed() {
			p.outcome = r.run(p)
		}
		return true
	}
	if !p.inited {
		if p.outcome = p.b.Init(p); p.outcome != nil || p.isDoomed() {
			return true
		}
		p.began()
	}
	for {
		e, got := p.next(idle)
		switch got {
		case nothing:
			return false
		case doom, stopped:
			return true
		}
		if p.turn(e) {
			return true
		}
	}
}

// A runner is the behaviour of a raw process: it holds the goroutine and reads
// its own inbox.
type runner interface{ run(p *proc) error }

// turn handles one envelope and reports whether the process ends by it.
func (p *proc) turn(e envelope) (ended bool) {
	msg, ctx := e.msg, context.Context(p)
	switch e.kind {
	case envCall:
		ctx = msg.(Requester).header()
	case envExit:
		if x := msg.(*ExitSignal); e.from == p.parent {
			p.outcome = x.Reason
			return true
		}
	case envDown:
		if !msg.(*Down).Ref.m.deliver(p) {
			return false
		}
	case envTimer:
		t := msg.(*Timer)
		if !t.deliver() {
			return false
		}
		msg = t.msg
	case envStop:
		p.outcome = msg.(*stopRequest).reason
		return true
	}
	p.inHand = msg
	if p.node.wants(Received) {
		p.emit(Event{Kind: Received, Peer: PID{e.from}, Msg: msg})
	}
	err := p.b.Handle(ctx, msg)
	if p.node.wants(Handled) {
		p.emit(Event{Kind: Handled, Peer: PID{e.from}, Msg: msg, Reason: reasonOf(err)})
	}
	if err != nil {
		p.outcome = reasonOf(err)
		return true
	}
	p.inHand = nil
	return false
}

// unwound gives the reason for a goroutine that did not return in the ordinary
// way: it panicked with value, or, if that is nil, called runtime.Goexit.
func (p *proc) unwound(value any) error {
	switch {
	case value != nil:
		return newPanicError(value, 2)
	case p.exiting:
		return p.outcome
	}
	return ErrGoexit
}

// finish runs on the process's own goroutine when it ends: Terminate if that is
// due, the crash report, the burial. It must come to the burial whatever user
// code does, so each part has its own guard.
func (p *proc) finish() {
	defer p.bury(false)
	if !p.inited {
		p.failStart()
		return
	}
	if p.isDoomed() {
		return
	}
	// Deferred, because after an Exit in Terminate nothing else runs any more.
	// A panic is reported even if its value makes a clean reason.
	defer func() {
		_, panicked := p.outcome.(*PanicError)
		if !p.isDoomed() && (panicked || !Clean(p.outcome)) {
			p.reportCrash()
		}
	}()
	p.terminate()
}

func (p *proc) isDoomed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doomed
}

// terminate calls the behaviour's Terminate. If that fails, its failure is the
// reason.
func (p *proc) terminate() {
	p.outcome = p.obeyed(p.outcome)
	finished := false
	defer func() {
		if !finished {
			p.outcome = p.unwound(recover())
		}
	}()
	if err := p.b.Terminate(&lastCtx{p}, p.outcome); err != nil {
		p.outcome = reasonOf(err)
	}
	finished = true
}

// obeyed gives the reason of a process that was told to stop and returned its
// ctx's error, which is what Go code does then: it did as it was told.
func (p *proc) obeyed(reason error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told && errors.Is(reason, context.Canceled) {
		return p.asked
	}
	return reason
}

// failStart ends a process whose Init did not succeed. A panic there has a
// stack to report; an error is the starter's to report.
func (p *proc) failStart() {
	if _, ok := p.outcome.(*PanicError); ok && !p.isDoomed() {
		p.reportCrash()
	}
	p.mu.Lock()
	x := p.ext()
	x.startErr = p.outcome
	if p.doomed {
		x.startErr = p.reason
	} else if errors.Is(p.outcome, ErrIgnore) {
		p.outcome = nil
	} else if p.outcome == nil { // process.Exit(ctx, nil) inside Init
		x.startErr = errEndedInInit
	}
	p.mu.Unlock()
	if p.parent != nil {
		unlink(p, p.parent, always) // the starter gets the error, not an exit signal as well
	}
}

var errEndedInInit = errors.New("process: ended normally before its Init returned")
