package acceptor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// A lodger is a Transport that has been started, or is to be, below the supervisor
// of the listener's Transports. One that has been replaced stays as long as there
// are connections that go through it.
type lodger struct {
	room      string // the child's ID
	role      string // "transport" or "upgrade"
	transport Transport
}

// openLodgings is the start function of that supervisor. Its first children are
// started one by one, so that one that does not start is reported once, by the
// listener.
func (l *listener) openLodgings(ctx context.Context) (process.PID, error) {
	l.mu.Lock()
	first := slices.Clone(l.lodgers)
	l.mu.Unlock()
	pid, err := supervisor.Start(ctx, supervisor.Spec{Strategy: lodging{supervisor.OneForOne, l}, Intensity: restarts})
	for _, o := range first {
		if err == nil {
			err = o.moveIn(ctx, pid)
		}
	}
	return pid, err
}

// moveIn starts a Transport.
func (o lodger) moveIn(ctx context.Context, transports process.PID) error {
	_, err := supervisor.StartChild(ctx, transports, supervisor.Child{ID: o.room, Start: o.transport.Start})
	if errors.Is(err, process.ErrIgnore) {
		return nil
	}
	if failed, ok := errors.AsType[*supervisor.StartError](err); ok {
		return failed.Err
	}
	return err
}

// lodging is the strategy of that supervisor: the end of a Transport that is in
// force is its own end, so that the port is opened anew behind it.
type lodging struct {
	supervisor.Strategy
	l *listener
}

// Decide implements supervisor.Strategy.
func (s lodging) Decide(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if slices.Contains(s.l.bound.rooms, v.At(e.Child).ID) {
		return supervisor.Plan{End: supervisor.ErrIntensity}
	}
	return s.Strategy.Decide(v, e, now)
}

// roomFor returns the lodger that a Transport is, or shall be.
func (l *listener) roomFor(role string, t Transport) (o lodger, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.lodgers {
		if o.role == role && sameTransport(o.transport, t) {
			return o, false
		}
	}
	o = lodger{role, role, t}
	if l.lodged[role]++; l.lodged[role] > 1 {
		o.room = fmt.Sprintf("%s-%d", role, l.lodged[role])
	}
	l.lodgers = append(l.lodgers, o)
	return o, true
}

// settleIn gives a binding's Transports their rooms. It returns those who have
// not been started.
func (l *listener) settleIn(b *binding) (fresh []lodger) {
	var rooms []string
	for _, t := range []struct {
		role string
		Transport
	}{{"transport", b.Transport}, {"upgrade", b.Upgrade}} {
		if t.Transport == nil {
			continue
		}
		o, isNew := l.roomFor(t.role, t.Transport)
		rooms = append(rooms, o.room)
		if isNew {
			fresh = append(fresh, o)
		}
	}
	l.mu.Lock()
	b.rooms = rooms
	l.mu.Unlock()
	return fresh
}

// lodge starts the Transports of a binding that is to be, unless they run.
func (p *porter) lodge(ctx context.Context, b *binding) error {
	fresh := p.l.settleIn(b)
	if len(fresh) == 0 {
		return nil
	}
	transports, err := supervisor.WhichChild(ctx, process.Self(ctx).Parent(), "transports")
	if err != nil {
		return err
	}
	for _, o := range fresh {
		if err := o.moveIn(ctx, transports.PID); err != nil {
			return err
		}
	}
	return nil
}

func (sweep) Handle(ctx context.Context, p *porter) error { return p.sweep(ctx) }

// sweep ends the Transports that no binding needs which is in force or has
// connections.
func (p *porter) sweep(ctx context.Context) error {
	gone := p.l.leftovers()
	if len(gone) == 0 {
		return nil
	}
	transports, err := supervisor.WhichChild(ctx, process.Self(ctx).Parent(), "transports")
	if err != nil {
		return err
	}
	for _, o := range gone {
		err := supervisor.TerminateChild(ctx, transports.PID, o.room)
		if err == nil {
			err = supervisor.DeleteChild(ctx, transports.PID, o.room)
		}
		if err != nil && !errors.Is(err, supervisor.ErrNotFound) { // it had not even started
			return err
		}
	}
	return nil
}

// leftovers forgets the lodgers that nobody needs, and the bindings that nobody
// uses.
func (l *listener) leftovers() (gone []lodger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stale = false
	l.known = slices.DeleteFunc(l.known, func(b *binding) bool { return b != l.bound && b.users == 0 })
	needed := func(o lodger) bool {
		return slices.ContainsFunc(l.known, func(b *binding) bool { return slices.Contains(b.rooms, o.room) })
	}
	for _, o := range l.lodgers {
		if !needed(o) {
			gone = append(gone, o)
		}
	}
	l.lodgers = slices.DeleteFunc(l.lodgers, func(o lodger) bool { return !needed(o) })
	return gone
}

// leaveLocked is the end of a connection for its binding.
func (l *listener) leaveLocked(b *binding) {
	if l.peers != nil { // there are no Transports, and one socket for all
		return
	}
	b.users--
	if b.users == 0 && b != l.bound {
		l.stale = true
	}
}

// tidy has the porter sweep, if there is something.
func (l *listener) tidy(ctx context.Context) {
	l.mu.Lock()
	stale, ref := l.stale, l.porter.Load()
	l.mu.Unlock()
	if stale && ref != nil {
		// A porter that is started now looks by itself.
		_ = server.Cast(ctx, *ref, sweep{})
	}
}
