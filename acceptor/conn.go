package acceptor

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A Conn is a connection's hold on its socket. It belongs to the connection's
// process: others send that one a message. In a [Subtree] all its processes may
// write to it.
type Conn struct {
	raw              net.Conn // as accepted; closing it ends everything
	listener         *listener
	bound            *binding              // of the port that has accepted it
	limit            time.Duration         // of a write, guarded by writing; below 0: none
	due              time.Time             // the deadline of writes, if not layered; guarded by writing
	rushed           atomic.Bool           // it was set by somebody else since
	handshakeTimeout time.Duration         // below 0: none
	coming           atomic.Bool           // a frame waits in the mailbox, or is being handled
	last             atomic.Pointer[error] // why it ended; nil: it lives, or was killed
	header           atomic.Pointer[ProxyHeader]
	sock             atomic.Pointer[outlet] // nil while a handshake is under way
	writing          sync.Mutex             // held by a Write
	closing          sync.Once
	patient          bool     // others write to it, who know how long they have
	tree             *subtree // nil: it is no Subtree's
	silence          silence

	// Owned by the connection's process.
	ctx      context.Context // of the process
	inFrame  bool            // Frame has been called and has not returned
	draining bool            // it shall finish once it is open
	idle     time.Duration
	heard    time.Time // of the last frame, or of the last time that idle was up
	ticking  *process.Timer
	tick     any // the message of the timer

	// Guarded by the listener's mu.
	listed    process.PID // as which process it is one of the listener's connections
	uncounted bool        // Uncount was called

	// Owned by the reader, if there is one, and while a frame is handled by the process.
	cut       *cutter
	upgrading bool // the handshake comes when the frame has been handled
	upgraded  bool
}

// Write writes all of b, within the protocol's WriteTimeout. An error is one
// of the network, so it is in a process.Shutdown: a handler that returns it
// ends the connection without a crash.
func (c *Conn) Write(b []byte) (int, error) {
	out := c.sock.Load()
	if out == nil {
		return 0, ErrNotOpen
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	limit := c.limit
	if c.listener.hurried.Load() {
		limit = lastWrite
	}
	if limit >= 0 {
		if err := c.allow(out, limit); err != nil {
			return 0, process.Shutdown(err)
		}
	}
	n, err := out.conn.Write(b)
	if err != nil {
		return n, process.Shutdown(err)
	}
	if out.layered && !c.listener.hurried.Load() {
		out.unhurry() // a transport may write on its own, when it reads
	}
	return n, nil
}

// allow gives a write that long, or up to an eighth more: a deadline that was set for
// one before may do. c.writing is held.
func (c *Conn) allow(out *outlet, limit time.Duration) error {
	now := time.Now()
	if !out.layered && !c.rushed.Load() && c.due.Sub(now) >= limit {
		return nil
	}
	c.rushed.Store(false)
	c.due = now.Add(limit + limit/8)
	return out.conn.SetWriteDeadline(c.due)
}

func (c *Conn) setWriteTimeout(d time.Duration) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.limit, c.due = d, time.Time{}
}

// An outlet is what a connection is written to.
type outlet struct {
	conn    net.Conn
	layered bool // it is what a Transport has made
}

// unhurry takes the last write's deadline back.
func (o *outlet) unhurry() {
	// A socket that takes no deadline is closed, and its reader tells of it.
	_ = o.conn.SetWriteDeadline(time.Time{})
}

// NetConn returns the connection that Write writes to: the socket, or what the
// Transport has made of it; nil before that. Its Read, and the deadline of that,
// belong to the protocol's reader. A connection whose socket was asked for keeps its
// reader while it is silent (see Spec.Silence): it may be closed by whoever has it.
func (c *Conn) NetConn() net.Conn {
	out := c.sock.Load()
	if out == nil {
		return nil
	}
	if c.isBare(out.conn) {
		c.expose()
	}
	return out.conn
}

// RemoteAddr returns the peer's address: from Open on the client's, if a trusted
// proxy has told it (see [Proxy]).
func (c *Conn) RemoteAddr() net.Addr { return c.header.Load().remote(c.raw) }

// LocalAddr returns our address.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// Uncount takes the connection out of those that MaxConnections,
// SoftConnections and Alarms count, for good: there is room for another one in
// its place. It is for connections that live long and do little, say one that
// was upgraded. In all else it stays one of the listener's connections.
func (c *Conn) Uncount() {
	if c.listener.uncount(c) { // else it has not been counted yet
		// A gate that is started now looks by itself.
		_ = server.Cast(c.ctx, c.listener, changed{})
	}
}

// SetIdle changes how long the peer may be silent from now on; 0: for ever.
func (c *Conn) SetIdle(d time.Duration) {
	c.ticking.Stop()
	c.ticking = nil
	c.idle, c.heard = max(d, 0), time.Now()
	c.watch(c.idle)
}

// watch looks at the clock after d. A frame does not set the timer anew, it
// only leaves its time: that is as cheap as it can be.
func (c *Conn) watch(d time.Duration) {
	if c.idle > 0 {
		c.ticking = process.After(c.ctx, d, c.tick)
	}
}

// silent reports whether the peer has been silent for too long, when the timer
// has fired, and sets it again.
func (c *Conn) silent(now time.Time) bool {
	left := c.idle - now.Sub(c.heard)
	if c.coming.Load() {
		left = c.idle // we are late, not the peer
	}
	if left > 0 {
		c.watch(left)
		return false
	}
	c.heard = now
	c.watch(c.idle)
	return true
}

// lastWrite is how long a write may take once the connections are being shut
// down: a peer that does not read should not turn an orderly stop into a kill.
const lastWrite = time.Second

// hurry gives a write that is under way no longer than that, from any process.
func (c *Conn) hurry() {
	if c.patient {
		return
	}
	// A socket that takes no deadline is closed already.
	_ = c.raw.SetWriteDeadline(time.Now().Add(lastWrite))
	c.rushed.Store(true)
}

// stopReading has whoever reads from the socket come back, now and from now on.
func (c *Conn) stopReading() {
	if c.raw.SetReadDeadline(time.Unix(1, 0)) != nil {
		c.close() // it takes no deadline, if it is not closed already
	}
}

// A keeper closes the socket when the connection's process has ended, however
// that was.
type keeper struct{ c *Conn }

// Forget implements process.Keeper.
func (k keeper) Forget(process.PID) { k.c.close() }

// close ends the socket and with it the reader. It can be called from anywhere,
// more than once.
func (c *Conn) close() {
	c.closing.Do(func() {
		// A socket that does not close has no more than we can do for it.
		_ = c.raw.Close()
		c.unrest()
	})
}
