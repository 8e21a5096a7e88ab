package acceptor

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A served is the process of a connection that belongs to a Service. It neither
// reads nor writes: it stands for the connection, ends with it, and takes it
// along when it is ended itself.
type served struct {
	Conn
	wire *wire // what Conn calls raw
	hub  *hub
	pid  process.PID
	tls  *tls.Conn // guarded by hub.mu

	// Owned by the process.
	helper  process.PID // in which open ran; zero: there was nothing to do
	opening bool        // it has not told of its end yet
	// The Transport has a process for the connection, whose end says more of it
	// than the socket's does.
	witnessed bool

	mu sync.Mutex
	// Guarded by mu.
	left    time.Time                 // when it was told to finish
	leaving chan struct{}             // closed then; nil: nobody has asked
	cancels []context.CancelCauseFunc // of what ConnContext has made
	over    bool                      // they have been called
}

func startServed(ctx context.Context, l *listener, in *arrival) (process.PID, error) {
	s := &served{hub: l.hub}
	s.wire = newWire(in.raw, s)
	s.raw, s.listener, s.bound, s.patient = s.wire, l, in.bound, true
	s.handshakeTimeout = l.settings().HandshakeTimeout
	ref, err := server.Start(ctx, server.Spec[served]{
		Init:      func(ctx context.Context) (*served, error) { return s, s.init(ctx, in) },
		Continue:  begin,
		TrapExit:  true,
		Exit:      func(ctx context.Context, s *served, x process.ExitSignal) error { return s.exit(x) },
		Terminate: terminate,
	})
	return ref.PID(), err
}

func (s *served) init(ctx context.Context, in *arrival) error {
	s.ctx, s.pid = ctx, process.Self(ctx)
	if _, err := process.Keep(ctx, s.pid, keeper{&s.Conn}); err != nil {
		return err
	}
	s.hub.enter(s)
	return s.listener.opened(ctx, in, entry{conn: &s.Conn, since: time.Now(), drain: leave{}})
}

// begin hands the connection to the Service, after the PROXY header and the
// handshake if there are any.
func begin(ctx context.Context, s *served) (err error) {
	spec := s.bound
	if err := spec.Socket.tune(s.wire.Conn); err != nil {
		return server.Stop(process.Shutdown(err))
	}
	if spec.Transport == nil && spec.Proxy == nil {
		return s.hand(s.wire)
	}
	s.opening = true
	s.helper, err = process.GoSpec(ctx, process.Spec{Kind: "handshake"}, func(ctx context.Context) error {
		return s.open(ctx, s.pid)
	})
	return err
}

// hand gives the Service what it may read from and write to.
func (s *served) hand(conn net.Conn) error {
	s.wire.heard.Store(len(s.wire.early) > 0)
	s.mu.Lock()
	late := !s.left.IsZero()
	s.mu.Unlock()
	if late || !s.hub.hand(s, conn) {
		return server.Stop(process.ErrShutdown)
	}
	return nil
}

// exit tells whose end it is that takes the connection along: that of a helper
// which crashed.
func (s *served) exit(x process.ExitSignal) error {
	if process.Clean(x.Reason) {
		return nil
	}
	return &process.ExitError{PID: x.From, Name: x.From.Path(), Reason: x.Reason}
}

// terminate closes the connection. Those who have asked to be told that it is
// time, with Leaving, get most of what is left of Shutdown to do it themselves.
func terminate(ctx context.Context, s *served, reason error) error {
	s.last.Store(&reason)
	s.leave()
	if reason == process.ErrShutdown {
		s.linger(ctx)
	}
	if out := s.sock.Load(); out != nil {
		// The transport's goodbye; who does not hear it has gone.
		_ = out.conn.Close()
	}
	s.close()
	return nil
}

func (s *served) linger(ctx context.Context) {
	s.mu.Lock()
	asked, since := s.leaving != nil, s.left
	s.mu.Unlock()
	limit := cmp.Or(s.listener.spec.Shutdown, defaultShutdown)
	if !asked || limit < 0 && limit != process.Infinity {
		return
	}
	var over <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(time.Until(since.Add(limit - limit/10)))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-s.wire.shut:
	case <-over:
	case <-ctx.Done(): // killed
	}
}

// defaultShutdown is what a Shutdown of zero means to a supervisor.
const defaultShutdown = 5 * time.Second

// The messages of a served.
type (
	// secured is the end of what comes before the Service.
	secured struct {
		sock net.Conn // what the Transport has made; nil: there is none
		err  error
	}
	// hungUp: the socket was closed.
	hungUp struct{}
	// testified: the process that the Transport has for the connection has ended.
	testified struct{ reason error }
	// leave asks to finish.
	leave struct{}
	// unheard: it was asked to, and the peer had not said anything then.
	unheard struct{}
	// orphaned: the Serve that had the connection has crashed.
	orphaned struct{}
)

func (m secured) Handle(ctx context.Context, s *served) error {
	s.opening = false
	switch {
	case m.err != nil && isFault(m.err):
		return m.err
	case m.err != nil:
		return server.Stop(process.Shutdown(m.err))
	case m.sock == nil:
		return s.hand(s.wire)
	}
	s.sock.Store(&outlet{m.sock, true})
	if p, ok := m.sock.(interface{ PID() process.PID }); ok {
		s.witnessed = true
		if _, err := server.Monitor(ctx, p.PID(), func(d process.Down) testified { return testified{d.Reason} }); err != nil {
			return err
		}
	}
	return s.hand(s.wrap(m.sock))
}

func (hungUp) Handle(ctx context.Context, s *served) error {
	switch {
	case s.opening:
		return nil // it will say how that ended
	case s.witnessed: // so will the Transport, which looks closer
		_, err := server.After(ctx, lastWord, testified{})
		return err
	}
	return s.conclude(nil)
}

// lastWord is how long a Transport's process has to say how a connection ended,
// when its socket has been closed.
const lastWord = time.Second

// Handle ends the connection with what the Transport's process says. If it has
// nothing to say, its socket is closed, too.
func (m testified) Handle(_ context.Context, s *served) error {
	s.witnessed = false
	select {
	case <-s.wire.shut:
		return s.conclude(m.reason)
	default:
	}
	if m.reason == nil || m.reason == process.ErrShutdown {
		return nil
	}
	return s.conclude(m.reason)
}

// conclude ends the connection: because of why, or else of what the socket has met.
func (s *served) conclude(why error) error {
	if why == nil || why == process.ErrShutdown {
		if why = s.wire.fault(); why != nil {
			why = process.Shutdown(why)
		}
	}
	return server.Stop(why)
}

func (leave) Handle(ctx context.Context, s *served) error {
	s.leave()
	if !s.hub.service().PeerFirst || s.wire.heard.Load() {
		return nil
	}
	_, err := server.After(ctx, firstWord, unheard{})
	return err
}

// firstWord is how long a peer that has just connected has to say something
// before it is taken for one that has not asked anything. What it has said may
// still be on its way through our own queues.
const firstWord = 200 * time.Millisecond

func (unheard) Handle(_ context.Context, s *served) error {
	if s.wire.heard.Load() {
		return nil
	}
	return server.Stop(process.ErrShutdown)
}

func (orphaned) Handle(context.Context, *served) error { return server.Stop(process.ErrShutdown) }

// leave tells those who have asked that it is time to finish.
func (s *served) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left.IsZero() {
		return
	}
	s.left = time.Now()
	if s.leaving != nil {
		close(s.leaving)
	}
}

// cut ends the contexts of the connection, whose socket is about to be closed by
// whomever.
func (s *served) cut() {
	s.mu.Lock()
	cancels := s.cancels
	s.cancels, s.over = nil, true
	s.mu.Unlock()
	for _, cancel := range cancels {
		cancel(s.cause())
	}
}

func (s *served) cause() error { return cmp.Or(context.Cause(s.ctx), error(net.ErrClosed)) }

// hangUp tells the process that the socket has been closed.
func (s *served) hangUp() {
	s.hub.forget(s)
	// Refused only to a process that has ended.
	_ = process.SendSelf(s.ctx, hungUp{})
}
