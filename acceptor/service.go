package acceptor

import (
	"context"
	"errors"
	"net"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// A Service is a [Handler] for what serves a net.Listener by itself: a
// grpc.Server, an http.Server (for that one package acceptor/httpd has it
// ready), anything with a Serve of that kind.
//
//	acceptor.Spec{
//		Name:    "grpc",
//		Address: ":9090",
//		Protocol: acceptor.Service{Serve: func(ctx context.Context, ln net.Listener) error {
//			srv := newServer()
//			defer context.AfterFunc(ctx, srv.GracefulStop)()
//			return srv.Serve(ln)
//		}},
//	}
//
// Each connection that ln accepts is a process all the same: it is listed,
// counted under the limits and drained. It lives as long as the net.Conn is
// open: killing it closes that one, closing that one ends it, and what ends a
// connection from outside is its reason, in a process.Shutdown. What the server
// does with it, it does in goroutines of its own; with the ctx of [ConnContext]
// they act for the connection's process.
type Service struct {
	// Serve accepts connections from ln and serves them. It is needed. It runs
	// in a process of the listener's tree, which starts before the port is bound
	// and stops after that is closed.
	//
	// When ctx is done no more connections come, and Serve finishes what is in
	// hand and returns. When the listener stops it has Spec.Shutdown for that,
	// in a drain as long as that allows. To return at any other time is a crash:
	// its connections end, and the listener starts it again. After a drain
	// [Resume] calls it again.
	Serve func(ctx context.Context, ln net.Listener) error

	// PeerFirst says that the peer speaks first in this protocol. Then a
	// connection on which it has said nothing yet is ended soon (200 ms) after it
	// was told to finish: nothing is under way there.
	PeerFirst bool
}

func (s Service) faults(datagrams bool) (faults []error) {
	if s.Serve == nil {
		faults = append(faults, errors.New("Service: Serve is missing: nobody would accept the connections"))
	}
	if datagrams {
		faults = append(faults, errors.New("Service: it is for connections: use a Protocol for datagrams"))
	}
	return faults
}

func (s Service) starter() func(context.Context, *listener, *arrival) (process.PID, error) {
	return startServed
}

// replaceable says why a listener's Protocol cannot be replaced by another one.
func replaceable(before, now Handler) error {
	_, was := before.(Service)
	if _, is := now.(Service); is == was {
		return nil
	}
	return errors.New("acceptor: SetOptions: a Service is a part of the listener's tree, so Protocol stays one, or stays none: start another listener")
}

// errReturned is the end of a Serve that should go on.
var errReturned = errors.New("acceptor: Serve returned by itself, and nobody would accept connections: it has to serve until its ctx is done")

// A host is the process that runs a Service's Serve, in a process of its own
// below it.
type host struct {
	hub     *hub
	serving process.PID // where Serve runs; zero: nowhere, since a drain
	told    bool        // to finish
	resume  []server.Reply[struct{}]
}

func (h *hub) hostSpec() server.Spec[host] {
	return server.Spec[host]{
		Init: func(ctx context.Context) (*host, error) {
			h.orphan(ctx) // those of a Serve that crashed
			s := &host{hub: h}
			return s, s.start(ctx)
		},
		TrapExit: true,
		Exit:     func(ctx context.Context, s *host, x process.ExitSignal) error { return s.exit(ctx, x) },
		Terminate: func(ctx context.Context, s *host, reason error) error {
			if s.serving.IsZero() {
				return nil
			}
			h.leave(ctx)
			if err := s.tell(ctx); err != nil {
				return err
			}
			// Interrupted only if we are killed; then that is our reason.
			_, _ = process.Wait(ctx, s.serving)
			return nil
		},
	}
}

func (s *host) start(ctx context.Context) (err error) {
	in, serve := s.hub.open(), s.hub.service().Serve
	s.told = false
	// The hub is for ConnContext: whatever ctx of this process Serve makes the
	// one of its connections, it is found there.
	birth := process.Birth{ID: "serve", Values: context.WithValue(ctx, hubKey{}, s.hub)}
	s.serving, err = process.GoSpec(process.WithBirth(ctx, birth), process.Spec{Kind: "service"},
		func(ctx context.Context) error {
			defer in.close()
			return serve(ctx, in)
		})
	return err
}

// tell lets Serve finish.
func (s *host) tell(ctx context.Context) error {
	s.told = true
	return process.SendExit(ctx, s.serving, process.ErrShutdown)
}

func (s *host) exit(ctx context.Context, x process.ExitSignal) error {
	switch {
	case x.From != s.serving:
		return nil // a process that Serve has started, and that outlives it
	case !s.told && x.Reason == nil:
		return server.Stop(errReturned)
	case !s.told:
		return server.Stop(x.Reason)
	}
	s.serving = process.PID{}
	if len(s.resume) == 0 {
		return nil
	}
	err := s.start(ctx)
	for _, r := range s.resume {
		r.Send(struct{}{}, err)
	}
	s.resume = nil
	return err
}

// rest tells Serve to finish, for a drain. Nobody waits for that here: the drain
// waits for the connections.
type rest struct{}

func (rest) Handle(ctx context.Context, s *host) (none struct{}, err error) {
	if s.serving.IsZero() || s.told {
		return none, nil
	}
	return none, s.tell(ctx)
}

// wake calls Serve again after a drain, as soon as it has returned from the call
// before.
type wake struct{}

func (wake) Handle(ctx context.Context, s *host) (none struct{}, err error) {
	switch {
	case s.serving.IsZero():
		return none, s.start(ctx)
	case s.told:
		reply, err := server.Defer[struct{}](ctx)
		s.resume = append(s.resume, reply)
		return none, err
	}
	return none, nil
}

// serviceChild is the child of the listener's tree that runs the Service.
func (l *listener) serviceChild() supervisor.Child {
	return supervisor.Child{ID: "service", Start: server.StartFunc(l.hub.hostSpec()), Shutdown: l.spec.Shutdown}
}

// rest and wake are for a drain and its end; a listener without a Service has
// nothing to be told.
func (t tree) rest(ctx context.Context) error { return callService(ctx, t.service, rest{}) }
func (t tree) wake(ctx context.Context) error { return callService(ctx, t.service, wake{}) }

func callService[M server.Request[host, struct{}]](ctx context.Context, service process.PID, m M) error {
	if service.IsZero() {
		return nil
	}
	ref, err := server.As[host](service)
	if err != nil {
		return err
	}
	_, err = server.Call(ctx, ref, m)
	return err
}
