package acceptor

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	"github.com/coppice-go/coppice/process"
)

// A hub hands the connections of a listener to its Service.
type hub struct {
	l  *listener
	mu sync.Mutex
	// Guarded by mu.
	inlet   *inlet                // of the Serve that was called last
	conns   map[*served]bool      // with a process; true: handed out or waiting for that
	secured map[*tls.Conn]*served // by what a Transport has made of them
}

func newHub(l *listener) *hub {
	return &hub{l: l, conns: make(map[*served]bool), secured: make(map[*tls.Conn]*served)}
}

// service is the Service as it is now: it may be changed for the next call of
// Serve.
func (h *hub) service() Service {
	s, _ := h.l.settings().Protocol.(Service) // SetOptions keeps it one
	return s
}

// open makes the listener for one call of Serve.
func (h *hub) open() *inlet {
	in := &inlet{l: h.l}
	in.some.L = &in.mu
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inlet = in
	return in
}

// enter keeps a connection until it has ended.
func (h *hub) enter(s *served) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns[s] = false
}

// hand gives a connection to Serve; false: that takes no more.
func (h *hub) hand(s *served, conn net.Conn) bool {
	h.mu.Lock()
	in := h.inlet
	h.conns[s] = true
	if t, ok := conn.(*tls.Conn); ok {
		h.secured[t] = s
		s.tls = t
	}
	h.mu.Unlock()
	return in != nil && in.put(conn)
}

// forget forgets a connection that has ended.
func (h *hub) forget(s *served) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, s)
	delete(h.secured, s.tls)
}

// leave tells all connections to finish, on behalf of ctx's process.
func (h *hub) leave(ctx context.Context) {
	for _, s := range h.all(false) {
		// Refused only to one that has ended.
		_ = process.Send(ctx, s.pid, leave{})
	}
}

// orphan ends the connections that a Serve has left behind.
func (h *hub) orphan(ctx context.Context) {
	for _, s := range h.all(true) {
		_ = process.Send(ctx, s.pid, orphaned{}) // as above
	}
}

func (h *hub) all(handed bool) (out []*served) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s, was := range h.conns {
		if was || !handed {
			out = append(out, s)
		}
	}
	return out
}

// find finds the connection that a Transport has made conn of.
func (h *hub) find(conn *tls.Conn) *served {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.secured[conn]
}

// An inlet is the net.Listener of one call of Serve. What it holds has a process
// and counts, so there is never more of it than MaxConnections.
type inlet struct {
	l    *listener
	mu   sync.Mutex
	some sync.Cond
	// Guarded by mu.
	queue  []net.Conn
	closed bool
}

func (in *inlet) put(conn net.Conn) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return false
	}
	in.queue = append(in.queue, conn)
	in.some.Signal()
	return true
}

// Accept returns the next connection. It waits for one until the listener is
// closed, or Serve has returned.
func (in *inlet) Accept() (net.Conn, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.queue) == 0 && !in.closed {
		in.some.Wait()
	}
	if in.closed {
		addr := in.Addr()
		return nil, &net.OpError{Op: "accept", Net: addr.Network(), Addr: addr, Err: net.ErrClosed}
	}
	conn := in.queue[0]
	in.queue[0] = nil
	in.queue = in.queue[1:]
	return conn, nil
}

// Close lets Accept return. The port is open all the same: that is closed first
// when the listener stops.
func (in *inlet) Close() error {
	in.close()
	return nil
}

// close also refuses those who still wait, as closing a socket does.
func (in *inlet) close() {
	in.mu.Lock()
	left := in.queue
	in.queue, in.closed = nil, true
	in.mu.Unlock()
	in.some.Broadcast()
	for _, conn := range left {
		_ = conn.Close() // nobody has it, and it tells its process
	}
}

// Addr is the address that the listener is bound to, as far as it is by now.
func (in *inlet) Addr() net.Addr {
	in.l.mu.Lock()
	defer in.l.mu.Unlock()
	b := in.l.bound
	if b.at != nil {
		return b.at
	}
	return unbound{b.Network, b.Address}
}

// unbound is the address of a listener whose port is not open yet.
type unbound struct{ network, address string }

func (a unbound) Network() string { return a.network }
func (a unbound) String() string  { return a.address }
