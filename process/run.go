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

// live is what a goroutine does: it runs a process, and after the end of that one
// the parent whom it has woken, if there is nothing else to do first. So a crash
// and the restart that follows are one goroutine's work.
func (p *proc) live() {
	for p != nil {
		p = p.run()
	}
}

// run is one activation: from a message until the mailbox is empty again, or
// the process ends. There is one recover for all of it. It returns who is to be
// run next, see bury.
//
// It does not stay in the way of the receiver's address in a stack trace: that
// is how a process's goroutine is found (see PID.Stack).
//
//go:noinline
func (p *proc) run() (next *proc) {
	finished := false
	defer func() {
		if !finished {
			p.end(p.unwound(recover())).launch()
		}
	}()
	outcome, ended := p.turns()
	finished = true
	if !ended {
		return nil
	}
	return p.ended(outcome)
}

// ended is the end of a process whose code has returned.
func (p *proc) ended(outcome error) (next *proc) {
	if !Clean(outcome) && p.node.wants(Crashed) {
		deepen(false) // there is something to report, and that takes room
	}
	if next = p.end(outcome); p.origin.raw { // it may have bound its goroutine to a thread
		next.launch()
		return nil
	}
	return next
}

// deepen has the goroutine's stack grow to 4 kB now, if it is smaller: that costs
// most of a microsecond where many frames are on it, and a third of that where
// there are few. Only the size of its frame counts.
//
//go:noinline
func deepen(use bool) byte {
	if !use {
		return 0
	}
	var room [2400]byte
	return touch(&room)
}

//go:noinline
func touch(room *[2400]byte) byte { return room[len(room)-1] }

// turns handles what is in the mailbox. It reports how the process ends, if it
// does; if not, it may already be running elsewhere.
//
// This and what it calls for every message is kept small on the stack, with
// what is rare in functions of its own: a goroutine is born with 2 kB, and to
// grow costs more than a turn.
func (p *proc) turns() (outcome error, ended bool) {
	if !p.inited {
		if outcome, ended = p.begin(); ended {
			return outcome, true
		}
	}
	var e envelope
	for {
		switch p.next(&e, idle) {
		case nothing:
			return nil, false
		case doom:
			return nil, true
		case stopped:
			return p.orders(), true
		}
		if outcome, ended = p.turn(&e); ended {
			return outcome, true
		}
		if p.lent {
			p.giveBack()
			return nil, false
		}
	}
}

// begin is what comes before the first message; of a raw process, all.
func (p *proc) begin() (outcome error, ended bool) {
	if r, ok := p.b.(runner); ok { // nobody waits for its Init: it has begun, even if it ends at once
		p.began()
		if !p.doomed() {
			outcome = r.run(p)
		}
		return outcome, true
	}
	if outcome = p.b.Init(p); outcome != nil || p.doomed() {
		return outcome, true
	}
	p.began()
	return nil, false
}

// A runner is the behaviour of a raw process: it holds the goroutine and reads
// its own inbox.
type runner interface{ run(p *proc) error }

// turn handles one envelope and reports whether the process ends by it.
func (p *proc) turn(e *envelope) (outcome error, ended bool) {
	msg, ctx := e.msg, context.Context(p)
	switch e.kind {
	case envMessage:
	case envCall:
		ctx = msg.(Requester).header()
	default:
		var wanted bool
		if msg, outcome, wanted = p.open(e); !wanted {
			return outcome, e.ends(p)
		}
	}
	p.inHand = msg
	if p.node.wants(Received) {
		p.note(Received, e.from, msg, nil)
	}
	err := p.b.Handle(ctx, msg)
	if p.node.wants(Handled) {
		p.note(Handled, e.from, msg, reasonOf(err))
	}
	if err != nil {
		return reasonOf(err), true
	}
	p.inHand = nil
	return nil, false
}

// open takes a signal out of its envelope: the message for the behaviour, if it
// is for it and wanted still, else the reason if the process ends by it.
func (p *proc) open(e *envelope) (msg any, outcome error, wanted bool) {
	switch e.kind {
	case envExit:
		if e.ends(p) {
			return nil, e.msg.(*ExitSignal).Reason, false
		}
	case envDown:
		return e.msg, nil, e.msg.(*Down).Ref.m.deliver(p)
	case envTimer:
		t := e.msg.(*Timer)
		return t.msg, nil, t.deliver()
	case envStop:
		return nil, e.msg.(*stopRequest).reason, false
	}
	return e.msg, nil, true
}

// ends reports whether p ends by e as such: its parent's exit signal, an order
// to stop.
func (e *envelope) ends(p *proc) bool {
	return e.kind == envStop || e.kind == envExit && e.from == p.parent
}

// orders is the reason of one that was told to stop while it was suspended.
func (p *proc) orders() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told {
		return p.asked()
	}
	return p.x.stopping.reason
}

// unwound gives the reason for a goroutine that did not return in the ordinary
// way: it panicked with value, or, if that is nil, called runtime.Goexit.
func (p *proc) unwound(value any) error {
	if value != nil {
		return newPanicError(value, 2)
	}
	if p.marked(markLends) {
		return nil // the one that it was lent to has ended the goroutine
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.x != nil && p.x.exiting {
		return p.x.outcome
	}
	return ErrGoexit
}

// end runs on the process's own goroutine when it ends. It returns who is to be run
// next, see bury.
func (p *proc) end(outcome error) (next *proc) {
	p.finish(&outcome)
	return p.bury(outcome, false)
}

// finish is what comes before the burial: Terminate if that is due, the crash
// report. It must come to the burial whatever user code does: if that calls Goexit,
// nobody is left to return to, and finish sees to it.
func (p *proc) finish(outcome *error) {
	back := false
	defer func() {
		if !back {
			p.bury(*outcome, false).launch()
		}
	}()
	if !p.inited {
		*outcome = p.failStart(*outcome)
		back = true
		return
	}
	if p.doomed() {
		back = true
		return
	}
	// Deferred, because after an Exit in Terminate nothing else runs any more.
	// A panic is reported even if its value makes a clean reason.
	terminated := false
	defer func() {
		_, panicked := (*outcome).(*PanicError)
		if (panicked || !Clean(*outcome)) && !p.doomed() {
			p.reportCrash(*outcome)
		}
		back = terminated
	}()
	p.terminate(outcome)
	terminated = true
}

// terminate calls the behaviour's Terminate. If that fails, its failure is the
// reason.
func (p *proc) terminate(outcome *error) {
	*outcome = p.obeyed(*outcome)
	finished := false
	defer func() {
		if !finished {
			*outcome = p.unwound(recover())
		}
	}()
	if err := p.b.Terminate(&lastCtx{p}, *outcome); err != nil {
		*outcome = reasonOf(err)
	}
	finished = true
}

// obeyed gives the reason of a process that was told to stop and returned its
// ctx's error, which is what Go code does then: it did as it was told.
func (p *proc) obeyed(reason error) error {
	if reason == nil || reason == ErrShutdown {
		return reason
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told && errors.Is(reason, context.Canceled) {
		return p.asked()
	}
	return reason
}

// failStart ends a process whose Init did not succeed, and returns its reason. A
// panic there has a stack to report; an error is the starter's to report.
func (p *proc) failStart(outcome error) error {
	if _, ok := outcome.(*PanicError); ok && !p.doomed() {
		p.reportCrash(outcome)
	}
	p.mu.Lock()
	x := p.ext()
	x.startErr = outcome
	if p.doomed() {
		x.startErr = p.reason
	} else if errors.Is(outcome, ErrIgnore) {
		outcome = nil
	} else if outcome == nil { // process.Exit(ctx, nil) inside Init
		x.startErr = errEndedInInit
	}
	p.mu.Unlock()
	if p.parent != nil {
		unlink(p, p.parent, always) // the starter gets the error, not an exit signal as well
	}
	return outcome
}

var errEndedInInit = errors.New("process: ended normally before its Init returned")
