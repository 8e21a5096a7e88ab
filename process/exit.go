package process

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/coppice-go/coppice/internal/mailbox"
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

// exitSignal brings an exit signal from another process to p; by link or by
// SendExit.
func (p *proc) exitSignal(from *proc, reason error, byLink bool) error {
	p.mu.Lock()
	switch {
	case byLink && !p.links.Delete(from), // unlinked meanwhile
		p.doomed, p.burying, p.isRoot():
		p.mu.Unlock()
		return nil
	case !byLink && from.fenced.Load():
		p.mu.Unlock()
		return from.refusal()
	}
	fromParent := from == p.parent
	f, reason := decide(p.trap, fromParent, p.raw && !p.heeds, reason)
	after := func() {}
	if p.heeds && fromParent && !byLink {
		f, after = ignored, p.toldToStop(reason)
	}
	switch f {
	case delivered:
		if fromParent {
			after = p.toldToStop(reason)
		}
		if byLink && fromParent && p.raw && from.kind == KindSupervisor {
			p.orphaned()
		}
		resume := p.enqueue(envelope{msg: &ExitSignal{PID{from}, reason}, from: from, kind: envExit})
		cancel := after
		after = func() { cancel(); resume.now() }
	case deadly:
		after = p.doomLocked(reason)
	}
	p.mu.Unlock()
	after()
	return nil
}

// orphaned gives a process that traps exits and reads its own inbox its Grace to
// obey the end of its supervisor. Nobody is left who would end it later; OTP
// would leave an orphan. p.mu is held.
func (p *proc) orphaned() {
	if p.grace >= 0 {
		p.ext().graceTime = time.AfterFunc(p.grace, func() { p.doom(ErrKilled) })
	}
}

// toldToStop cancels the ctx of a trapping process whose parent's exit signal
// has arrived: the handler in hand should come to an end, the signal itself is
// taken in its turn. p.mu is held; what is returned is called without it.
func (p *proc) toldToStop(reason error) func() {
	p.asked, p.told = reason, true
	p.waits.resolve(cancelled, false)
	return p.cancelWith(reason)
}

// doom ends p for good: from now on it cannot act, and its callers know.
// Watchers learn of it when the handler in hand has returned, or after Grace.
func (p *proc) doom(reason error) {
	p.mu.Lock()
	if p.doomed || p.burying || p.isRoot() {
		p.mu.Unlock()
		return
	}
	after := p.doomLocked(reason)
	p.mu.Unlock()
	after()
}

func (p *proc) doomLocked(reason error) (after func()) {
	p.doomed, p.reason = true, reason
	p.heed(attDoomed, true)
	p.fenced.Store(true)
	unsettled := p.callers.resolve(died, true)
	p.waits.resolve(cancelled, true)
	if p.x != nil && p.x.hard != nil {
		close(p.x.hard)
	}
	cancel := p.cancelWith(reason)
	if p.state != idle && p.grace >= 0 {
		p.ext().graceTime = time.AfterFunc(p.grace, p.abandon)
	}
	resume := p.rouse()
	return func() { cancel(); resume.now(); settle(unsettled) }
}

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
	if name != "" {
		p.node.names.release(name, p)
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

// SendExit sends an exit signal (OTP: exit/2): the receiver ends with that
// reason, unless it traps exits, then it gets an *ExitSignal. A nil reason is normal,
// which does nothing to a process that does not trap.
func SendExit(ctx context.Context, to Target, reason error) error {
	self, p, err := pair(ctx, to)
	if err != nil {
		return err
	}
	return p.exitSignal(self, reason, false)
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
	if self.fenced.Load() {
		p.mu.Unlock()
		return self.refusal()
	}
	after := func() {}
	if !p.doomed && !p.burying && !p.isRoot() {
		after = p.doomLocked(ErrKilled)
	}
	p.mu.Unlock()
	after()
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
	p.exiting, p.outcome = true, reason
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
