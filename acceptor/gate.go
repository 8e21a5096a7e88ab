package acceptor

import (
	"context"
	"slices"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A gate decides who may accept. An acceptor asks for permission, and gets it
// as soon as there is room; the connection that it starts takes the permission
// over and gives it back when it ends. So there are never more connections and
// permissions together than MaxConnections, however many acceptors there are.
//
//	acceptor ──enter──▷ gate         waits, if the listener is full
//	acceptor ◁──ok──── gate
//	connection ──arrived──▷ gate     the permission is the connection's now
//	connection ──(its death)──▷ gate
type gate struct {
	l       *listener
	holders []process.PID // acceptors that have a permission
	known   []process.PID // acceptors that are monitored
	waiting []waiting
	leaving []server.Reply[struct{}] // who waits until there is no connection
	open    int                      // connections
}

// waiting is an acceptor that waits for a permission.
type waiting struct {
	who   process.PID
	reply server.Reply[bool]
}

func (l *listener) gateSpec() server.Spec[gate] {
	return server.Spec[gate]{
		Init: func(ctx context.Context) (*gate, error) {
			ref, err := server.As[gate](process.Self(ctx))
			if err != nil {
				return nil, err
			}
			l.gate.Store(&ref)
			l.hurried.Store(false)
			g := &gate{l: l}
			// After a crash of the gate before this one they are still there.
			for pid := range l.connected() {
				if err := g.count(ctx, pid); err != nil {
					return nil, err
				}
			}
			return g, nil
		},
		// When the listener stops, the connections come after the gate.
		TrapExit: true,
		Terminate: func(_ context.Context, g *gate, reason error) error {
			if process.Clean(reason) {
				g.l.hurry()
			}
			return nil
		},
	}
}

// count counts a connection until it ends.
func (g *gate) count(ctx context.Context, pid process.PID) error {
	g.open++
	_, err := server.Monitor(ctx, pid, func(d process.Down) gone { return gone{d} })
	return err
}

// enter asks for the permission to accept one connection. The answer is false
// if there is no room and the listener does not let connections wait.
type enter struct{}

func (enter) Handle(ctx context.Context, g *gate) (bool, error) {
	who := server.From(ctx)
	if !slices.Contains(g.known, who) {
		g.known = append(g.known, who)
		if _, err := server.Monitor(ctx, who, func(d process.Down) released { return released{d.PID} }); err != nil {
			return false, err
		}
	}
	switch {
	case slices.Contains(g.holders, who): // it did not get a connection to its process
		return true, nil
	case g.room():
		g.holders = append(g.holders, who)
		return true, nil
	case g.l.spec.Overflow == Refuse:
		return false, nil
	}
	reply, err := server.Defer[bool](ctx)
	g.waiting = append(g.waiting, waiting{who, reply})
	return false, err
}

// room reports whether one more permission can be given.
func (g *gate) room() bool {
	limit := g.l.limit()
	return limit == 0 || g.open+len(g.holders) < limit
}

// admit gives what room there is to those who wait, first come first served.
func (g *gate) admit() {
	for len(g.waiting) > 0 && g.room() {
		w := g.waiting[0]
		g.waiting = g.waiting[1:]
		if w.reply.Send(true, nil) { // else it has given up
			g.holders = append(g.holders, w.who)
		}
	}
}

// release takes a permission back.
func (g *gate) release(who process.PID) {
	g.holders = slices.DeleteFunc(g.holders, func(p process.PID) bool { return p == who })
}

// arrived is sent by a new connection: it takes over its acceptor's permission.
type arrived struct{ pid, by process.PID }

func (m arrived) Handle(ctx context.Context, g *gate) error {
	g.release(m.by)
	return g.count(ctx, m.pid)
}

// gone is a connection's death.
type gone struct{ process.Down }

func (m gone) Handle(ctx context.Context, g *gate) error {
	g.open--
	e := g.l.closed(m.PID)
	m.Reason = e.reason(m.Reason)
	class := endClass(m.Reason)
	g.l.count(class)
	if process.Wants(ctx, process.Network) {
		g.l.tellClosed(ctx, m.Down, e, class)
	}
	if g.open == 0 {
		for _, r := range g.leaving {
			r.Send(struct{}{}, nil)
		}
		g.leaving = nil
	}
	g.admit()
	return nil
}

// released is an acceptor's death.
type released struct{ who process.PID }

func (m released) Handle(_ context.Context, g *gate) error {
	g.release(m.who)
	g.known = slices.DeleteFunc(g.known, func(p process.PID) bool { return p == m.who })
	g.admit()
	return nil
}

// setMax changes the limit. Connections above a lower one stay.
type setMax struct{ n int }

func (m setMax) Handle(_ context.Context, g *gate) (struct{}, error) {
	g.l.mu.Lock()
	g.l.max = m.n
	g.l.mu.Unlock()
	g.admit()
	return struct{}{}, nil
}

func (l *listener) limit() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.max
}

// finish tells all connections to finish. The answer comes when none is left.
type finish struct{}

func (finish) Handle(ctx context.Context, g *gate) (none struct{}, err error) {
	if g.open == 0 {
		return none, nil
	}
	for pid, e := range g.l.connected() {
		if err := process.Send(ctx, pid, e.drain); err != nil {
			g.l.emit(ctx, process.LevelWarn, "could not tell a connection to finish", err, details{{"connection", pid}})
		}
	}
	reply, err := server.Defer[struct{}](ctx)
	g.leaving = append(g.leaving, reply)
	return none, err
}

// hasten prepares the connections for being shut down while the gate stays, and
// tells which they are.
type hasten struct{}

func (hasten) Handle(_ context.Context, g *gate) ([]Connection, error) {
	g.l.hurry()
	return g.l.list(), nil
}
