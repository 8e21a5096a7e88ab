package acceptor

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/coppice-go/coppice/process"
)

type (
	hubKey    struct{} // of the Service's hub, in the ctx that Serve is given
	servedKey struct{} // of a connection, in the ctx that ConnContext makes
)

// ConnContext makes of ctx one that acts for the process of a Service's
// connection, and that is done when the connection has ended, besides. So what is
// called and started with it is the connection's: its handlers can be found in
// reports and traces, what they have started ends with it, and a helper of theirs
// that crashes ends it.
//
// It has the form of http.Server.ConnContext. ctx is derived from the one that
// Serve was given, or from process.Uninterrupted of it, and c is what Accept has
// returned, or a conn made of that whose NetConn leads there, as a tls.Conn's. If
// c is none, ctx itself is returned.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	s := servedBy(ctx, c)
	if s == nil {
		return ctx
	}
	acting, err := process.Acting(context.WithValue(s.lives(ctx), servedKey{}, s), s.ctx)
	if err != nil {
		panic(err) // s.ctx is a process's: it cannot be without a node
	}
	return acting
}

// Leaving returns a channel that is closed when a Service's connection is told to
// finish: in a drain, or when the listener stops. It is for those who hold a
// connection for long, a hijacked one for example, and want to say goodbye. They
// have until the drain's time is over, or what is left of Spec.Shutdown.
//
// ctx is derived from one that [ConnContext] has made; for any other the channel
// is nil, which is never closed.
func Leaving(ctx context.Context) <-chan struct{} {
	s, ok := ctx.Value(servedKey{}).(*served)
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving == nil {
		s.leaving = make(chan struct{})
		if !s.left.IsZero() {
			close(s.leaving)
		}
	}
	return s.leaving
}

// servedBy finds the connection behind what a Service calls its conn.
func servedBy(ctx context.Context, c net.Conn) *served {
	h, _ := ctx.Value(hubKey{}).(*hub)
	for {
		switch conn := c.(type) {
		case *wire:
			return conn.s
		case *cover:
			return conn.s
		case *tls.Conn:
			if h == nil {
				break
			}
			if s := h.find(conn); s != nil {
				return s
			}
		}
		inner, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = inner.NetConn()
	}
}

// lives makes ctx end with the socket.
func (s *served) lives(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		cancel(s.cause())
	} else {
		s.cancels = append(s.cancels, cancel)
	}
	return ctx
}

// wrap makes of a Transport's connection what the Service sees. net/http finds
// out that HTTP/2 was chosen only if that is a *tls.Conn itself; closing it
// closes the wire below it.
func (s *served) wrap(sock net.Conn) net.Conn {
	if t, ok := sock.(interface{ TLS() *tls.Conn }); ok {
		return t.TLS()
	}
	return &cover{sock, s}
}
