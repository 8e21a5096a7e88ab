package main

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A session is what the broker remembers of one client: its subscriptions, its
// will, and what it has not acknowledged. It outlives its connections unless the
// client wants a clean session.
//
// A session never waits for anybody, it only casts; so everybody may wait for it.
type session struct {
	conn    server.Ref[conn] // zero while the client is away
	kept    bool             // outlives conn
	will    *message         // to publish if conn ends without a DISCONNECT
	filters map[string]byte  // subscribed, with their QoS
	out     outbox
	dropped int // since the client was last here
}

// Attach gives a session the connection of its client, in place of the one it has.
type Attach struct {
	Conn  server.Ref[conn]
	Clean bool // with nothing left from before, and to be forgotten after
	Will  *message
}

// Handle reports whether the client finds what it left.
func (m Attach) Handle(ctx context.Context, s *session) (present bool, err error) {
	if s.conn != (server.Ref[conn]{}) {
		if err := errors.Join(server.Cast(ctx, s.conn, TakenOver{}), s.publishWill(ctx)); err != nil {
			return false, err
		}
	}
	present = s.kept && !m.Clean
	if !present {
		if err := s.reset(ctx); err != nil {
			return false, err
		}
	}
	s.conn, s.kept, s.will, s.dropped = m.Conn, !m.Clean, m.Will, 0
	if _, err := server.Monitor(ctx, m.Conn, func(process.Down) Away { return Away{m.Conn} }); err != nil {
		return false, err
	}
	return present, s.send(ctx, append(s.out.resend(), s.out.next()...))
}

// reset forgets what the client subscribed to and what was kept for it.
func (s *session) reset(ctx context.Context) error {
	known := len(s.filters) > 0
	s.filters, s.out = make(map[string]byte), outbox{}
	self, err := server.As[session](process.Self(ctx))
	if !known || err != nil {
		return err
	}
	err = server.Cast(ctx, theRouter, Forget{self})
	if errors.Is(err, process.ErrNoProc) {
		return nil // the next router will ask us, and hear of none
	}
	return err
}

// Leave says that the client has taken leave: its will is void.
type Leave struct{ Conn server.Ref[conn] }

func (m Leave) Handle(_ context.Context, s *session) error {
	if m.Conn == s.conn {
		s.will = nil
	}
	return nil
}

// Away says that a connection has ended, however it did.
type Away struct{ Conn server.Ref[conn] }

func (m Away) Handle(ctx context.Context, s *session) error {
	if m.Conn != s.conn {
		return nil // it had been taken over
	}
	s.conn = server.Ref[conn]{}
	if err := s.publishWill(ctx); err != nil {
		return err
	}
	if !s.kept {
		return server.Stop(nil)
	}
	return nil
}

func (s *session) publishWill(ctx context.Context) error {
	if s.will == nil {
		return nil
	}
	m := *s.will
	s.will = nil
	return server.Cast(ctx, theRouter, Will{m})
}

// Deliver hands the session a message for its client.
type Deliver struct{ message }

func (m Deliver) Handle(ctx context.Context, s *session) error {
	away := s.conn == (server.Ref[conn]{})
	switch {
	case m.QoS > 0 && !s.out.push(m.message):
		s.drop(ctx, m.message)
	case away: // it will be sent when the client is back, if it was promised
	case m.QoS > 0:
		return s.send(ctx, s.out.next())
	default:
		return s.send(ctx, []delivery{{message: m.message}})
	}
	return nil
}

// drop says so, once for each stay or absence of the client.
func (s *session) drop(ctx context.Context, m message) {
	if s.dropped++; s.dropped == 1 {
		process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelWarn,
			Text: fmt.Sprintf("%d messages wait for the client: it gets no more for now, the first it misses is on %s", maxQueued, m.Topic)})
	}
}

// Acknowledged says that the client has a delivery.
type Acknowledged struct{ ID uint16 }

func (m Acknowledged) Handle(ctx context.Context, s *session) error {
	s.out.acknowledge(m.ID)
	return s.send(ctx, s.out.next())
}

func (s *session) send(ctx context.Context, deliveries []delivery) error {
	for _, d := range deliveries {
		if err := server.Cast(ctx, s.conn, Send{d}); err != nil {
			return err
		}
	}
	return nil
}

// Remember notes a subscription, for the routers to come.
type Remember struct {
	Filter string
	QoS    byte
}

func (m Remember) Handle(_ context.Context, s *session) error {
	s.filters[m.Filter] = m.QoS
	return nil
}

// Drop is the opposite of Remember.
type Drop struct{ Filter string }

func (m Drop) Handle(_ context.Context, s *session) error {
	delete(s.filters, m.Filter)
	return nil
}

// Filters asks what the session has subscribed to.
type Filters struct{}

func (Filters) Handle(_ context.Context, s *session) (map[string]byte, error) {
	return maps.Clone(s.filters), nil
}
