package tlsconn

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// ErrNotOwner refuses to let a process give away what is not its own.
var ErrNotOwner = errors.New("tlsconn: only the owner may give the connection away")

// give asks for another owner.
type give struct {
	statem.Reply[struct{}]
	to process.PID
}

func (give) isEvent() {}

// With makes a give a request.
func (g give) With(r statem.Reply[struct{}]) event { g.Reply = r; return g }

// Give makes another process the owner (OTP: ssl:controlling_process): the
// connection ends with that one from now on. Only the owner may do so, in any
// state; the node itself is the owner of what was started with its ctx. To give
// to a process that has ended is an error, and the owner stays.
//
// Of a connection that has ended, or is about to, the error says how: errors.As
// finds the [*Fault], with state, class and cause, or the [*EndError].
func (c *Conn) Give(ctx context.Context, to process.PID) error {
	_, err := statem.Call(ctx, c.ref, give{to: to})
	if err == nil {
		return nil
	}
	if exit, ok := errors.AsType[*process.ExitError](err); ok && exit.PID == c.PID() {
		<-c.gone // it dies now, if it has not yet
		err = c.Err()
	}
	return fmt.Errorf("tlsconn: cannot give the connection to %v: %w", to, err)
}

// give handles the request.
func (l *life) give(t *statem.Turn[event], g give) error {
	watch, err := l.accept(t, g)
	if err != nil {
		t.Reply(g.Refuse(err))
		return nil
	}
	if watch != nil {
		process.Demonitor(t.Context(), l.watch)
		l.owner, l.watch = g.to, *watch
	}
	t.Reply(g.Answer(struct{}{}))
	return nil
}

// accept watches the new owner; nil: it is the old one.
func (l *life) accept(t *statem.Turn[event], g give) (*process.MonitorRef, error) {
	if end := l.c.Err(); end != nil {
		return nil, end
	}
	switch {
	case g.From() != l.owner:
		return nil, fmt.Errorf("%w: it belongs to %v, not to %v", ErrNotOwner, l.owner, g.From())
	case g.to == l.owner:
		return nil, nil
	}
	gone := &process.ExitError{PID: g.to, Name: g.to.Path(), Reason: process.ErrNoProc}
	if !g.to.Alive() {
		return nil, gone
	}
	watch, err := watchOwner(t.Context(), g.to)
	if err != nil {
		return nil, err
	}
	if !g.to.Alive() { // it ended just now: its Down is nobody's
		process.Demonitor(t.Context(), watch)
		return nil, gone
	}
	return &watch, nil
}
