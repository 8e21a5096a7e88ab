package acceptor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A port is a listening socket with the acceptors that share it, or a few of them.
// The first acceptor to end closes all sockets, for they only end all together:
// when the port is stopped, or when a socket is broken and has to be opened anew.
type port struct {
	l       *listener
	sockets []net.Listener
	reserve *reserve
	closed  atomic.Bool
	closing sync.Once

	bound *binding // guarded by the listener's mu
}

// open is the start function of the port: it binds, in the process of the
// listener's supervisor, and starts the acceptors. If there is a change it tries
// that, and if that fails goes back to the binding before.
func (l *listener) open(ctx context.Context) (pid process.PID, err error) {
	l.mu.Lock()
	old, was, suspended, c := l.port, l.bound, l.suspended, l.change
	l.change, l.opening = nil, true
	var prepared sockets
	if c != nil {
		prepared, c.sockets = c.sockets, sockets{}
	}
	l.mu.Unlock()
	defer func() { l.settled(err == nil && !pid.IsZero()) }()
	if old != nil {
		old.close()
	}
	switch {
	case suspended && l.peers == nil && (c == nil || !c.resume):
		prepared.close()
		return process.PID{}, process.ErrIgnore
	case c == nil:
		return l.openAt(ctx, nil, sockets{})
	}
	c.err = caught(func() (err error) {
		pid, err = l.openAt(ctx, c, prepared)
		return err
	})
	if c.err == nil {
		return pid, nil
	}
	l.restore(c, was)
	if c.resume && l.peers == nil {
		return process.PID{}, c.err
	}
	if pid, c.back = l.openAt(ctx, nil, sockets{}); c.back != nil {
		return process.PID{}, errors.Join(c.err, c.back)
	}
	return pid, nil
}

// openAt opens the port, by a change or else by what is in force.
func (l *listener) openAt(ctx context.Context, c *change, open sockets) (process.PID, error) {
	l.mu.Lock()
	b := l.bound
	if c != nil {
		b = c.to
	}
	address := b.address()
	l.mu.Unlock()
	if l.peers != nil {
		return l.peers.receive(ctx, b, c, open.packets)
	}
	if open.none() {
		var err error
		if open, err = b.openSockets(ctx, address); err != nil {
			return process.PID{}, err
		}
	}
	p := &port{l: l, sockets: open.listening, reserve: newReserve()}
	p.spare(ctx)
	l.mu.Lock()
	l.enforce(c)
	p.bound = l.bound // which may just have been adjusted
	b = p.bound
	b.at = p.sockets[0].Addr()
	l.port, l.ledger.spread = p, len(p.sockets) > 1
	l.mu.Unlock()
	return p.start(ctx, b, c != nil && c.pleased)
}

// start starts the acceptors, if the sockets please.
func (p *port) start(ctx context.Context, b *binding, pleased bool) (pid process.PID, err error) {
	started := false
	defer func() { // Listening may also panic
		if !started {
			p.close()
		}
	}()
	if !pleased {
		if err := b.pleased(ctx, p.sockets); err != nil {
			return process.PID{}, err
		}
	}
	pid, err = supervisor.Start(ctx, p.acceptors(b.Acceptors))
	started = err == nil
	return pid, err
}

func (p *port) acceptors(n int) supervisor.Spec {
	spec := supervisor.Spec{Strategy: supervisor.OneForAll, Intensity: supervisor.NoRestart}
	for i := range n {
		spec.Children = append(spec.Children, supervisor.Child{
			ID: fmt.Sprintf("acceptor-%d", i+1),
			Start: supervisor.Go(func(ctx context.Context) error {
				return p.accept(ctx, p.sockets[i%len(p.sockets)], shard{p.l, i % len(p.l.shards)})
			}),
		})
	}
	return spec
}

// close closes the sockets. When it returns they are closed, whoever was the first
// to call it: the address is free for the next port.
func (p *port) close() {
	p.closed.Store(true)
	p.closing.Do(func() {
		closeAll(p.sockets)
		p.reserve.close()
	})
}

// A shard is the supervisor that starts an acceptor's connections.
type shard struct {
	l *listener
	i int
}

// Resolve makes a shard a process.Target.
func (s shard) Resolve(context.Context) (process.PID, error) {
	if pid := s.l.shards[s.i].Load(); pid != nil {
		return *pid, nil
	}
	return process.PID{}, process.ErrNoProc
}

// accept is the life of an acceptor. It ends when it is told to, or with the
// error that says that the socket is broken.
func (p *port) accept(ctx context.Context, ln net.Listener, conns shard) error {
	defer p.close()
	defer context.AfterFunc(ctx, p.close)() // Accept knows no ctx
	var wait backoff
	for {
		permit, err := p.l.before(ctx)
		if err != nil {
			return p.ended(ctx, err)
		}
		in, err := p.next(ln)
		if err == nil {
			if err = p.take(ctx, in, permit, conns); err != nil {
				return p.ended(ctx, err)
			}
		}
		switch {
		case p.closed.Load():
			<-ctx.Done() // perhaps another acceptor was told first
			return nil
		case err == nil:
			if !p.l.dry.Load() {
				wait.reset()
			}
		case classify(err) == broken:
			return fmt.Errorf("acceptor: %v: accept: %w", ln.Addr(), err)
		case !p.tolerate(ctx, err, &wait):
			return nil
		}
	}
}

// next returns a connection: one that the port before this one had accepted, or
// the next one that comes.
func (p *port) next(ln net.Listener) (*arrival, error) {
	if in := p.l.carriedOver(); in != nil {
		return in, nil
	}
	raw, err := ln.Accept()
	if err != nil {
		return nil, err
	}
	p.l.accepted.Add(1)
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	p.bound.users++
	return &arrival{raw: raw, bound: p.bound}, nil
}

// ended is what an acceptor returns when the gate does not answer: nothing, if
// it was told to stop meanwhile. It will be, if the gate has died: the port is
// started again after the gate. To crash as well would only hurry ahead of that.
func (p *port) ended(ctx context.Context, err error) error {
	return unanswered(ctx, p.sockets[0].Addr(), err)
}

func unanswered(ctx context.Context, at net.Addr, err error) error {
	_, died := errors.AsType[*process.ExitError](err)
	if died || errors.Is(err, process.ErrNoProc) {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("acceptor: %v: %w", at, err)
}

// boundLocked returns the addresses of the sockets that are open.
func (l *listener) boundLocked() (addrs []net.Addr) {
	if l.peers != nil {
		return l.peers.bound()
	}
	if l.port == nil || l.port.closed.Load() {
		return nil
	}
	for _, ln := range l.port.sockets {
		addrs = append(addrs, ln.Addr())
	}
	return addrs
}
