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
	slow    bool // conn does not keep up, and has been told to end
	missed  int  // messages that out had no room for, since conn came or went
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
	s.conn, s.kept, s.will = m.Conn, !m.Clean, m.Will
	s.slow, s.missed = false, 0
	if _, err := server.Monitor(ctx, m.Conn, func(process.Down) Away { return Away{m.Conn} }); err != nil {
		return false, err
	}
	if err := s.send(ctx, s.out.resend()...); err != nil {
		return false, err
	}
	return present, s.send(ctx, s.out.next()...)
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
	s.conn, s.missed = server.Ref[conn]{}, 0
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
	if m.QoS == 0 {
		return s.send(ctx, delivery{message: m.message}) // to who is here
	}
	if !s.out.push(m.message) {
		s.miss(ctx, m.message)
	}
	return s.sendNext(ctx)
}

// miss says, once for each stay or absence, that the client misses messages.
func (s *session) miss(ctx context.Context, m message) {
	if s.missed++; s.missed == 1 {
		process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelWarn,
			Text: fmt.Sprintf("%d messages wait for the client, no more are kept; the first that it misses is on %s", maxQueued, m.Topic)})
	}
}

// Acknowledged says that the client has a delivery.
type Acknowledged struct {
	Conn server.Ref[conn]
	ID   uint16
}

func (m Acknowledged) Handle(ctx context.Context, s *session) error {
	if m.Conn != s.conn {
		return nil // what it speaks of was sent again by the next one, or is forgotten
	}
	s.out.acknowledge(m.ID)
	return s.sendNext(ctx)
}

func (s *session) sendNext(ctx context.Context) error {
	if s.away() {
		return nil
	}
	return s.send(ctx, s.out.next()...)
}

func (s *session) away() bool { return s.slow || s.conn == (server.Ref[conn]{}) }

// send passes deliveries on to the connection, if there is one. A client that does
// not keep up is shut out, or all that waits for it would fill the memory.
func (s *session) send(ctx context.Context, deliveries ...delivery) error {
	for _, d := range deliveries {
		if s.away() {
			return nil
		}
		err := server.Cast(ctx, s.conn, Send{d})
		if errors.Is(err, process.ErrMailboxFull) {
			s.slow = true
			err = process.SendExit(ctx, s.conn, process.Shutdown(errTooSlow))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Subscribed is told by the router, for the routers to come.
type Subscribed struct {
	Filter string
	QoS    byte
}

func (m Subscribed) Handle(_ context.Context, s *session) error {
	s.filters[m.Filter] = m.QoS
	return nil
}

// Unsubscribed is the opposite of Subscribed.
type Unsubscribed struct{ Filter string }

func (m Unsubscribed) Handle(_ context.Context, s *session) error {
	delete(s.filters, m.Filter)
	return nil
}

// Filters asks what the session has subscribed to.
type Filters struct{}

func (Filters) Handle(_ context.Context, s *session) (map[string]byte, error) {
	return maps.Clone(s.filters), nil
}
