package httpd

import (
	"net"
	"net/http"
	"sync"
)

// A census knows the connections that a server has, from its ConnState. Those
// that were hijacked are the server's no more.
type census struct {
	mu    sync.Mutex
	conns map[net.Conn]bool // true: no request's header is complete yet
	empty chan struct{}     // closed when there is none; nil: nobody waits for that
}

func watch(srv *http.Server) *census {
	c, own := &census{conns: make(map[net.Conn]bool)}, srv.ConnState
	srv.ConnState = func(conn net.Conn, state http.ConnState) {
		c.note(conn, state)
		if own != nil {
			own(conn, state)
		}
	}
	return c
}

func (c *census) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.conns[conn] = true
	case http.StateActive, http.StateIdle:
		c.conns[conn] = false
	case http.StateHijacked, http.StateClosed:
		delete(c.conns, conn)
		c.tell()
	}
}

// none returns a channel that is closed when no connection is left.
func (c *census) none() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	empty := make(chan struct{})
	c.empty = empty
	c.tell()
	return empty
}

// tell is called with mu held.
func (c *census) tell() {
	if c.empty != nil && len(c.conns) == 0 {
		close(c.empty)
		c.empty = nil
	}
}

// closeNew closes the connections that have not asked for anything.
func (c *census) closeNew() {
	c.mu.Lock()
	var late []net.Conn
	for conn, isNew := range c.conns {
		if isNew {
			late = append(late, conn)
		}
	}
	c.mu.Unlock()
	for _, conn := range late {
		_ = conn.Close() // what it has, or had, to say is told to its server
	}
}
