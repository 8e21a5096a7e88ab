package acceptor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A Transport turns an accepted socket into one that carries the protocol, as
// TLS does. One value serves all connections of its listener.
type Transport interface {
	// Start starts the process that the transport needs while the listener
	// runs: a child of the listener's tree, so it is linked to the process that
	// ctx belongs to. It is called before the address is bound: an error keeps
	// the listener from starting. If that process ends, Start is called again.
	// [process.ErrIgnore] says that the transport needs no process.
	Start(ctx context.Context) (process.PID, error)

	// Handshake makes the connection of one accepted socket. It runs in a
	// process that is linked to owner, the connection's, and may block. The
	// deadline of ctx is the listener's HandshakeTimeout, and ctx is done when
	// owner ends or Handshake has returned; if Handshake has not returned a
	// second after the deadline, raw is closed under it.
	//
	// An error ends the connection, in a process.Shutdown: what fails here is
	// the peer's fault or the network's. One with a ClassName is counted under
	// that name, see [Info]. Of processes that are started here it is the
	// connection that hears first: their exit signals do not reach
	// [Protocol.Exit].
	//
	// A connection can rest while its peer is silent (see Spec.Silence) if what is
	// returned here has a method Rest(ended func()) bool. That says: a Read that has
	// met its deadline, which is set on raw, can be tried again; it has nothing to give
	// until raw has; and it needs none of the processes that were started here. Rest is
	// called when nobody reads any more. It reports false if the connection has ended;
	// if it ends later, by anything but the peer, ended is to be called, from anywhere,
	// at least once.
	Handshake(ctx context.Context, raw net.Conn, owner process.PID) (net.Conn, error)
}

// lateHandshake is how long after its deadline a handshake may go on.
const lateHandshake = time.Second

// shake has a transport make what the protocol's bytes go through.
func (c *Conn) shake(ctx context.Context, t Transport, raw net.Conn, owner process.PID) (net.Conn, error) {
	limit := c.handshakeTimeout
	if limit < 0 {
		return shaken(t.Handshake(ctx, raw, owner))
	}
	tooSlow := fmt.Errorf("not done within %v: %w", limit, process.ErrTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, tooSlow)
	defer cancel()
	var late atomic.Bool
	timer := time.AfterFunc(limit+lateHandshake, func() { late.Store(true); c.close() })
	defer timer.Stop()
	sock, err := t.Handshake(ctx, raw, owner)
	switch {
	case late.Load():
		if sock != nil {
			_ = sock.Close() // what is below it is closed already
		}
		return shaken(nil, tooSlow)
	case err != nil && context.Cause(ctx) == tooSlow && className(err) == "":
		return shaken(nil, fmt.Errorf("%w: %w", tooSlow, err))
	}
	return shaken(sock, err)
}

func shaken(sock net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, &handshakeError{err}
	}
	if sock == nil {
		return nil, errNoConn
	}
	return sock, nil
}

// errNoConn is a fault of the transport.
var errNoConn = errors.New("acceptor: Handshake returned neither a connection nor an error")

// A handshakeError is an end of a connection that did not open.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "handshake: " + e.err.Error() }

func (e *handshakeError) Unwrap() error { return e.err }

// ClassName is that of the transport's own error, if it has one.
func (e *handshakeError) ClassName() string {
	if name := className(e.err); name != "" {
		return name
	}
	if errors.Is(e.err, process.ErrTimeout) {
		return "handshake_timeout"
	}
	return "handshake_failed"
}
