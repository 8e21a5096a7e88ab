package statem

import (
	"cmp"
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// A Ref is a state machine's process that takes events of type E. It is one
// word, can be compared, and is a [process.Target].
type Ref[E any] struct{ pid process.PID }

// PID returns the process.
func (r Ref[E]) PID() process.PID { return r.pid }

// Ref returns r itself; with it a Ref is a [Target], as a typed name is.
func (r Ref[E]) Ref(context.Context) (Ref[E], error) { return r, nil }

// Resolve makes a Ref a [process.Target].
func (r Ref[E]) Resolve(ctx context.Context) (process.PID, error) { return r.pid.Resolve(ctx) }

func (r Ref[E]) String() string { return r.pid.String() }

// A Target leads to a machine that takes events of type E: a [Ref], or a
// registry key for one.
type Target[E any] interface {
	Ref(ctx context.Context) (Ref[E], error)
}

// As returns the typed Ref of a process, or an error that names the type that
// was asked for and what the process is.
func As[E any](pid process.PID) (Ref[E], error) {
	switch b := pid.Behaviour().(type) {
	case nil:
		return Ref[E]{}, pid.Gone(pid.Path())
	case process.Typed:
		ref, ok := b.TypedRef(pid).(Ref[E])
		if !ok {
			return Ref[E]{}, fmt.Errorf("statem: %v is a %T, not a %T", pid, b.TypedRef(pid), Ref[E]{})
		}
		return ref, nil
	}
	return Ref[E]{}, fmt.Errorf("statem: %v is a %s, not a %T", pid, cmp.Or(pid.Kind(), "plain process"), Ref[E]{})
}

// Cast sends an event and does not wait. A machine that has ended gets
// nothing, and that is no error; a full mailbox is.
func (r Ref[E]) Cast(ctx context.Context, ev E) error { return process.Send(ctx, r.pid, ev) }

// Cast is [Ref.Cast] for any target. The compiler does not find out E from an
// event that merely implements it, so that it has to be named:
//
//	err := statem.Cast[event](ctx, key, opened{})
func Cast[E any](ctx context.Context, to Target[E], ev E) error {
	ref, err := to.Ref(ctx)
	if err != nil {
		return err
	}
	return ref.Cast(ctx, ev)
}

// A Request is an event that is answered with an R. It is a struct with a
// field for the [Reply], and a method that fills it in:
//
//	type get struct{ statem.Reply[int] }
//
//	func (g get) With(r statem.Reply[int]) event { g.Reply = r; return g }
//
//	n, err := statem.Call(ctx, counter, get{}) // n is an int
type Request[E, R any] interface {
	With(Reply[R]) E
}

// Call sends a request and waits for its answer: until the deadline of ctx or,
// if it has none, the node's time for calls. If the machine ends, the caller
// gets a [*process.ExitError] at once. A handler may leave the answer to a
// later one, to another process, or postpone the whole request.
func Call[E, R any](ctx context.Context, to Target[E], q Request[E, R]) (R, error) {
	ref, err := to.Ref(ctx)
	if err != nil {
		return *new(R), err
	}
	m := new(request[E, R])
	m.ev = q.With(Reply[R]{&m.slot})
	if err := process.Do(ctx, ref.pid, m); err != nil {
		return *new(R), err
	}
	return m.answer, nil
}

// A request travels to the machine; its slot is what stays with the caller.
type request[E, R any] struct {
	slot[R]
	ev E
}

func (q *request[E, R]) event() E { return q.ev }

// Message is what tools show of the request.
func (q *request[E, R]) Message() any { return q.ev }

// A slot takes one answer, or none if the caller has gone.
type slot[R any] struct {
	process.Call
	answer R
}

func (s *slot[R]) call() *process.Call { return &s.Call }

// put is called by who has claimed the call. Answer made value from an R, so the
// assertion can fail for one value only: an R that is a nil interface.
func (s *slot[R]) put(value any) { s.answer, _ = value.(R) }

// A Reply is the right to answer one call, once. It can be kept, and used in a
// later turn or by another process. The zero Reply has no caller.
//
// It has no String, as that would be the String of the request that embeds it.
type Reply[R any] struct {
	slot *slot[R] `trace:"-"`
}

// Answer makes the answer v, ready to be sent.
func (r Reply[R]) Answer(v R) Answer { return r.answer(v, nil) }

// Refuse makes the answer err: the caller's [Call] returns it.
func (r Reply[R]) Refuse(err error) Answer { return r.answer(*new(R), err) }

func (r Reply[R]) answer(v R, err error) Answer {
	if r.slot == nil {
		return Answer{Value: v, Err: err}
	}
	return Answer{v, err, r.slot}
}

// From returns who waits for the answer.
func (r Reply[R]) From() process.PID {
	if r.slot == nil {
		return process.PID{}
	}
	return r.slot.From()
}

// An Answer belongs to one call. Give it to [Turn.Reply] in a handler, or send
// it at once, from anywhere.
type Answer struct {
	Value any
	Err   error

	to interface {
		call() *process.Call
		put(value any)
	}
}

// Send sends the answer now. It reports false if nobody waits for it (any
// more): the caller has got another one, has given up, or is dead.
func (a Answer) Send() bool { return a.send() }

func (a *Answer) send() bool {
	if a.to == nil {
		return false
	}
	call := a.to.call()
	if !call.Claim() {
		return false
	}
	a.to.put(a.Value)
	call.Settle(a.Err)
	return true
}

// Monitor has the machine whose ctx this is told of a process's death, once,
// by an event of its own that as makes.
func Monitor[E any](ctx context.Context, who process.Target, as func(process.Down) E) (process.MonitorRef, error) {
	if _, err := As[E](process.Self(ctx)); err != nil {
		return process.MonitorRef{}, err
	}
	return process.Monitor(ctx, who, as)
}
