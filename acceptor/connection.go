package acceptor

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A connection is the server behind one accepted socket. It is two processes:
// the connection's own, which has the state and writes, and a reader linked to
// it, which cuts the stream into frames and hands them over one at a time. While the
// peer is silent there may be no reader, see silence.
//
//	peer → socket → reader ──frame──▷ connection → socket → peer
//	                       ◁──next───
//
// Whichever ends takes the other along: the connection closes the socket, on
// which the reader waits; the reader's end is told by a message, or, if it
// crashed, by its exit signal.
type connection[S any] struct {
	*Conn    // own, or what a Subtree shares
	own      Conn
	protocol *Protocol[S]
	reader   process.PID   // the latest; guarded by silence.mu
	next     chan struct{} // the connection has handled a frame
	framing  atomic.Bool   // the reader is past every handshake
	got      frame[S]      // the one frame under way
}

// An arrival is an accepted socket on its way to its process.
type arrival struct {
	raw     net.Conn
	bound   *binding    // of the port that has accepted it
	by      process.PID // the acceptor, whose permission it takes over
	checked bool        // Access and Rate let it in
	state   passage     // guarded by the listener's mu
}

// A passage says how far an arrival has come. The first of its acceptor and its
// process to move it decides.
type passage int

const (
	underway passage = iota
	begun            // the process has taken it over
	givenUp          // the acceptor has, and refuses it
)

func (p Protocol[S]) starter() func(context.Context, *listener, *arrival) (process.PID, error) {
	return (&p).start // bound to a copy that all connections share
}

// start starts the connection's process. Its caller closes the socket if that
// fails.
func (p *Protocol[S]) start(ctx context.Context, l *listener, in *arrival) (process.PID, error) {
	c := &connection[S]{}
	c.Conn = &c.own
	c.fill(l, in)
	return c.start(ctx, p, in)
}

// fill makes a Conn of an accepted socket.
func (c *Conn) fill(l *listener, in *arrival) {
	c.raw, c.listener, c.bound, c.limit = in.raw, l, in.bound, defaultWrite
	c.handshakeTimeout = l.settings().HandshakeTimeout
	if in.bound.Transport == nil && in.bound.Proxy == nil {
		c.sock.Store(&outlet{conn: in.raw})
	}
}

func (c *connection[S]) start(ctx context.Context, p *Protocol[S], in *arrival) (process.PID, error) {
	c.protocol, c.next = p, make(chan struct{}, 1)
	c.setWriteTimeout(cmp.Or(p.WriteTimeout, defaultWrite))
	c.tick, c.got.c, c.silence.waker = tick[S]{c}, c, c
	limit := p.Limit
	if d, ok := c.raw.(*peer); ok {
		d.aim(c)
		if limit > 0 {
			limit += cmp.Or(p.Queue, defaultQueue)
		}
	}
	spec := server.Spec[S]{
		Init:      func(ctx context.Context) (*S, error) { return c.init(ctx, in) },
		TrapExit:  true,
		Exit:      c.exit,
		Terminate: c.terminate,
		Limit:     limit,
		Inspect:   p.Inspect,
		Grace:     p.Grace,
	}
	if p.Open != nil && c.sock.Load() != nil { // else Open waits for the reader
		spec.Continue = p.Open
	}
	ref, err := server.Start(ctx, spec)
	return ref.PID(), err
}

// init makes the state. The keeper comes first: from then on nothing, not even
// a kill, leaves the socket open. (The reader closes it too, but a process that
// is killed in its first instant never runs.)
func (c *connection[S]) init(ctx context.Context, in *arrival) (s *S, err error) {
	c.ctx = ctx
	self := process.Self(ctx)
	if _, err := process.Keep(ctx, self, keeper{c.Conn}); err != nil {
		return nil, err
	}
	idle := c.protocol.Idle
	if c.listener.peers != nil { // datagrams come by themselves
		idle = cmp.Or(idle, defaultIdle)
	} else {
		c.silence.mu.Lock()
		err = c.startReader(ctx)
		c.silence.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	started := false
	defer func() { // New may also panic, or end the process
		if !started {
			c.finish()
		}
	}()
	if s, err = c.protocol.New(ctx, c.Conn); err != nil || s == nil {
		return nil, err // the server says what a nil state is
	}
	if c.idle == 0 { // else New has set it
		c.SetIdle(idle)
	}
	if c.tree != nil { // that is the connection
		err = c.tree.speaks(ctx, speaker{self, drain[S]{c}})
	} else {
		err = c.listener.opened(ctx, in, entry{conn: c.Conn, since: time.Now(), drain: drain[S]{c}})
	}
	started = err == nil
	return s, err
}

// finish lets go of the socket and of the reader, wherever that waits.
func (c *connection[S]) finish() {
	if out := c.sock.Load(); out != nil && out.conn != c.raw {
		// The transport's goodbye; who does not hear it has gone.
		_ = out.conn.Close()
	}
	c.close()
	close(c.next)
}

func (c *connection[S]) open(ctx context.Context, s *S) error {
	if c.protocol.Open == nil {
		return nil
	}
	return c.protocol.Open(ctx, s)
}

// exit tells the ends of our own helpers from what the protocol's links say. A
// transport's process is a child of the reader.
func (c *connection[S]) exit(ctx context.Context, s *S, x process.ExitSignal) error {
	reader := c.isReader(x.From)
	helper := c.isReader(x.From.Parent())
	switch {
	case reader && x.Reason == nil:
		return nil // it has said what there was to say
	case reader && process.Clean(x.Reason):
		return server.Stop(x.Reason) // a link of its own took it along, and nobody reads now
	case !reader && !helper && c.protocol.Exit != nil:
		return c.protocol.Exit(ctx, s, x)
	case process.Clean(x.Reason):
		return nil // of a helper the reader tells, behind the frames that it still has
	}
	return &process.ExitError{PID: x.From, Name: x.From.Path(), Reason: x.Reason}
}

// terminate lets the protocol say goodbye, and then closes the socket.
func (c *connection[S]) terminate(ctx context.Context, s *S, reason error) error {
	defer c.finish()
	c.last.Store(&reason)
	if c.protocol.Terminate == nil {
		return nil
	}
	c.last.Store(&errTerminate) // if it does not return
	err := c.protocol.Terminate(ctx, s, reason)
	if err != nil {
		reason = err
	}
	c.last.Store(&reason)
	return err
}

// The messages that a connection gets from its reader, its listener and its
// clock. They are messages of S like those that the protocol's author writes.
type (
	// frame is one frame. Its connection has only one, filled again for each.
	frame[S any] struct {
		c      *connection[S]
		bytes  []byte
		length atomic.Int64 // of bytes, for tools
	}
	// opened is the end of the handshake.
	opened[S any] struct {
		c       *connection[S]
		sock    net.Conn
		layered bool
	}
	// ended is the end of the stream.
	ended[S any] struct{ err error }
	// drain asks to finish.
	drain[S any] struct{ c *connection[S] }
	// tick is the timer of Idle.
	tick[S any] struct{ c *connection[S] }
)

func (f *frame[S]) Handle(ctx context.Context, s *S) error {
	f.c.inFrame = true
	err := f.c.protocol.Frame(ctx, s, f.bytes)
	f.c.inFrame = false
	f.bytes = nil
	f.c.heard = time.Now() // now, for the time that we took is not the peer's
	f.c.coming.Store(false)
	f.c.next <- struct{}{}
	return err
}

// LogValue is what tools show of a frame: not its content, which is the peer's.
// They may ask when the reader has already filled it again.
func (f *frame[S]) LogValue() slog.Value {
	return slog.StringValue(strconv.FormatInt(f.length.Load(), 10) + " bytes")
}

func (o opened[S]) Handle(ctx context.Context, s *S) error {
	o.c.sock.Store(&outlet{o.sock, o.layered})
	o.c.heard = time.Now() // a handshake is no silence
	o.c.next <- struct{}{}
	if err := o.c.open(ctx, s); err != nil || !o.c.draining {
		return err
	}
	return drain[S]{o.c}.Handle(ctx, s)
}

func (e ended[S]) Handle(context.Context, *S) error {
	if isFault(e.err) {
		return e.err
	}
	return server.Stop(process.Shutdown(e.err))
}

// isFault reports whether the end of a stream is our own fault: that of Split, or
// of the Transport.
func isFault(err error) bool {
	return errors.Is(err, errNoProgress) || errors.Is(err, errAdvance) || errors.Is(err, errNoConn)
}

func (d drain[S]) Handle(ctx context.Context, s *S) error {
	if d.c.protocol.Drain == nil {
		return nil
	}
	if d.c.sock.Load() == nil { // it comes behind Open
		d.c.draining = true
		return nil
	}
	return d.c.protocol.Drain(ctx, s)
}

func (t tick[S]) Handle(ctx context.Context, s *S) error {
	if !t.c.silent(time.Now()) {
		return nil
	}
	if t.c.protocol.OnIdle == nil {
		return server.Stop(process.Shutdown(ErrIdle))
	}
	return t.c.protocol.OnIdle(ctx, s)
}
