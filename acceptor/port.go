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
}

// open is the start function of the port: it binds, in the process of the
// listener's supervisor, and starts the acceptors.
func (l *listener) open(ctx context.Context) (process.PID, error) {
	l.mu.Lock()
	old, suspended, address := l.port, l.suspended, l.spec.Address
	if l.addr != nil && !l.spec.inherits() {
		address = l.addr.String()
	}
	l.mu.Unlock()
	if old != nil {
		old.close()
	}
	if suspended {
		return process.PID{}, process.ErrIgnore
	}
	sockets, err := l.spec.listen(ctx, address)
	if err != nil {
		return process.PID{}, err
	}
	p := &port{l: l, sockets: sockets, reserve: newReserve()}
	p.spare(ctx)
	l.mu.Lock()
	l.port, l.addr, l.ledger.spread = p, sockets[0].Addr(), len(sockets) > 1
	l.mu.Unlock()
	return p.start(ctx)
}

// start starts the acceptors, if the sockets please.
func (p *port) start(ctx context.Context) (pid process.PID, err error) {
	started := false
	defer func() { // Listening may also panic
		if !started {
			p.close()
		}
	}()
	if err := p.l.spec.pleased(ctx, p.sockets); err != nil {
		return process.PID{}, err
	}
	pid, err = supervisor.Start(ctx, p.acceptors())
	started = err == nil
	return pid, err
}

func (p *port) acceptors() supervisor.Spec {
	spec := supervisor.Spec{Strategy: supervisor.OneForAll, Intensity: supervisor.NoRestart}
	for i := range p.l.shards {
		spec.Children = append(spec.Children, supervisor.Child{
			ID: fmt.Sprintf("acceptor-%d", i+1),
			Start: supervisor.Go(func(ctx context.Context) error {
				return p.accept(ctx, p.sockets[i%len(p.sockets)], shard{p.l, i})
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
		raw, err := ln.Accept()
		if err == nil {
			if err = p.take(ctx, raw, permit, conns); err != nil {
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
