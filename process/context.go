package process

import (
	"context"
	"time"
)

// A process is its own context: Done is closed when it ends or is told to end,
// and context.Cause is the exit reason. The channel behind Done, and what
// derived contexts hang on, is made when it is first asked for.

func (p *proc) Deadline() (time.Time, bool) { return time.Time{}, false }

func (p *proc) Done() <-chan struct{} { return p.cancelCtx().Done() }

func (p *proc) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancelled() {
		return context.Canceled
	}
	return nil
}

// Value returns what the node and the supervisors above gave; never what the
// starter happened to have in its own ctx.
func (p *proc) Value(key any) any {
	switch key.(type) {
	case selfKey:
		return p
	case *int:
		// Package context finds the cancelCtx below a foreign context by a
		// pointer to an int. Answering it spares a goroutine for every
		// context derived from a process, and makes context.Cause work there.
		if v := p.cancelCtx().Value(key); v != nil {
			return v
		}
	}
	if v := p.origin.values; v != nil {
		return v.Value(key)
	}
	return nil
}

func (p *proc) String() string { return "process " + PID{p}.String() }

type selfKey struct{}

func (p *proc) cancelCtx() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.ext()
	if x.ctx == nil {
		var cancel context.CancelCauseFunc
		if x.ctx, cancel = context.WithCancelCause(context.Background()); p.cancelled() {
			cancel(p.cause())
		} else {
			x.cancel = cancel
		}
	}
	return x.ctx
}

// cancelled reports whether the ctx is done. p.mu is held.
func (p *proc) cancelled() bool { return p.told || p.doomed() || p.state == dead }

// cancel is called when the ctx is done, for the reason that p has now. p.mu is
// held.
func (p *proc) cancel(after *aftermath) {
	if x := p.x; x != nil && (x.cancel != nil || x.interrupt != nil) {
		after.cancel, after.cause, after.interrupt = x.cancel, p.cause(), x.interrupt
		x.cancel, x.interrupt = nil, nil
	}
}

// cause is that of the cancelled ctx: the first reason there was. A nil cause
// would read as context.Canceled, so a normal end has one that says so. p.mu is
// held.
func (p *proc) cause() error {
	reason := p.reason
	if p.told {
		reason = p.asked()
	}
	if reason == nil {
		return errNormal
	}
	return reason
}

// An aftermath is what is left to do once the lock is let go.
type aftermath struct {
	resumption
	cancel    context.CancelCauseFunc
	cause     error
	interrupt func()
	unsettled []*Pending
}

func (a *aftermath) now() {
	if a.cancel != nil {
		a.cancel(a.cause)
	}
	if a.interrupt != nil {
		a.interrupt()
	}
	a.resumption.now()
	if a.unsettled != nil {
		settle(a.unsettled)
	}
}

// lastCtx is the ctx of Terminate: the process's own, but cancelled only by a
// kill, so that the last words can still be said.
type lastCtx struct{ p *proc }

func (c *lastCtx) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *lastCtx) Done() <-chan struct{} {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	x := c.p.ext()
	if x.hard == nil {
		x.hard = make(chan struct{})
		if c.p.doomed() {
			close(x.hard)
		}
	}
	return x.hard
}

func (c *lastCtx) Err() error {
	if c.p.doomed() {
		return context.Canceled
	}
	return nil
}

func (c *lastCtx) Value(key any) any {
	switch key.(type) {
	case *int:
		return nil // its cancellation is not the process's
	case lastKey:
		return c
	}
	return c.p.Value(key)
}

type lastKey struct{}

// actor finds the process on whose behalf ctx acts; a node's ctx acts for its
// root.
func actor(ctx context.Context) (*proc, error) {
	switch c := ctx.(type) {
	case *proc:
		return c, nil
	case *Call:
		return c.to, nil
	case nil:
		return nil, ErrNoNode
	}
	if p, ok := ctx.Value(selfKey{}).(*proc); ok {
		return p, nil
	}
	return nil, ErrNoNode
}

// Self returns the process that ctx belongs to, the zero PID for a node's own
// ctx and for one that belongs to no node.
func Self(ctx context.Context) PID {
	p, err := actor(ctx)
	if err != nil || p.isRoot() {
		return PID{}
	}
	return PID{p}
}

// NodeOf returns the node that ctx belongs to, or ErrNoNode.
func NodeOf(ctx context.Context) (*Node, error) {
	p, err := actor(ctx)
	if err != nil {
		return nil, err
	}
	return p.node, nil
}

// A Birth is what a supervisor gives to the processes that a child's start
// function starts.
type Birth struct {
	ID     string          // path element; "": the registered name
	Grace  time.Duration   // 0: the node's
	Group  *Group          // nil: the starter's
	Values context.Context // values that it and its children see; nil: the starter's
}

// WithBirth returns a ctx that acts for the same process; what is started with
// it is born as b says.
func WithBirth(ctx context.Context, b Birth) context.Context { return &birthCtx{ctx, b} }

type birthCtx struct {
	context.Context
	birth Birth
}

type birthKey struct{}

func (c *birthCtx) Value(key any) any {
	if _, ok := key.(birthKey); ok {
		return &c.birth
	}
	return c.Context.Value(key)
}

// birthOf is nil for a ctx that no supervisor made.
func birthOf(ctx context.Context) *Birth {
	switch c := ctx.(type) {
	case *proc, *Call:
		return nil
	case *birthCtx:
		return &c.birth
	}
	b, _ := ctx.Value(birthKey{}).(*Birth)
	return b
}
