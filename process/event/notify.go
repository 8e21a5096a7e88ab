package event

import (
	"context"

	"github.com/coppice-go/coppice/process"
)

// notice is an event on its way.
type notice[E any] struct{ event E }

// Message shows the event in reports and traces.
func (n notice[E]) Message() any { return n.event }

// Notify sends an event to all handlers. It does not wait, and to a manager that
// has ended it does nothing.
func (m Manager[E]) Notify(ctx context.Context, ev E) error {
	return process.Send(ctx, m.pid, notice[E]{ev})
}

// SyncNotify is Notify, and returns when every handler has handled the event.
// There is no time-out but ctx's own.
func (m Manager[E]) SyncNotify(ctx context.Context, ev E) error {
	return process.Do(patiently(ctx), m.pid, &syncNotice[E]{event: ev})
}

// Notify is [Manager.Notify] for any target. The compiler does not find out E
// from an event that merely implements it, so that it has to be named then:
// event.Notify[Change](ctx, key, opened{}).
func Notify[E any](ctx context.Context, to Target[E], ev E) error {
	m, err := to.Ref(ctx)
	if err != nil {
		return err
	}
	return m.Notify(ctx, ev)
}

// SyncNotify is [Manager.SyncNotify] for any target.
func SyncNotify[E any](ctx context.Context, to Target[E], ev E) error {
	m, err := to.Ref(ctx)
	if err != nil {
		return err
	}
	return m.SyncNotify(ctx, ev)
}

// A Request is a message to one handler, whose state is an S, that is answered
// with an R: the same that servers take. An error that Handle returns is the
// caller's, and the handler stays; one that panics is gone, and the caller gets
// a [*HandlerError]. [Remove] and [Become] go with an answer.
type Request[S, R any] interface {
	Handle(ctx context.Context, s *S) (R, error)
}

// Call sends a request to the handler with that ID and waits for the answer,
// under the rules of [process.Do]: 5 s unless ctx or the node says otherwise. If
// the manager has none, or its state is no S, that is a [*HandlerError] too.
func Call[E, S, R any, M Request[S, R]](ctx context.Context, to Target[E], id string, m M) (R, error) {
	c := &call[E, S, R, M]{id: id, msg: m}
	ref, err := to.Ref(ctx)
	if err != nil {
		return c.out, err
	}
	err = process.Do(ctx, ref.pid, c)
	return c.out, err
}

// request is what a manager of E is asked.
type request[E any] interface {
	process.Requester
	serve(ctx context.Context, m *manager[E])
}

type syncNotice[E any] struct {
	process.Call
	event E
}

func (n *syncNotice[E]) Message() any { return n.event }

func (n *syncNotice[E]) serve(_ context.Context, m *manager[E]) {
	m.each(n.event, func(h *slot[E]) error { return h.code.on(m.own, n.event) })
	n.Reply(nil, nil)
}

type call[E, S, R any, M Request[S, R]] struct {
	process.Call
	id  string
	msg M
	out R
}

// Message shows the request in reports and traces.
func (c *call[E, S, R, M]) Message() any { return c.msg }

func (c *call[E, S, R, M]) handler() string { return c.id }

// serve answers, from as high up on the stack as can be: to wake who waits takes
// some of it.
func (c *call[E, S, R, M]) serve(ctx context.Context, m *manager[E]) {
	out, err := c.handle(ctx, m)
	if c.Claim() {
		c.out = out
		c.Settle(err)
	}
}

func (c *call[E, S, R, M]) handle(ctx context.Context, m *manager[E]) (out R, err error) {
	h := m.find(c.id)
	if h == nil {
		return out, noHandler(c.id)
	}
	s, err := stateOf[E, S](h)
	if err != nil {
		return out, err
	}
	err = guard(func() (err error) { out, err = c.msg.Handle(ctx, s); return err })
	return out, m.answered(h, err, c.msg)
}

// answered does what a request returned for its handler, and gives the error
// that is for the caller.
func (m *manager[E]) answered(h *slot[E], err error, msg any) error {
	switch e := err.(type) {
	case *process.PanicError:
		m.settle(h, err, msg)
		return &HandlerError{h.id, err}
	case *removal:
		m.settle(h, err, msg)
		if e.reason == nil {
			return nil
		}
		return &HandlerError{h.id, e.reason}
	case *becoming:
		m.settle(h, err, msg)
		return nil
	}
	return err
}

// question is what is asked of the manager itself.
type question[E, R any] struct {
	process.Call
	text   string // for tracers
	do     func(context.Context, *manager[E]) (R, error)
	answer R
}

func (q *question[E, R]) String() string { return q.text }

func (q *question[E, R]) serve(ctx context.Context, m *manager[E]) {
	r, err := q.do(ctx, m)
	if q.Claim() {
		q.answer = r
		q.Settle(err)
	}
}

// ask lets a manager do something and waits for it. Handlers may be slow, so
// there is no time-out but ctx's own, as in OTP.
func ask[E, R any](ctx context.Context, to Target[E], text string, do func(context.Context, *manager[E]) (R, error)) (R, error) {
	q := &question[E, R]{text: text, do: do}
	ref, err := to.Ref(ctx)
	if err != nil {
		return q.answer, err
	}
	err = process.Do(patiently(ctx), ref.pid, q)
	return q.answer, err
}

// order is ask for what has no answer but an error.
func order[E any](ctx context.Context, to Target[E], text string, do func(context.Context, *manager[E]) error) error {
	_, err := ask(ctx, to, text, func(ctx context.Context, m *manager[E]) (struct{}, error) { return struct{}{}, do(ctx, m) })
	return err
}

func patiently(ctx context.Context) context.Context {
	return process.WithCallTimeout(ctx, process.Infinity)
}
