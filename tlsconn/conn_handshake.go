package tlsconn

import (
	"context"
	"crypto/tls"
	"net"
)

// shake is the life of the helper: dialing, if we are a client, and the
// handshake. It reports and ends normally; if it does not, that is a crash. When
// the connection ends first, the socket is closed under it. A helper that is killed
// reports nothing: what went wrong with the handshake then is that it was killed.
func (l *life) shake(ctx context.Context) error {
	c := l.c
	fail := func(err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.cast(failed{err})
		return nil
	}
	if l.dial != nil {
		raw, err := l.dial(ctx)
		if err != nil {
			return fail(err)
		}
		if !c.adopt(raw, func(s net.Conn) *tls.Conn { return tls.Client(s, l.config) }) {
			return nil // the connection has ended meanwhile
		}
		c.cast(connected{})
	}
	if err := c.TLS().HandshakeContext(withConn(ctx, c)); err != nil {
		return fail(err)
	}
	c.socket.Load().secret.Store(true)
	c.cast(done{})
	return nil
}

// adopt takes a socket over, and sees to it that it is closed with the
// connection; false: that has ended, and so has the socket.
func (c *Conn) adopt(raw net.Conn, secure func(net.Conn) *tls.Conn) bool {
	s := &spy{Conn: raw, closed: func() { c.cast(released{}) }}
	if c.ep.client {
		s.spoken = func() { c.cast(heard{}) }
	}
	c.mu.Lock()
	buried := c.buried
	if !buried {
		c.secured.Store(secure(s))
		c.socket.Store(s)
	}
	c.mu.Unlock()
	if buried {
		// Nobody is left to be told.
		_ = raw.Close()
	}
	return !buried
}

// greet notes the ClientHello of a server's peer, in the middle of the handshake.
func (c *Conn) greet(sni string, refused bool) {
	c.mu.Lock()
	c.sni, c.refused = sni, refused
	c.mu.Unlock()
	c.cast(heard{})
}

// autopsy finds out how a connection ended that somebody else has read from: its
// socket is closed, and crypto/tls keeps the first error.
func (c *Conn) autopsy() error {
	var rest [512]byte
	for {
		if _, err := c.TLS().Read(rest[:]); err != nil {
			return err
		}
	}
}

// The settings of a server are shared by its connections; the ctx of the
// handshake says which of them it is about.
type connKey struct{}

func withConn(ctx context.Context, c *Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func connOf(hello *tls.ClientHelloInfo) *Conn {
	c, _ := hello.Context().Value(connKey{}).(*Conn)
	return c
}
