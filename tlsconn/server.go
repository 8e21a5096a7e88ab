package tlsconn

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A Server makes TLS connections of accepted sockets. It is an
// acceptor.Transport. Its methods may be called from anywhere.
type Server struct {
	spec      Spec
	ep        *endpoint
	set       atomic.Pointer[set]                   // nil: it has not been started
	attendant atomic.Pointer[server.Ref[attendant]] // of the latest start

	// dressing is held by whoever is at the wardrobe: the attendant. One that was
	// killed may still be at it, in a slow look at the files, when the next one comes.
	dressing sync.Mutex
	wardrobe wardrobe // of the attendant
}

// NewServer makes a Server. It does nothing before [Server.Start], which also
// tells what is wrong with the Spec.
func NewServer(spec Spec) *Server {
	spec.Name = cmp.Or(spec.Name, "server")
	return &Server{spec: spec, ep: &endpoint{
		name: spec.Name, selfFraming: spec.SelfFraming, levels: spec.Levels, tally: &tally{},
	}}
}

// Start judges the files, rehearses a handshake with each identity, and starts
// the process that looks after them: it reads them again, tells by number what got
// no line of its own, and sees to the alarms. It is linked to the caller. If
// anything is wrong with the Spec or its files, nothing is started, and the error
// says all of it; errors.As finds an [*identity.Error].
//
// After its end it may be started again. If it crashed, or if a supervisor starts it
// again, as it does when another of its children has crashed, what was served last is
// served on, whatever the files hold meanwhile.
func (s *Server) Start(ctx context.Context) (process.PID, error) {
	ref, err := server.Start(ctx, s.attend())
	return ref.PID(), err
}

// Ref makes a Server the target of its attendant's messages.
func (s *Server) Ref(context.Context) (server.Ref[attendant], error) {
	if ref := s.attendant.Load(); ref != nil {
		return *ref, nil
	}
	return server.Ref[attendant]{}, s.notStarted()
}

func (s *Server) notStarted() error {
	return fmt.Errorf("tlsconn: server %q is not started: Start it before it is used", s.spec.Name)
}

// Reload looks at the files now. If they can be served they are, for connections
// from now on; if not, what was served still is, and the error says what is wrong,
// as that of Start.
func (s *Server) Reload(ctx context.Context) error {
	_, err := server.Call(ctx, s, reload{})
	return err
}

// handshakeLimit is how long a handshake may take if nobody says otherwise.
const handshakeLimit = 5 * time.Second

// Open starts the connection's process on an accepted socket, which is the
// connection's from now on, and does not wait for the handshake; see
// [Conn.Handshake]. The connection ends with owner; the zero PID is the caller.
// The handshake may take until the deadline of ctx; without one, 5 s.
func (s *Server) Open(ctx context.Context, raw net.Conn, owner process.PID) (*Conn, error) {
	set := s.set.Load()
	if set == nil {
		// It was ours to serve.
		_ = raw.Close()
		return nil, s.notStarted()
	}
	c := newConn(s.ep, limitOf(ctx, handshakeLimit))
	c.adopt(raw, func(sock net.Conn) *tls.Conn { return tls.Server(sock, set.outer) })
	if err := (&life{c: c, owner: owner}).start(ctx); err != nil {
		return nil, c.stillborn(err)
	}
	return c, nil
}

// Handshake makes an accepted socket a TLS connection that belongs to owner. The
// error is a [*Fault] or an [*EndError], and the socket is closed. The handshake
// may take until the deadline of ctx; without one, 5 s.
func (s *Server) Handshake(ctx context.Context, raw net.Conn, owner process.PID) (net.Conn, error) {
	c, err := s.Open(ctx, raw, owner)
	if err != nil {
		return nil, err
	}
	if err := c.Handshake(ctx); err != nil {
		return nil, err
	}
	if c.TLS().ConnectionState().NegotiatedProtocol == acmeProtocol && s.spec.Source != nil {
		// The authority has seen what it wanted, and hears the goodbye or has gone.
		_ = c.closeAs(Challenged)
		return nil, c.Err()
	}
	return c, nil
}

// start starts the process. It is linked to nobody, so that its end does not end
// those who only talked to it; it watches its owner. What belongs to the node is
// linked to that, and stops with it in order.
func (l *life) start(ctx context.Context) (err error) {
	if l.owner.IsZero() {
		l.owner = process.Self(ctx)
	}
	m := machine.With(l.init)
	ctx = process.WithBirth(ctx, process.Birth{ID: "tls"}) // the path of one that has no parent
	if l.owner.IsZero() {
		_, err = m.Start(ctx)
	} else {
		_, err = m.StartUnlinked(ctx)
	}
	return err
}

// stillborn is the end of a connection whose process did not start, or whose starter
// was ended meanwhile: then it may be starting now, and is about to see the end of its
// socket.
func (c *Conn) stillborn(err error) error {
	how := Stopped
	if errors.Is(err, process.ErrKilled) {
		how = Killed
	}
	c.decide(c.endError(how, err))
	// Below the spy, who would tell the process. What does not close has no more
	// than we can do for it.
	_ = c.socket.Load().NetConn().Close()
	return c.Err()
}

// limitOf is how long ctx gives, at most; without a deadline it is def.
func limitOf(ctx context.Context, def time.Duration) time.Duration {
	at, ok := ctx.Deadline()
	if !ok {
		return def
	}
	return max(time.Until(at), 0)
}

// Info is what there is to know of a [Server] or a [Client].
type Info struct {
	Name        string
	Open        int              // connections, those in their handshake included
	Established uint64           // handshakes that have succeeded
	Faults      map[Class]uint64 // by class
	Serving     []Served         // identities, that of the Spec's Files first
}

// Counts returns how many faults of each class there were.
func (s *Server) Counts() map[Class]uint64 { return s.ep.info().Faults }

// Info returns what there is to know.
func (s *Server) Info() Info {
	info := s.ep.info()
	if set := s.set.Load(); set != nil {
		info.Serving = set.served
	}
	return info
}
