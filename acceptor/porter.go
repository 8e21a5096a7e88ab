package acceptor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// A porter opens and closes the port: for [Suspend], [Resume] and [Rebind], one
// after the other. Its supervisor does the opening, in [listener.open], which also
// puts the old binding back if the new one does not work. So whoever is killed
// meanwhile: the supervisor starts the port again, by what is in force then.
type porter struct{ l *listener }

func (l *listener) porterSpec() server.Spec[porter] {
	return server.Spec[porter]{
		Init: func(ctx context.Context) (*porter, error) {
			ref, err := server.As[porter](process.Self(ctx))
			l.porter.Store(&ref)
			context.AfterFunc(ctx, l.turnAway) // should the port not be opened again
			return &porter{l}, err
		},
		// What the porter before may have left behind.
		Continue: func(ctx context.Context, p *porter) error { return sweep{}.Handle(ctx, p) },
	}
}

// The messages of a porter.
type (
	getBinding struct{}
	// setBinding changes the binding, unless it was changed since that version.
	setBinding struct {
		Binding
		version int
	}
	suspend struct{}
	resume  struct{}
	// sweep ends the processes of Transports that nobody needs any more.
	sweep struct{}
)

func (getBinding) Handle(_ context.Context, p *porter) (*binding, error) { return p.latest(), nil }

// latest is the binding that was set last: it is in force, or waits for resume.
func (p *porter) latest() *binding {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	if p.l.pending != nil {
		return p.l.pending
	}
	return p.l.bound
}

func (m setBinding) Handle(ctx context.Context, p *porter) (done bool, err error) {
	before := p.latest()
	if before.version != m.version {
		return false, nil
	}
	to, err := before.become(m.Binding)
	if err != nil {
		return false, err
	}
	p.l.mu.Lock()
	later := p.l.suspended
	if later {
		p.l.pending = to
	}
	p.l.mu.Unlock()
	if later {
		return true, nil
	}
	err = p.attempt(ctx, &change{l: p.l, to: to})
	return err == nil, err
}

func (suspend) Handle(ctx context.Context, p *porter) (none struct{}, err error) {
	p.l.mu.Lock()
	p.l.suspended = true
	p.l.mu.Unlock()
	if p.l.peers != nil {
		return none, nil // the peers that there are need the socket
	}
	err = supervisor.TerminateChild(ctx, process.Self(ctx).Parent(), "port")
	p.l.turnAway()
	return none, err
}

func (resume) Handle(ctx context.Context, p *porter) (none struct{}, err error) {
	p.l.mu.Lock()
	to, was, change := p.l.pending, p.l.suspended, &change{l: p.l, to: p.l.bound, resume: true}
	p.l.withdrawn = false
	p.l.hurried.Store(false)
	quick := to == nil && p.l.peers != nil // its socket is open
	if quick {
		p.l.suspended = false
	}
	p.l.mu.Unlock()
	switch {
	case quick:
		return none, nil
	case !was:
		_, err = supervisor.RestartChild(ctx, process.Self(ctx).Parent(), "port")
		if errors.Is(err, supervisor.ErrRunning) || errors.Is(err, supervisor.ErrRestarting) {
			err = nil
		}
		return none, err
	case to != nil:
		change.to = to
	}
	return none, p.attempt(ctx, change)
}

// attempt puts a binding in force, or leaves everything as it is. Of resuming with
// the old one the error is what it is.
func (p *porter) attempt(ctx context.Context, c *change) error {
	was := p.l.bindings(c.to)
	err := p.carryOut(ctx, was, c)
	if err == nil {
		if c.to != was {
			p.l.emit(ctx, process.LevelInfo, "bound anew", nil, nil)
		}
		return p.sweep(ctx)
	}
	failed := &RebindError{Err: err, Back: c.back, Suspended: c.resume}
	if c.to == was {
		return err
	}
	p.l.emit(ctx, process.LevelWarn, "could not be bound anew", failed, nil)
	if c.back != nil {
		return server.Stop(failed)
	}
	if err := p.sweep(ctx); err != nil {
		return errors.Join(failed, err)
	}
	return failed
}

// carryOut does that, step by step.
func (p *porter) carryOut(ctx context.Context, was *binding, c *change) error {
	if err := p.lodge(ctx, c.to); err != nil {
		p.l.giveUpOn(c)
		return err
	}
	if !c.resume && was.keeps(c.to) {
		return p.l.adjust(ctx, was, c.to)
	}
	defer c.abandon()
	defer context.AfterFunc(ctx, c.abandon)()
	if !c.resume {
		if err := caught(func() error { return c.prepare(ctx, was) }); err != nil {
			return err
		}
	}
	p.l.announce(c)
	return p.reopen(ctx, c)
}

// reopen has the supervisor open the port, by the change that was announced.
func (p *porter) reopen(ctx context.Context, c *change) error {
	top := process.Self(ctx).Parent()
	if err := supervisor.TerminateChild(ctx, top, "port"); err != nil {
		return err
	}
	_, err := supervisor.RestartChild(ctx, top, "port")
	if c.err != nil { // though the port may be open, as before
		return c.err
	}
	return err
}

// prepare opens the new sockets while the old ones are open, if they do not keep
// each other from it, and asks Listening.
func (c *change) prepare(ctx context.Context, was *binding) error {
	if was.sameAddress(c.to) && was.Bind == nil && was.BindPacket == nil && !was.inherits() {
		return nil
	}
	c.l.mu.Lock()
	at, address := was.at, c.to.address()
	c.l.mu.Unlock()
	s, err := c.to.openSockets(ctx, address)
	switch {
	case err == nil:
		if err := c.hold(ctx, s); err != nil {
			return err
		}
		c.pleased = true
		return c.to.pleased(ctx, s.listening)
	case errors.Is(err, syscall.EADDRINUSE) && was.inTheWay(at, c.to):
		return nil
	}
	return err
}

// adjust changes a binding whose sockets stay open.
func (l *listener) adjust(ctx context.Context, was, to *binding) error {
	l.mu.Lock()
	port := l.port
	l.mu.Unlock()
	err := port.setBacklog(was, to)
	if err == nil {
		err = caught(func() error { return to.pleased(ctx, port.sockets) })
	}
	if err != nil {
		// The old one had been set before, so the system allows it.
		_ = port.setBacklog(to, was)
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bound = to
	l.port.bound = to
	return nil
}

// setBacklog changes the queues of sockets that are open.
func (p *port) setBacklog(was, to *binding) error {
	n := to.Socket.Backlog
	if n == was.Socket.Backlog {
		return nil
	}
	for _, ln := range p.sockets {
		if err := setBacklog(ln, cmp.Or(n, longest)); err != nil && !p.closed.Load() {
			return &BindError{to.Network, to.Address, fmt.Errorf("Socket.Backlog %d: %w", n, err), "leave out Socket.Backlog"}
		}
	}
	return nil
}
