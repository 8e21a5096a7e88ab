package tlsconn

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A spy stands between crypto/tls and the socket and notes what is needed to
// tell one end from another: crypto/tls gives the same io.EOF to a goodbye and to
// a stream that was cut between two records.
//
// Reads and writes may go on at the same time, one of each; crypto/tls sees to
// that.
type spy struct {
	net.Conn
	in      atomic.Int64           // bytes from the peer
	spoken  func()                 // called at the first of them; nil: nobody wants to know
	closed  func()                 // called when the socket is closed, once
	resting atomic.Pointer[func()] // also called then; nil: nobody wants to know

	secret  atomic.Bool // the handshake is done: nothing more is in the clear
	leaving atomic.Bool // only the goodbye is still written
	shut    atomic.Bool

	mu sync.Mutex
	// Guarded by mu.
	first [24]byte // of the bytes from the peer
	n     int      // how many of them there are
	eof   bool     // the end was told to crypto/tls
	err   error    // the first that is no end and no time-out
	alert Alert    // that was sent in the clear
	told  hearing  // to the peer's records, until the handshake is done

	held bool // an end came together with bytes; owned by the reader
}

// goodbye is how long the last record may take.
const goodbye = time.Second

// Read notes what comes. An end that comes together with bytes is told after
// them, in a call of its own: so whoever was told of the end had asked for more.
func (s *spy) Read(b []byte) (int, error) {
	if s.held {
		s.note(io.EOF)
		return 0, io.EOF
	}
	n, err := s.Conn.Read(b)
	if n > 0 {
		s.heard(b[:n])
	}
	if n > 0 && err == io.EOF {
		s.held = true
		return n, nil
	}
	if err != nil {
		s.note(err)
	}
	return n, err
}

// heard notes bytes of the peer.
func (s *spy) heard(b []byte) {
	if !s.secret.Load() {
		s.mu.Lock()
		s.told.hear(b)
		s.mu.Unlock()
	}
	before := s.in.Add(int64(len(b))) - int64(len(b))
	if before < int64(len(s.first)) {
		s.mu.Lock()
		s.n += copy(s.first[s.n:], b)
		s.mu.Unlock()
	}
	if before == 0 && s.spoken != nil {
		s.spoken()
	}
}

func (s *spy) Write(b []byte) (int, error) {
	if !s.secret.Load() {
		if a := alertOnWire(b); a.Way != NoAlert {
			s.mu.Lock()
			s.alert = a
			s.mu.Unlock()
		}
	}
	n, err := s.Conn.Write(b)
	if err != nil {
		s.note(err)
	}
	return n, err
}

// note keeps an error of the socket. Time-outs pass; what our own Close does, or
// that of whoever had the socket before us, is none of the socket's.
func (s *spy) note(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) || s.shut.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == io.EOF:
		s.eof = true
	case s.err == nil:
		s.err = err
	}
}

// evidence is what has been seen up to now.
func (s *spy) evidence() evidence {
	s.mu.Lock()
	defer s.mu.Unlock()
	return evidence{in: s.in.Load(), first: append([]byte(nil), s.first[:s.n]...), eof: s.eof, raw: s.err, shut: s.shut.Load(), alert: s.alert, told: s.told.last}
}

// SetWriteDeadline gives the goodbye no longer than it may take, whatever
// crypto/tls asks for.
func (s *spy) SetWriteDeadline(t time.Time) error { return s.Conn.SetWriteDeadline(s.hasten(t)) }

// SetDeadline is both.
func (s *spy) SetDeadline(t time.Time) error {
	if err := s.Conn.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

func (s *spy) hasten(t time.Time) time.Time {
	if !s.leaving.Load() {
		return t
	}
	if last := time.Now().Add(goodbye); t.IsZero() || t.After(last) {
		return last
	}
	return t
}

// linger gives the peer the time to read the alert that refused it. A socket that is
// closed while there is something to read is reset, and then its peer may never see
// what was sent: a client of TLS 1.3 has asked for something before it is known whether
// we like its certificate.
func (s *spy) linger() {
	half, ok := s.Conn.(interface{ CloseWrite() error })
	if !ok || s.shut.Load() || half.CloseWrite() != nil {
		return
	}
	// All that can go wrong is that the peer has gone, or stays too long: whoever waits
	// for the handshake waits for this, too.
	_ = s.Conn.SetReadDeadline(time.Now().Add(goodbye / 2))
	_, _ = io.Copy(io.Discard, io.LimitReader(s.Conn, lastWords))
}

// lastWords is how much a refused peer may have sent meanwhile.
const lastWords = 64 << 10

// Close closes the socket. It may be called from anywhere, more than once.
func (s *spy) Close() error {
	if !s.shut.CompareAndSwap(false, true) {
		return nil
	}
	err := s.Conn.Close()
	if s.closed != nil {
		s.closed()
	}
	if ended := s.resting.Load(); ended != nil {
		(*ended)()
	}
	return err
}

// NetConn returns the socket.
func (s *spy) NetConn() net.Conn { return s.Conn }

// String keeps what is below out of logs.
func (s *spy) String() string { return "socket of a TLS connection" }
