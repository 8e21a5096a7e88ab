package process

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// An ExitSignal is an exit signal as a message: what a process that traps exits gets
// instead of dying. A nil Reason is normal.
type ExitSignal struct {
	From   PID
	Reason error
}

// A fate is what an exit signal does to its receiver.
type fate uint8

const (
	ignored   fate = iota
	delivered      // it becomes an *ExitSignal message
	deadly
)

// decide is the rule of exit signals (OTP reference manual, Processes,
// Receiving Exit Signals), for all but kills, which are always deadly.
//
// One thing differs from OTP: a behaviour whose parent ends normally ends too,
// with shutdown, where OTP would leave an orphan.
func decide(trap, fromParent, raw bool, reason error) (fate, error) {
	switch {
	case trap:
		return delivered, reason
	case reason != nil:
		return deadly, reason
	case fromParent && !raw:
		return deadly, ErrShutdown
	}
	return ignored, nil
}

// exitSignal brings an exit signal that another process sends to p.
func (p *proc) exitSignal(from *proc, reason error) error {
	p.mu.Lock()
	if p.doomed() || p.burying || p.isRoot() {
		p.mu.Unlock()
		return nil
	}
	if from.fenced() {
		p.mu.Unlock()
		return from.refusal()
	}
	var after aftermath
	p.signalled(from, reason, false, &after)
	p.mu.Unlock()
	after.now()
	return nil
}

// linkBroke brings the exit signal of one that was linked to p, and has ended.
func (p *proc) linkBroke(from *proc, reason error, after *aftermath) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dropLink(from) { // unlinked meanwhile
		return
	}
	if !p.doomed() && !p.burying && !p.isRoot() {
		p.signalled(from, reason, true, after)
	}
}

// signalled is what an exit signal does. p.mu is held.
func (p *proc) signalled(from *proc, reason error, byLink bool, after *aftermath) {
	fromParent := from == p.parent
	f, reason := decide(p.trap, fromParent, p.origin.raw && !p.origin.heeds, reason)
	if p.origin.heeds && fromParent && !byLink {
		p.toldToStop(reason, after)
		return
	}
	switch f {
	case delivered:
		if fromParent {
			p.toldToStop(reason, after)
		}
		if byLink && fromParent && p.origin.raw && from.origin.kind == KindSupervisor {
			p.orphaned()
		}
		after.resumption = p.enqueue(envelope{msg: &ExitSignal{PID{from}, reason}, from: from, kind: envExit})
	case deadly:
		p.doomLocked(reason, after)
	}
}

// orphaned gives a process that traps exits and reads its own inbox its Grace to
// obey the end of its supervisor. Nobody is left who would end it later; OTP
// would leave an orphan. p.mu is held.
func (p *proc) orphaned() {
	if grace := p.origin.grace; grace >= 0 {
		p.ext().graceTime = time.AfterFunc(grace, func() { p.doom(ErrKilled) })
	}
}

// toldToStop cancels the ctx of a trapping process whose parent's exit signal
// has arrived: the handler in hand should come to an end, the signal itself is
// taken in its turn. p.mu is held.
func (p *proc) toldToStop(reason error, after *aftermath) {
	p.reason, p.told = reason, true
	if p.x != nil {
		p.x.asked = nil
	}
	p.waits.resolve(callerSide, cancelled, false)
	p.cancel(after)
}

// doom ends p for good: from now on it cannot act, and its callers know.
// Watchers learn of it when the handler in hand has returned, or after Grace.
func (p *proc) doom(reason error) {
	p.mu.Lock()
	if p.doomed() || p.burying || p.isRoot() {
		p.mu.Unlock()
		return
	}
	var after aftermath
	p.doomLocked(reason, &after)
	p.mu.Unlock()
	after.now()
}

// doomLocked is doom with p.mu held.
func (p *proc) doomLocked(reason error, after *aftermath) {
	p.conclude(reason)
	p.mark(attDoomed | markFenced)
	after.unsettled = p.callers.resolve(calleeSide, died, true)
	p.waits.resolve(callerSide, cancelled, true)
	if p.x != nil && p.x.hard != nil {
		close(p.x.hard)
	}
	p.cancel(after)
	if grace := p.origin.grace; p.state != idle && grace >= 0 {
		p.ext().graceTime = time.AfterFunc(grace, p.abandon)
	}
	after.resumption = p.rouse()
}

// SendExit sends an exit signal (OTP: exit/2): the receiver ends with that
// reason, unless it traps exits, then it gets an *ExitSignal. A nil reason is normal,
// which does nothing to a process that does not trap.
func SendExit(ctx context.Context, to Target, reason error) error {
	self, p, err := pair(ctx, to)
	if err != nil {
		return err
	}
	return p.exitSignal(self, reason)
}

// Kill ends a process whatever it traps, with [ErrKilled]: it cannot act any
// more at once. Its goroutine cannot be stopped from outside; see Grace.
func Kill(ctx context.Context, to Target) error {
	self, p, err := pair(ctx, to)
	if err != nil {
		return err
	}
	return p.doomBy(self)
}

// doomBy is doom by a process that must still be allowed to.
func (p *proc) doomBy(self *proc) error {
	p.mu.Lock()
	if self.fenced() {
		p.mu.Unlock()
		return self.refusal()
	}
	var after aftermath
	if !p.doomed() && !p.burying && !p.isRoot() {
		p.doomLocked(ErrKilled, &after)
	}
	p.mu.Unlock()
	after.now()
	return nil
}

// Exit ends the calling process with that reason, from however deep in its
// code; deferred functions run, Terminate does too. It must be called on the
// process's own goroutine and does not return.
func Exit(ctx context.Context, reason error) {
	p, err := actor(ctx)
	if err != nil {
		panic(err)
	}
	if p.isRoot() {
		panic(errors.New("process.Exit: ctx belongs to a node, not to a process"))
	}
	p.exit(reason)
}

// exit ends p from wherever its goroutine is.
func (p *proc) exit(reason error) {
	p.mu.Lock()
	p.ext().outcome = reason
	p.x.exiting = true
	p.mu.Unlock()
	runtime.Goexit()
}

// Stop ends a process in an orderly way with that reason (OTP: gen:stop): it
// takes what was sent before, runs Terminate, and ends. Stop returns when it is
// gone; an error says that it ended otherwise, or that ctx was done first.
func Stop(ctx context.Context, to Target, reason error) error {
	self, p, err := pair(ctx, to)
	if err != nil {
		return err
	}
	if self == p && !p.isRoot() {
		return ErrCallingSelf
	}
	if !(PID{p}).Alive() {
		return &ExitError{PID: PID{p}, Name: p.path(), Reason: ErrNoProc}
	}
	if err := p.push(envelope{msg: &stopRequest{reason}, from: self, kind: envStop}); err != nil {
		return err
	}
	got, err := Wait(ctx, PID{p})
	if err != nil {
		return err
	}
	if got != reason && (reason == nil || !errors.Is(got, reason)) {
		return &ExitError{PID: PID{p}, Name: p.path(), Reason: got}
	}
	return nil
}

type stopRequest struct{ reason error }

// TrapExit sets whether exit signals that arrive from now on become *ExitSignal
// messages, and returns what was set before.
func TrapExit(ctx context.Context, on bool) (was bool) {
	p, err := actor(ctx)
	if err != nil || p.isRoot() {
		return true // the root traps, always
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	was, p.trap = p.trap, on
	return was
}

// pair resolves the two ends of a signal.
func pair(ctx context.Context, to Target) (self, p *proc, err error) {
	if self, err = actor(ctx); err != nil {
		return nil, nil, err
	}
	pid, err := to.Resolve(ctx)
	if err != nil {
		return nil, nil, err
	}
	if pid.p == nil {
		return nil, nil, &ExitError{Reason: ErrNoProc}
	}
	return self, pid.p, nil
}

// Uninterrupted returns the ctx of the process behind ctx that only a kill
// cancels, as Terminate gets it: for what must be finished even while the
// process is told to stop.
func Uninterrupted(ctx context.Context) context.Context {
	p, err := actor(ctx)
	if err != nil || p.isRoot() {
		return ctx
	}
	return &lastCtx{p}
}
