package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A Request is a message that is answered with an R. An error that Handle
// returns is the caller's; the server goes on.
type Request[S, R any] interface {
	Handle(ctx context.Context, s *S) (R, error)
}

// A Notice is a message that nobody waits for. An error that Handle returns
// ends the server.
type Notice[S any] interface {
	Handle(ctx context.Context, s *S) error
}

// Call sends a request and waits for the answer, under the rules of
// [process.Do]: 5 s unless ctx or the node says otherwise.
func Call[S, R any, M Request[S, R]](ctx context.Context, to Target[S], m M) (R, error) {
	c := &call[S, R, M]{msg: m}
	r, err := to.Ref(ctx)
	if err != nil {
		return c.out, err
	}
	err = process.Do(ctx, r.pid, c)
	return c.out, err
}

// Cast sends a notice. It does not wait, and to a server that has ended it does
// nothing; an error says that ctx may not send, that nobody has that name, or
// that the mailbox is full.
func Cast[S any, M Notice[S]](ctx context.Context, to Target[S], m M) error {
	r, err := to.Ref(ctx)
	if err != nil {
		return err
	}
	return process.Send(ctx, r.pid, m)
}

// Stop, returned by a handler, ends the server with that reason; nil is normal.
// From a request it is an answer as well: the caller gets what was returned
// with it, and reason too unless that is a clean one. Terminate runs first, as
// in OTP.
func Stop(reason error) error { return &stopError{reason} }

type stopError struct{ reason error }

func (e *stopError) Error() string { return fmt.Sprintf("server: stop: %v", e.reason) }

func (e *stopError) Unwrap() error { return e.reason }

// stopping turns what a handler returned into what ends the process.
func stopping(err error) error {
	if s, ok := err.(*stopError); ok {
		return process.End(s.reason)
	}
	return err
}

// request is a call as the core of a server of S sees it.
type request[S any] interface {
	process.Requester
	serve(*core[S]) error
}

// call is one request under way, with room for its answer.
type call[S, R any, M Request[S, R]] struct {
	process.Call
	msg      M
	out      R
	deferred atomic.Bool
	answered atomic.Bool // by the server, whoever still waited
}

// Message shows the request in reports and traces.
func (c *call[S, R, M]) Message() any { return c.msg }

func (c *call[S, R, M]) serve(s *core[S]) error {
	out, err := c.msg.Handle(&c.Call, s.state)
	if stop, stops := err.(*stopError); stops {
		return c.serveLast(s, out, stop.reason)
	}
	if c.deferred.Load() {
		return nil
	}
	if p := s.probe(); p != nil {
		c.show(p, s, out, err)
	}
	c.reply(out, err)
	return nil
}

// show tells package system what a handler answered.
//
//go:noinline
func (c *call[S, R, M]) show(p process.Probe, s *core[S], out R, err error) {
	e := process.Event{Kind: process.Replied, PID: process.Self(s.own), Peer: c.From(), Msg: out, Reason: err}
	e.Conceal()
	p.Event(e)
}

// serveLast ends the server with the request in hand. The answer is due after
// Terminate.
func (c *call[S, R, M]) serveLast(s *core[S], out R, reason error) error {
	var err error
	if !process.Clean(reason) {
		err = reason
	}
	if !c.deferred.Load() {
		if p := s.probe(); p != nil {
			c.show(p, s, out, err)
		}
		s.more().last = func() { c.reply(out, err) }
	}
	return process.End(reason)
}

func (c *call[S, R, M]) reply(out R, err error) bool {
	c.answered.Store(true)
	if !c.Claim() {
		return false
	}
	c.out = out
	c.Settle(err)
	return true
}

func (c *call[S, R, M]) putOff() bool {
	c.deferred.Store(true)
	return !c.answered.Load()
}

// A Reply is an answer that is still due. It may be given from anywhere, once.
type Reply[R any] struct{ c replier[R] }

type replier[R any] interface {
	reply(R, error) bool
	putOff() bool // false: it is too late
}

// Send gives the answer. It reports whether somebody still waited for it; an
// answer that nobody waits for is dropped.
func (r Reply[R]) Send(out R, err error) bool { return r.c.reply(out, err) }

// ErrNoRequest refuses what only the handler of a request can do, with the ctx
// it was given, before it is answered.
var ErrNoRequest = errors.New("server: no request in hand: use the ctx that the request's handler was given, before the answer")

// Defer puts the answer of the request in hand off: what its handler returns is
// not used, unless it stops the server. ctx is the handler's own. Whether the
// caller still waits makes no difference: the answer tells.
func Defer[R any](ctx context.Context) (Reply[R], error) {
	c := process.CallOf(ctx)
	if c == nil {
		return Reply[R]{}, ErrNoRequest
	}
	r, ok := c.Request().(replier[R])
	if !ok {
		return Reply[R]{}, fmt.Errorf("server: Defer[%T]: the request in hand, %T, has another type of answer", *new(R), c.Request())
	}
	if !r.putOff() {
		return Reply[R]{}, ErrNoRequest
	}
	return Reply[R]{r}, nil
}

// From returns the process whose request is being handled; zero if it came from
// outside any process, or if ctx is not a request's.
func From(ctx context.Context) process.PID {
	if c := process.CallOf(ctx); c != nil {
		return c.From()
	}
	return process.PID{}
}

// Monitor lets the calling server have a message of its own when another
// process ends: down makes it. See [process.Monitor].
func Monitor[S any, M Notice[S]](ctx context.Context, to process.Target, down func(process.Down) M) (process.MonitorRef, error) {
	if _, err := self[S](ctx); err != nil {
		return process.MonitorRef{}, err
	}
	return process.Monitor(ctx, to, func(d process.Down) Notice[S] { return down(d) })
}

// After lets the calling server have a message of its own when d has passed.
func After[S any, M Notice[S]](ctx context.Context, d time.Duration, m M) (*process.Timer, error) {
	if _, err := self[S](ctx); err != nil {
		return nil, err
	}
	return process.After(ctx, d, m), nil
}

// Idle lets the calling server have m if d passes without a message (OTP: a
// time-out as the last element of a callback's answer). Any message cancels it,
// it comes once, and 0 means: if the mailbox is empty. System requests are no
// messages: they neither cancel it nor start it anew.
//
// It takes the place of the Spec's IdleTimeout until the next message.
func Idle[S any, M Notice[S]](ctx context.Context, d time.Duration, m M) error {
	c, err := self[S](ctx)
	if err != nil {
		return err
	}
	c.more().idle.Swap(process.After(ctx, d, m)).Stop()
	return nil
}

// Continue lets the calling server handle m next, before anything in its
// mailbox (OTP: {continue, M}). Several are handled in order.
func Continue[S any, M Notice[S]](ctx context.Context, m M) error {
	c, err := self[S](ctx)
	if err != nil {
		return err
	}
	c.more().todo.add(m)
	return nil
}

// continuations is what a server handles before its mailbox.
type continuations struct {
	n  atomic.Int32
	mu sync.Mutex
	l  []any
}

func (t *continuations) any() bool { return t.n.Load() > 0 }

func (t *continuations) add(m any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.l = append(t.l, m)
	t.n.Add(1)
}

func (t *continuations) next() (m any, ok bool) {
	if !t.any() {
		return nil, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	m, t.l = t.l[0], t.l[1:]
	t.n.Add(-1)
	return m, true
}
