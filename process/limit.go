package process

import (
	"context"
	"time"
)

// WithCallTimeout returns a ctx whose calls wait that long, instead of the
// node's CallTimeout; Infinity: without limit. A deadline of ctx itself holds
// besides.
func WithCallTimeout(ctx context.Context, d time.Duration) context.Context {
	return &timeoutCtx{ctx, d}
}

type timeoutCtx struct {
	context.Context
	d time.Duration
}

type timeoutKey struct{}

func (c *timeoutCtx) Value(key any) any {
	if _, ok := key.(timeoutKey); ok {
		return c.d
	}
	return c.Context.Value(key)
}

// CallTimeout is how long a call with ctx waits before it ends with
// [ErrTimeout]; 0: there is no such limit, or ctx has a deadline instead.
func CallTimeout(ctx context.Context) time.Duration {
	p, err := actor(ctx)
	if err != nil {
		return 0
	}
	return callTimeout(ctx, p.node)
}

// callTimeout is how long a call with ctx waits; 0: no limit of ours.
func callTimeout(ctx context.Context, n *Node) time.Duration {
	switch c := ctx.(type) {
	case *proc, *Call:
		return max(n.callTimeout, 0)
	case *timeoutCtx:
		return max(c.d, 0)
	}
	if d, ok := ctx.Value(timeoutKey{}).(time.Duration); ok {
		return max(d, 0)
	}
	if _, ok := ctx.Deadline(); ok {
		return 0
	}
	return max(n.callTimeout, 0)
}
