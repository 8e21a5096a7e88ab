package process

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Call is one request under way. A behaviour's request type embeds it; the
// request is then its own ctx while it is handled, and whoever holds it can
// answer, once.
type Call struct {
	to, from *proc
	w        *waiter
	use      uint64
	req      Requester
	err      error // of the answer, set by the winner of the claim
}

// A Requester is anything that embeds a Call.
type Requester interface{ header() *Call }

func (c *Call) header() *Call { return c }

// From returns who called; the zero PID for a caller outside any process.
func (c *Call) From() PID {
	if c.from == nil || c.from.isRoot() {
		return PID{}
	}
	return PID{c.from}
}

// Request returns the request that embeds the call.
func (c *Call) Request() Requester { return c.req }

// Waiting reports whether an answer would still reach somebody.
func (c *Call) Waiting() bool { return c.w.state.Load() == c.use<<3|uint64(waiting) }

// Reply answers the call, from any goroutine. The first answer wins; set is
// called by the winner, before the caller goes on, to put the answer where the
// caller will look. It reports whether there was still somebody to answer.
func (c *Call) Reply(set func(), err error) bool {
	if !c.Claim() {
		return false
	}
	if set != nil {
		set()
	}
	c.Settle(err)
	return true
}

// Claim and Settle are the two halves of Reply, for those to whom a closure is
// too dear: who wins the claim puts the answer in its place, and must then
// settle, at once.
func (c *Call) Claim() bool { return c.w.claim(c.use, replied) }

// Settle lets the caller go on. See Claim.
func (c *Call) Settle(err error) {
	c.err = err
	if c.to.node.wants(Replied) {
		c.to.note(Replied, c.from, nil, err)
	}
	if p := c.w.pending; p != nil {
		p.settle()
		return
	}
	c.w.wake()
}

// A Call is the ctx of its request: that of the process that handles it.

func (c *Call) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *Call) Done() <-chan struct{} { return c.to.Done() }

func (c *Call) Err() error { return c.to.Err() }

func (c *Call) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return c
	}
	return c.to.Value(key)
}

type callKey struct{}

// CallOf returns the request in hand to which ctx belongs, nil if it is not
// the ctx that a request's handler was given.
func CallOf(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// Do sends req to a process and waits for the answer. It ends with the error of
// the answer; with an [*ExitError] as soon as the process ends, or at once if
// it has; with [ErrTimeout] after the node's CallTimeout (or that of
// [WithCallTimeout]) if ctx has no deadline; and with ctx's cause when ctx is
// done. A late answer reaches nobody. The request is handled even if the caller
// has given up meanwhile, as in OTP.
func Do(ctx context.Context, to PID, req Requester) error {
	caller, err := actor(ctx)
	if err != nil {
		return err
	}
	if to.p == nil {
		return &ExitError{Reason: ErrNoProc}
	}
	if err := caller.mayCall(to.p); err != nil {
		return err
	}
	if g := to.p.origin.group; g != nil && g != caller.origin.group && !caller.isRoot() {
		caller.cross(to.p)
	}
	if err = caller.do(ctx, to.p, req, envCall); err != nil {
		err = to.p.explain(caller, err)
	}
	return err
}

// mayCall refuses calls that could never be answered.
func (p *proc) mayCall(to *proc) error {
	if p == to && !p.isRoot() {
		return fmt.Errorf("%v: %w", PID{p}, ErrCallingSelf)
	}
	if p.parent == to {
		p.mu.Lock()
		starting := p.starting
		p.mu.Unlock()
		if starting {
			return fmt.Errorf("%v calls %v: %w", PID{p}, PID{to}, ErrCallingStarter)
		}
	}
	return nil
}

func (p *proc) do(ctx context.Context, to *proc, req Requester, kind envKind) error {
	w := p.node.waiters.of(p).get()
	defer p.hangUp(to, w)
	c := req.header()
	c.to, c.from, c.w, c.use, c.req, c.err = to, p, w, w.begin(), req, nil
	if err := p.wait(ctx, w); err != nil {
		return err
	}
	if p.node.wants(Called) {
		p.note(Called, to, req, nil)
	}
	if err := to.ask(c, req, kind); err != nil {
		return err
	}
	limit := callTimeout(ctx, p.node)
	if limit > 0 {
		p.node.deadlines.arm(w, limit)
	}
	if o := await(ctx, w); o != replied {
		return p.unanswered(ctx, c, o, limit)
	}
	return c.err
}

// hangUp ends a call, whatever came of it.
func (p *proc) hangUp(to *proc, w *waiter) {
	to.dropCaller(w)
	p.dropWait(w)
	p.node.waiters.of(p).put(w)
}

// unanswered says why a call has no answer.
func (p *proc) unanswered(ctx context.Context, c *Call, o outcome, limit time.Duration) error {
	switch o {
	case timedOut:
		return fmt.Errorf("call of %T to %v was not answered within %v: %w", messageOf(c.req), PID{c.to}, limit, ErrTimeout)
	case died:
		return c.to.obituary()
	}
	return cause(ctx, p)
}

// messageOf is the message that a request carries.
func messageOf(req Requester) any {
	if r, ok := req.(interface{ Message() any }); ok {
		return r.Message()
	}
	return req
}

// wait enters w among the things that p waits for, so that p's own end ends
// them.
func (p *proc) wait(ctx context.Context, w *waiter) error {
	w.hard = isLast(ctx)
	p.mu.Lock()
	var err error
	switch {
	case p.fenced():
		p.mu.Unlock()
		return p.refusal()
	case !w.hard && p.cancelled():
		err = p.cause()
	default:
		p.waits.add(w, callerSide)
	}
	p.mu.Unlock()
	return err
}

// isLast reports whether only a kill cancels ctx.
func isLast(ctx context.Context) bool {
	switch ctx.(type) {
	case *proc, *Call:
		return false
	case *lastCtx:
		return true
	}
	return ctx.Value(lastKey{}) != nil
}

func (p *proc) dropWait(w *waiter) {
	p.mu.Lock()
	p.waits.remove(w, callerSide)
	p.mu.Unlock()
}

func (p *proc) dropCaller(w *waiter) {
	p.mu.Lock()
	p.callers.remove(w, calleeSide)
	p.mu.Unlock()
}

// ask puts a request into p's mailbox and its waiter among p's callers.
func (p *proc) ask(c *Call, req Requester, kind envKind) error {
	e := envelope{msg: req, from: c.from, kind: kind}
	p.mu.Lock()
	if err, in := p.admit(&e); !in {
		p.mu.Unlock()
		if err == nil {
			return &ExitError{PID: PID{p}, Name: p.path(), Reason: ErrNoProc}
		}
		return e.refused(err)
	}
	p.callers.add(c.w, calleeSide)
	resume := p.enqueue(e)
	p.mu.Unlock()
	resume.now()
	return nil
}

// await blocks until the outcome of w is decided, or decides it when ctx is
// done. A process's own ctx needs no watching: its end resolves its waits.
func await(ctx context.Context, w *waiter) outcome {
	if isOwn(ctx) {
		w.receive()
		return w.outcome()
	}
	select {
	case <-w.ch:
		w.received = true
	case <-ctx.Done():
		w.resolve(cancelled) // or somebody was first, and an outcome is there
		w.receive()
	}
	return w.outcome()
}

func isOwn(ctx context.Context) bool {
	switch c := ctx.(type) {
	case *proc, *Call, *lastCtx:
		return true
	case *birthCtx:
		return isOwn(c.Context)
	case *timeoutCtx:
		return isOwn(c.Context)
	}
	return false
}

// cause says why a wait was cancelled.
func cause(ctx context.Context, p *proc) error {
	if p.fenced() {
		return p.refusal()
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return context.Canceled
}

// obituary is the error of those who waited for an answer of p.
func (p *proc) obituary() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &ExitError{PID: PID{p}, Name: p.path(), Reason: p.reason}
}

// explain lets the group of a process that did not answer say why.
func (p *proc) explain(caller *proc, err error) error {
	g := p.origin.group
	if err == nil || g == nil || g.Explain == nil || g == caller.origin.group {
		return err
	}
	var exit *ExitError
	if errors.As(err, &exit) && exit.PID.p == p {
		return g.Explain(err)
	}
	return err
}
