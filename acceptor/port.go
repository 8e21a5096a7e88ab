package acceptor

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A port is a listening socket with the acceptors that share it. The first of
// them to end closes the socket, for they only end all together: when the port
// is stopped, or when the socket is broken and a new one has to be opened.
type port struct {
	l       *listener
	ln      net.Listener
	closed  atomic.Bool
	closing sync.Once
}

// open is the start function of the port: it binds, in the process of the
// listener's supervisor, and starts the acceptors.
func (l *listener) open(ctx context.Context) (process.PID, error) {
	l.mu.Lock()
	old, suspended, address := l.port, l.suspended, l.spec.Address
	if l.addr != nil {
		address = l.addr.String()
	}
	l.mu.Unlock()
	if old != nil {
		old.close()
	}
	if suspended {
		return process.PID{}, process.ErrIgnore
	}
	ln, err := l.spec.Bind(ctx, l.spec.Network, address)
	if err != nil {
		return process.PID{}, err
	}
	p := &port{l: l, ln: ln}
	l.mu.Lock()
	l.port, l.addr = p, ln.Addr()
	l.mu.Unlock()
	pid, err := supervisor.Start(ctx, p.acceptors())
	if err != nil {
		p.close()
	}
	return pid, err
}

func (p *port) acceptors() supervisor.Spec {
	spec := supervisor.Spec{Strategy: supervisor.OneForAll, Intensity: supervisor.NoRestart}
	for i := range p.l.shards {
		spec.Children = append(spec.Children, supervisor.Child{
			ID:    fmt.Sprintf("acceptor-%d", i+1),
			Start: supervisor.Go(func(ctx context.Context) error { return p.accept(ctx, shard{p.l, i}) }),
		})
	}
	return spec
}

// close closes the socket. When it returns the socket is closed, whoever was the
// first to call it: the address is free for the next port.
func (p *port) close() {
	p.closed.Store(true)
	p.closing.Do(func() {
		// Whatever close says, the descriptor is gone.
		_ = p.ln.Close()
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
func (p *port) accept(ctx context.Context, conns shard) error {
	defer p.close()
	defer context.AfterFunc(ctx, p.close)() // Accept knows no ctx
	var wait backoff
	for {
		if p.l.spec.Overflow == Wait {
			if _, err := p.l.enter(ctx); err != nil {
				return p.ended(ctx, err)
			}
		}
		raw, err := p.ln.Accept()
		switch {
		case p.closed.Load():
			if err == nil {
				_ = raw.Close() // too late for it
			}
			<-ctx.Done() // perhaps another acceptor was told first
			return nil
		case err == nil:
			wait.reset()
			if err := p.l.take(ctx, raw, conns); err != nil {
				return p.ended(ctx, err)
			}
		case classify(err) == broken:
			return fmt.Errorf("acceptor: %v: accept: %w", p.ln.Addr(), err)
		default:
			p.l.tolerate(ctx, err)
			if !sleep(ctx, wait.next()) {
				return nil
			}
		}
	}
}

// ended is what an acceptor returns when the gate does not answer: nothing, if
// it was told to stop meanwhile.
func (p *port) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("acceptor: %v: %w", p.ln.Addr(), err)
}
