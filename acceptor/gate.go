package acceptor

import (
	"context"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A gate keeps a listener's ledger. An acceptor asks it for permission, and gets
// that as soon as there is room; the connection that it starts takes the
// permission over and gives it back when it ends. So there are never more
// connections and permissions together than MaxConnections, however many
// acceptors there are, and whoever of them dies meanwhile.
//
//	acceptor ──enter──▷ gate         waits, if the listener is full
//	acceptor ◁──ok──── gate
//	connection: claim in the ledger: the permission is the connection's now
//	connection ──(its death)──▷ gate
//
// The ledger belongs to the listener and outlives the gate. What the gate alone
// has is who waits for what; when it ends they all learn of that. While nobody
// waits, an acceptor that the gate knows takes its permission from the ledger
// itself, and a connection has the gate watch it without waking it.
type gate struct {
	l       *listener
	waiting []waiting
	waiters []waiter               // for a number of connections
	calls   map[string]process.PID // Callbacks of alarms that have not returned
	timer   *process.Timer
	due     time.Time // when timer fires; zero: there is none
}

// waiting is an acceptor that waits for a permission.
type waiting struct {
	enter
	who   process.PID
	reply server.Reply[verdict]
}

func (l *listener) gateSpec() server.Spec[gate] {
	return server.Spec[gate]{
		Init:     l.newGate,
		Continue: func(ctx context.Context, g *gate) error { return g.step(ctx) },
		// When the listener stops, the connections come after the gate.
		TrapExit: true,
		Exit: func(_ context.Context, g *gate, x process.ExitSignal) error {
			g.called(x.From)
			return nil
		},
		Terminate: func(ctx context.Context, g *gate, reason error) error {
			if process.Clean(reason) {
				g.l.hurry()
				g.l.quiet(ctx, nil)
				g.l.settle(ctx, time.Now(), true)
			}
			return nil
		},
	}
}

func (l *listener) newGate(ctx context.Context) (*gate, error) {
	ref, err := server.As[gate](process.Self(ctx))
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.ledger.holders = nil // the acceptors are started after the gate
	l.met, l.queued, l.awaited = make(map[process.PID]bool), 0, 0
	l.mu.Unlock()
	way := &gateway{ref, ctx}
	l.gate.Store(way)
	l.hurried.Store(false)
	g := &gate{l: l, calls: make(map[string]process.PID)}
	// After a crash of the gate before this one they are still there.
	for pid := range l.connected() {
		if err := way.watch(l, pid); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// step does what is due, after whatever has changed.
func (g *gate) step(ctx context.Context) error {
	now := time.Now()
	next := g.admit(now)
	next = earlier(next, g.sound(ctx, now))
	next = earlier(next, g.l.settle(ctx, now, false))
	g.satisfy()
	return g.arm(ctx, next, now)
}

// arm sets the timer for the next step that is due though nothing changes.
func (g *gate) arm(ctx context.Context, next, now time.Time) (err error) {
	if next.Equal(g.due) {
		return nil
	}
	g.timer.Stop()
	g.timer, g.due = nil, next
	if !next.IsZero() {
		g.timer, err = server.After(ctx, next.Sub(now), rang{next})
	}
	return err
}

// rang is the gate's timer.
type rang struct{ due time.Time }

func (m rang) Handle(ctx context.Context, g *gate) error {
	if m.due.Equal(g.due) {
		g.due = time.Time{}
	}
	return g.step(ctx)
}

// enter asks for the permission to accept a connection, or to serve one that was
// accepted.
type enter struct{ accepted bool }

func (m enter) Handle(ctx context.Context, g *gate) (verdict, error) {
	who := server.From(ctx)
	if g.l.meet(who) {
		if _, err := server.Monitor(ctx, who, func(d process.Down) released { return released{d.PID} }); err != nil {
			return wait, err
		}
	}
	if len(g.waiting) == 0 { // else it is behind them
		if v := g.ask(who, m.accepted, time.Now()); v != wait {
			return v, nil
		}
	}
	reply, err := server.Defer[verdict](ctx)
	if err != nil {
		return wait, err
	}
	g.waiting = append(g.waiting, waiting{m, who, reply})
	g.count()
	return wait, g.step(ctx)
}

func (g *gate) ask(who process.PID, accepted bool, now time.Time) verdict {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	return g.l.ledger.ask(who, accepted, now)
}

// admit answers those who wait, first come first served. It returns when to try
// again; zero: when something changes.
func (g *gate) admit(now time.Time) (again time.Time) {
	left := g.waiting[:0]
	for _, w := range g.waiting {
		v := g.ask(w.who, w.accepted, now)
		if v == wait {
			left = append(left, w)
		} else if !w.reply.Send(v, nil) { // it has given up
			g.release(w.who)
		}
	}
	clear(g.waiting[len(left):])
	g.waiting = left
	g.count()
	if len(left) == 0 {
		return again
	}
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	return g.l.ledger.opens()
}

func (g *gate) release(who process.PID) {
	g.l.mu.Lock()
	g.l.ledger.release(who)
	g.l.mu.Unlock()
}

// released is an acceptor's death.
type released struct{ who process.PID }

func (m released) Handle(ctx context.Context, g *gate) error {
	g.release(m.who)
	g.l.part(m.who)
	g.waiting = slices.DeleteFunc(g.waiting, func(w waiting) bool { return w.who == m.who })
	g.count()
	return g.step(ctx)
}

// count lets others see how many wait.
func (g *gate) count() {
	g.l.mu.Lock()
	g.l.queued, g.l.awaited = len(g.waiting), len(g.waiters)
	g.l.mu.Unlock()
}

// meet notes that the gate hears of an acceptor's end; false: it does already.
func (l *listener) meet(who process.PID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.met[who] {
		return false
	}
	l.met[who] = true
	return true
}

func (l *listener) part(who process.PID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.met, who)
}

// pass is a permission for which the gate need not be asked; wait: it has to be.
func (l *listener) pass(who process.PID, accepted bool) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.met[who] || l.queued > 0 {
		return wait
	}
	return l.ledger.ask(who, accepted, time.Now())
}

// watch has the gate learn of a connection's end, on behalf of whoever calls it.
func (w *gateway) watch(l *listener, pid process.PID) error {
	if !l.watched(pid, w.ref.PID()) {
		return nil
	}
	_, err := server.Monitor(w.ctx, pid, func(d process.Down) gone { return gone{d} })
	return err
}

// gone is a connection's death.
type gone struct{ process.Down }

func (m gone) Handle(ctx context.Context, g *gate) error {
	g.l.bury(ctx, m.Down)
	g.l.tidy(ctx)
	if len(g.waiting) == 0 && len(g.waiters) == 0 && len(g.l.settings().Alarms) == 0 {
		return nil // nobody minds, and what is due has its timer
	}
	return g.step(ctx)
}

// changed says that the ledger has changed: a connection has begun, or is not
// counted any more.
type changed struct{}

func (changed) Handle(ctx context.Context, g *gate) error { return g.step(ctx) }

// finish tells all connections to finish. The answer comes when none is left.
type finish struct{}

func (finish) Handle(ctx context.Context, g *gate) (none struct{}, err error) {
	for pid, e := range g.l.connected() {
		if err := e.finish(ctx, pid); err != nil {
			g.l.emit(ctx, process.LevelWarn, "could not tell a connection to finish", err, details{{"connection", pid}})
		}
	}
	return none, g.waitFor(ctx, "==", 0)
}

// hasten prepares the connections for being shut down while the gate stays, and
// tells which they are.
type hasten struct{}

func (hasten) Handle(_ context.Context, g *gate) ([]Connection, error) {
	g.l.hurry()
	return g.l.list(), nil
}
