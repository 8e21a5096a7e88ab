package acceptor

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// A wire is an accepted socket whose bytes are not ours to read: it belongs to a
// Service. It keeps track of what the connection's process has to know.
type wire struct {
	net.Conn
	s      *served
	shut   chan struct{} // closed when the socket is
	once   sync.Once
	heard  atomic.Bool // the peer has said something, since that was set to false
	failed atomic.Pointer[error]
	early  []byte // what was read too early, with the PROXY header; for whoever reads
}

func newWire(raw net.Conn, s *served) *wire {
	return &wire{Conn: raw, s: s, shut: make(chan struct{})}
}

// Read is for one reader at a time.
func (w *wire) Read(b []byte) (int, error) {
	if len(w.early) > 0 {
		n := copy(b, w.early)
		w.early = w.early[n:]
		return n, nil
	}
	n, err := w.Conn.Read(b)
	if n > 0 && !w.heard.Load() {
		w.heard.Store(true)
	}
	w.note(err)
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.note(err)
	return n, err
}

// note keeps the first error that is the peer's doing, or the network's. Those
// that servers make themselves, to wake a reader of theirs, are neither.
func (w *wire) note(err error) {
	if err == nil || w.failed.Load() != nil ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		return
	}
	w.failed.CompareAndSwap(nil, &err)
}

// fault is what was noted.
func (w *wire) fault() error {
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Close closes the socket, and so ends the connection's process.
func (w *wire) Close() error {
	w.s.cut() // first, so that they learn the reason from us and not from the socket
	err := w.Conn.Close()
	w.once.Do(func() {
		close(w.shut)
		w.s.hangUp()
	})
	return err
}

// RemoteAddr is the client's, also behind a proxy.
func (w *wire) RemoteAddr() net.Addr { return w.s.header.Load().remote(w.Conn) }

// NetConn returns the socket as it was accepted.
func (w *wire) NetConn() net.Conn { return w.Conn }

// ReadFrom lets the kernel copy a file, where it can.
func (w *wire) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(w.Conn, r)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) { // others may be r's
		w.note(err)
	}
	return n, err
}

// CloseWrite ends what we say, and goes on listening.
func (w *wire) CloseWrite() error {
	if c, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetLinger says what closing does with what was not sent yet, on TCP.
func (w *wire) SetLinger(sec int) error {
	if c, ok := w.Conn.(interface{ SetLinger(sec int) error }); ok {
		return c.SetLinger(sec)
	}
	return errors.ErrUnsupported
}

// SyscallConn gives access to the descriptor, if there is one.
func (w *wire) SyscallConn() (syscall.RawConn, error) {
	if c, ok := w.Conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// A cover is what a Transport has made of a wire, for the Service. Closing it
// ends the connection, whatever the Transport does then.
type cover struct {
	net.Conn
	s *served
}

func (c *cover) Close() error {
	err := c.Conn.Close()
	return errors.Join(err, c.s.raw.Close())
}

// NetConn returns the Transport's connection.
func (c *cover) NetConn() net.Conn { return c.Conn }
