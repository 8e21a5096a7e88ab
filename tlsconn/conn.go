package tlsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// A Conn is a TLS connection: a process, and a net.Conn. Bytes do not pass
// through the process's mailbox: Read and Write go to crypto/tls at once.
//
// One may read and one may write at the same time, from any process; Close may be
// called from anywhere, more than once. An error of Read or Write, but for a read
// that met its deadline and io.EOF, is the end of the connection: the first one
// is the reason of its process, and what every later call returns. It is a
// [*Fault], or an [*EndError] if the connection did not fail.
type Conn struct {
	ep    *endpoint
	limit time.Duration // of the handshake; below 0: none

	// Set by the process's Init.
	ctx context.Context // of the process
	ref statem.Ref[event]

	keys  *keyLog       // of this connection alone; nil: none
	ready chan struct{} // closed when the connection is established
	gone  chan struct{} // closed when the process has ended
	state atomic.Int32  // a State; set by the process
	bye   atomic.Bool   // the peer has said goodbye
	half  atomic.Bool   // CloseWrite was called
	said  atomic.Bool   // and has returned
	leave sync.Once     // our own goodbye

	socket  atomic.Pointer[spy]      // nil: a client that still dials
	secured atomic.Pointer[tls.Conn] // over socket

	mu sync.Mutex
	// Guarded by mu.
	end     error // a *Fault or an *EndError: the first; nil: none yet
	buried  bool  // the process has ended
	sni     string
	refused bool // we refused the sni
}

func newConn(ep *endpoint, limit time.Duration) *Conn {
	return &Conn{ep: ep, limit: limit, ready: make(chan struct{}), gone: make(chan struct{})}
}

// errEarly refuses what needs an established connection.
var errEarly = errors.New("tlsconn: the connection is not established yet: wait for Handshake")

// errHalf refuses a Write after CloseWrite.
var errHalf = errors.New("tlsconn: write after CloseWrite")

// Handshake waits until the connection is established. The error is a [*Fault],
// or an [*EndError]. When ctx is done first, the connection ends.
func (c *Conn) Handshake(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	default:
	}
	select {
	case <-c.ready:
		return nil
	case <-c.gone:
	case <-ctx.Done():
		c.cast(gaveUp{whyDone(ctx)})
		<-c.gone
	}
	return c.Err()
}

// whyDone is the error of a ctx and its cause: a process that is told to stop and
// returns the error has obeyed.
func whyDone(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}

// open waits until there is something to read from and to write to.
func (c *Conn) open() (*tls.Conn, error) {
	if c.State() < Established {
		select {
		case <-c.ready:
		case <-c.gone:
			return nil, c.Err()
		}
	}
	return c.TLS(), nil
}

// Read reads. io.EOF means that the peer has said goodbye; a stream that was cut
// off is a [*Fault] of class [Truncated], in which errors.Is finds
// io.ErrUnexpectedEOF. A read that meets its deadline can be tried again. Before
// the connection is established, Read waits for that.
func (c *Conn) Read(b []byte) (int, error) {
	t, err := c.open()
	if err != nil {
		return 0, err
	}
	n, err := t.Read(b)
	if err != nil {
		err = c.readEnded(err)
	}
	return n, err
}

func (c *Conn) readEnded(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return c.ended(err)
}

// Write writes all of b. One that meets its deadline has written half a record:
// the connection ends, with class [Stalled].
func (c *Conn) Write(b []byte) (int, error) {
	t, err := c.open()
	if err != nil {
		return 0, err
	}
	n, err := t.Write(b)
	if err != nil {
		err = c.writeEnded(err)
	}
	return n, err
}

func (c *Conn) writeEnded(err error) error {
	if c.half.Load() {
		return errHalf
	}
	if alertIn(err).Way == Sent {
		// Who reads has met a fault, and sent the alert; it knows more of it than
		// we do and is about to say so.
		wait := time.NewTimer(goodbye)
		defer wait.Stop()
		select {
		case <-c.gone:
		case <-wait.C:
		}
	}
	return c.ended(err)
}

// ended makes of an error of crypto/tls the end of the connection, unless it has
// ended already, and returns that.
func (c *Conn) ended(err error) error {
	if end := c.Err(); end != nil {
		return end
	}
	v, how := c.judge(err)
	switch {
	case how != nil:
		c.decide(how)
	case v.class == 0:
		if c.bye.CompareAndSwap(false, true) {
			c.cast(parted{})
		}
		return io.EOF
	default:
		c.decide(c.fault(v))
	}
	c.cast(ended{})
	return c.Err()
}

// judge says what an error is: a fault, a goodbye (the zero verdict), or, if our
// side has closed the socket, how that is told.
func (c *Conn) judge(err error) (verdict, *EndError) {
	stage := c.State()
	e := c.evidence()
	ours := errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled)
	if ours || e.shut && errors.Is(err, io.ErrClosedPipe) { // which a net.Pipe says
		switch { // why was it closed?
		case e.eof: // the stream had been cut
			err = io.ErrUnexpectedEOF
		case e.raw == nil: // because our side wanted to
			return verdict{}, c.endError(Closed, err)
		default: // the socket had failed, of which a writer was told
			err = e.raw
		}
	}
	return classify(c.ep.client, stage, err, e), nil
}

func (c *Conn) evidence() evidence {
	s := c.socket.Load()
	if s == nil {
		return evidence{}
	}
	e := s.evidence()
	c.mu.Lock()
	defer c.mu.Unlock()
	e.refused = c.refused
	return e
}

// fault is a verdict with all that is known of the connection.
func (c *Conn) fault(v verdict) *Fault {
	f := &Fault{Endpoint: c.ep.name, Class: v.class, Stage: c.State(), Blame: v.blame, Peer: c.peer(),
		Reason: v.reason, Alert: v.alert, Cause: v.because}
	c.mu.Lock()
	f.SNI = c.sni
	c.mu.Unlock()
	if v.cert != nil {
		f.Subject, f.Serial = v.cert.Subject.String(), serialOf(v.cert)
	}
	return f
}

func (c *Conn) endError(how How, cause error) *EndError {
	return &EndError{How: how, Stage: c.State(), Peer: c.peer(), Cause: cause}
}

// decide says how the connection has ended; the first one to say so is right.
func (c *Conn) decide(end error) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil {
		return false
	}
	c.end = end
	return true
}

// Err returns how the connection has ended, a [*Fault] or an [*EndError]; nil
// while it lives.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end
}

// Close says goodbye, for a second at most, and closes the socket; then the
// process ends normally. The error says that the peer could not be told. Only the
// first Close of a living connection does anything.
func (c *Conn) Close() error { return c.closeAs(Closed) }

func (c *Conn) closeAs(how How) error {
	if !c.decide(c.endError(how, nil)) {
		if _, fault := c.Err().(*Fault); fault {
			c.cut()
		} else {
			_ = c.part() // the first one has told what came of it
		}
		return nil
	}
	err := c.part()
	c.cast(ended{})
	return err
}

// part says goodbye and closes the socket. Who comes second waits for the first.
func (c *Conn) part() (err error) {
	c.leave.Do(func() {
		t := c.TLS()
		if c.State() < Established || t == nil {
			c.cut()
			return
		}
		if c.half.Load() && !c.said.Load() { // it is being said, and takes too long
			c.cut()
			return
		}
		c.socket.Load().leaving.Store(true)
		if err = t.Close(); c.bye.Load() {
			err = nil // it does not wait for an answer
		}
	})
	return err
}

// cut closes the socket, if there is one.
func (c *Conn) cut() {
	if s := c.socket.Load(); s != nil {
		// A socket that does not close has no more than we can do for it.
		_ = s.Close()
	}
}

// CloseWrite says goodbye, for a second at most, and leaves the other direction
// open (TLS 1.3 allows that; peers on TLS 1.2 answer with their own goodbye). It
// counts as a write: no other may be under way.
func (c *Conn) CloseWrite() error {
	t, err := c.open()
	if err != nil {
		return err
	}
	if err := c.Err(); err != nil {
		return err
	}
	c.socket.Load().leaving.Store(true)
	c.half.Store(true)
	err = t.CloseWrite()
	c.said.Store(true)
	if err != nil {
		return c.ended(err)
	}
	c.cast(parted{})
	return nil
}

// TLS returns the connection of crypto/tls, for those who take nothing else; nil
// while a client still dials. Who reads and writes there is not told what kind of
// end it was, but the process finds out once that is closed.
func (c *Conn) TLS() *tls.Conn { return c.secured.Load() }

// ConnectionState is that of crypto/tls; zero before the connection is
// established.
func (c *Conn) ConnectionState() tls.ConnectionState {
	if c.State() < Established {
		return tls.ConnectionState{}
	}
	return c.TLS().ConnectionState()
}

// State returns where the connection is; of one that has ended, where it was.
func (c *Conn) State() State {
	s := State(c.state.Load())
	if s == Established && (c.bye.Load() || c.half.Load()) {
		return Closing // as the process is about to hear
	}
	return s
}

// PID returns the connection's process. It is linked to nobody; its reason is nil
// after Close, a process.Shutdown of what Err returns after a fault, or of what
// else made it end.
func (c *Conn) PID() process.PID { return c.ref.PID() }

// LocalAddr returns our address; nil while a client still dials.
func (c *Conn) LocalAddr() net.Addr {
	if s := c.socket.Load(); s != nil {
		return s.LocalAddr()
	}
	return nil
}

// RemoteAddr returns the peer's address; nil while a client still dials.
func (c *Conn) RemoteAddr() net.Addr { return c.peer() }

func (c *Conn) peer() net.Addr {
	if s := c.socket.Load(); s != nil {
		return s.RemoteAddr()
	}
	return nil
}

// SetDeadline is SetReadDeadline and SetWriteDeadline. The handshake has a limit
// of its own: before it is done, these are refused.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.deadline(func(s *tls.Conn) error { return s.SetDeadline(t) })
}

// SetReadDeadline limits a Read, which can be tried again.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.deadline(func(s *tls.Conn) error { return s.SetReadDeadline(t) })
}

// SetWriteDeadline limits a Write. One that meets it ends the connection.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.deadline(func(s *tls.Conn) error { return s.SetWriteDeadline(t) })
}

func (c *Conn) deadline(set func(*tls.Conn) error) error {
	if end := c.Err(); end != nil {
		return end
	}
	if c.State() < Established {
		return errEarly
	}
	err := set(c.TLS())
	if end := c.Err(); err != nil && end != nil { // it has died meanwhile
		return end
	}
	return err
}

// cast tells the process something, from wherever.
func (c *Conn) cast(ev event) {
	// It is refused only when the process has ended, and then nobody needs it.
	_ = c.ref.Cast(c.ctx, ev)
}

// String names the connection: nothing below it is for showing.
func (c *Conn) String() string {
	text := "TLS connection"
	if p := c.peer(); p != nil {
		text += " with " + p.String()
	}
	return text + ", " + c.State().String()
}

// GoString is String.
func (c *Conn) GoString() string { return c.String() }
