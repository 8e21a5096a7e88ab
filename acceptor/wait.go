package acceptor

import (
	"context"
	"fmt"
	"slices"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// An Op compares numbers: "<", "<=", "==", ">=" or ">".
type Op string

// holds reports whether have Op want.
func (op Op) holds(have, want int) bool {
	switch op {
	case "<":
		return have < want
	case "<=":
		return have <= want
	case "==":
		return have == want
	case ">=":
		return have >= want
	case ">":
		return have > want
	}
	return false
}

// fault says what is wrong with a condition on a number of connections.
func (op Op) fault(n int) error {
	switch {
	case !slices.Contains([]Op{"<", "<=", "==", ">=", ">"}, op):
		return fmt.Errorf("use <, <=, ==, >= or >, not %q", string(op))
	case n < 0, n == 0 && op == "<":
		return fmt.Errorf("there are never %s %d connections", string(op), n)
	}
	return nil
}

// WaitForConnections waits until the number of connections of a listener, all
// that there are, holds to a condition:
//
//	err := acceptor.WaitForConnections(ctx, tcp, "==", 0)
//
// It returns at once if it does, and else as soon as a connection that comes or
// goes makes it so. It waits as long as ctx lasts. It returns the error of the
// listener's end, if that comes first.
func WaitForConnections(ctx context.Context, listener process.Target, op Op, n int) error {
	if err := op.fault(n); err != nil {
		return fmt.Errorf("acceptor: WaitForConnections(%q, %d): %w", string(op), n, err)
	}
	t, err := find(ctx, listener)
	if err != nil {
		return err
	}
	_, err = server.Call(process.WithCallTimeout(ctx, process.Infinity), t.gate, await{op, n})
	return err
}

// A waiter waits for a number of connections.
type waiter struct {
	await
	reply server.Reply[struct{}]
}

// await asks for an answer when the condition holds.
type await struct {
	op Op
	n  int
}

func (m await) Handle(ctx context.Context, g *gate) (none struct{}, err error) {
	return none, g.waitFor(ctx, m.op, m.n)
}

// waitFor puts the answer of the request in hand off until the condition holds.
func (g *gate) waitFor(ctx context.Context, op Op, n int) error {
	reply, err := server.Defer[struct{}](ctx)
	if err != nil {
		return err
	}
	g.waiters = append(g.waiters, waiter{await{op, n}, reply})
	g.count() // before the connections are, so that none comes in between
	g.satisfy()
	return nil
}

// satisfy answers those whose condition holds.
func (g *gate) satisfy() {
	if len(g.waiters) == 0 {
		return
	}
	have := g.l.present()
	g.waiters = slices.DeleteFunc(g.waiters, func(w waiter) bool {
		if !w.op.holds(have, w.n) {
			return false
		}
		// One that has given up is forgotten like the others.
		w.reply.Send(struct{}{}, nil)
		return true
	})
	g.count()
}
