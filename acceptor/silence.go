package acceptor

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/internal/readiness"
	"github.com/coppice-go/coppice/process"
)

// A silence is what a connection knows of its reader, which it need not have while
// its peer is silent: the lookout starts another one when there is something to read.
//
//	          listen            ask             rest
//	apart ──(reader)──▷ reading ──▷ asked ──(reader)──▷ resting
//	  ▲                                                    │
//	  └──────────────────── Wake, close ───────────────────┘
type silence struct {
	mu      sync.Mutex
	phase   phase          // guarded by mu
	mark    readiness.Mark // guarded by mu; while resting
	waker   readiness.Waker
	exposed atomic.Bool   // somebody has got hold of the socket
	beats   atomic.Uint32 // frames that the readers have brought

	// Guarded by the lookout's post.
	next, prev *Conn
	listed     bool
	heard      uint32 // beats, when the lookout last looked
}

// A phase says who waits for the peer's next bytes.
type phase uint8

const (
	apart   phase = iota // nobody, or a reader that cannot go
	reading              // a reader
	asked                // a reader that was asked to go
	resting              // the lookout
)

// A rester is a Transport's connection that can rest, see [Transport].
type rester interface{ Rest(ended func()) bool }

// canRest reports whether a connection can do without its reader. It has to have a
// descriptor, and what is read from it must not know more than the descriptor does:
// of a socket that is closed on our side nobody is told.
func (c *Conn) canRest(sock net.Conn) bool {
	if !readiness.Supported || c.listener.spec.Silence < 0 {
		return false
	}
	switch c.raw.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return false
	}
	if _, ok := sock.(rester); ok {
		return true
	}
	return c.isBare(sock) && !c.silence.exposed.Load()
}

// isBare reports whether that is the socket, without a Transport.
func (c *Conn) isBare(sock net.Conn) bool {
	_, header := sock.(*proxied)
	return header || sock == c.raw
}

// expose is called when somebody gets hold of the socket itself, who may close it.
// From then on the connection has a reader, who notices.
func (c *Conn) expose() {
	if !c.silence.exposed.Swap(true) {
		c.wake()
	}
}

// listen is called by a reader that may be asked to go.
func (c *Conn) listen(ctx context.Context) {
	c.silence.mu.Lock()
	c.silence.phase = reading
	c.silence.mu.Unlock()
	c.listener.post.enter(c)
	c.listener.post.need(ctx)
}

// ask has the reader come back from the socket, if that is where it is.
func (c *Conn) ask() {
	s := &c.silence
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == reading {
		s.phase = asked
		// A socket that takes no deadline is closed, and its reader tells of it.
		_ = c.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// unlisten is called by a reader that ends by itself, or has other things to do.
func (c *Conn) unlisten() {
	c.listener.post.leave(c)
	s := &c.silence
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == asked {
		_ = c.raw.SetReadDeadline(time.Time{}) // as in ask
	}
	s.phase = apart
}

// wasAsked reports whether that is the end of a read that was asked for.
func (c *Conn) wasAsked(err error) bool {
	c.silence.mu.Lock()
	defer c.silence.mu.Unlock()
	return c.silence.phase == asked && errors.Is(err, os.ErrDeadlineExceeded)
}

// rest leaves the socket to the lookout; false: the reader stays. After true the
// connection may have another reader, and this one touches nothing of it.
func (c *connection[S]) rest(ctx context.Context) bool {
	s, post := &c.silence, &c.listener.post
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = reading
	c.cut.err = nil
	if c.raw.SetReadDeadline(time.Time{}) != nil {
		return false // it is closed: the next read says so
	}
	if ctx.Err() != nil { // we have just undone that it was interrupted
		_ = c.raw.SetReadDeadline(time.Unix(1, 0)) // as above
		return false
	}
	sock := c.sock.Load().conn
	if !c.canRest(sock) {
		return false
	}
	if r, ok := sock.(rester); ok && !r.Rest(c.wake) {
		return false // it has ended: the next read says so
	}
	mark, ok := post.arm(c.raw.(syscall.Conn), c)
	if !ok { // it is just being started again
		post.enter(c.Conn)
		return false
	}
	if c.cut.buffered() == 0 {
		c.cut.free()
		c.cut = nil
	}
	s.phase, s.mark = resting, mark
	c.reader = process.PID{} // nothing shall be kept of it
	return true
}

// Wake implements readiness.Waker: it starts a reader, on behalf of the connection.
func (c *connection[S]) Wake() {
	s := &c.silence
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != resting {
		return
	}
	s.phase = apart
	// Refused only to a process that has ended.
	_ = c.startReader(c.ctx)
}

// startReader starts a reader. c.silence.mu is held: who it is, is known before it is
// told of its end.
func (c *connection[S]) startReader(ctx context.Context) (err error) {
	c.reader, err = process.GoSpec(ctx, process.Spec{Kind: "reader"}, c.read)
	return err
}

// isReader reports whether that is the reader, which the connection has had last.
func (c *connection[S]) isReader(pid process.PID) bool {
	c.silence.mu.Lock()
	defer c.silence.mu.Unlock()
	return pid == c.reader && !pid.IsZero()
}

// wake wakes a connection that rests.
func (c *Conn) wake() {
	if c.silence.waker != nil {
		c.silence.waker.Wake()
	}
}

// unrest is called when the socket has been closed.
func (c *Conn) unrest() {
	s := &c.silence
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == resting {
		s.phase = apart
		c.listener.post.disarm(s.mark, s.waker)
	}
}
