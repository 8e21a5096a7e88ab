package event

import (
	"context"

	"github.com/coppice-go/coppice/process"
)

// A Pending is an answer of a handler that is still to come.
type Pending[R any] struct {
	p   *process.Pending
	out *R
	err error // why there is nobody to ask
}

// SendRequest is [Call] that does not wait (OTP: gen_event:send_request).
// Whatever goes wrong, from an unknown name on, is told to those who wait.
func SendRequest[E, S, R any, M Request[S, R]](ctx context.Context, to Target[E], id string, m M) Pending[R] {
	c := &call[E, S, R, M]{id: id, msg: m}
	ref, err := to.Ref(ctx) // if there is nobody, ref is nobody's, and Begin says so
	return Pending[R]{p: process.Begin(ctx, ref.pid, c), out: &c.out, err: err}
}

// Wait waits for the answer, as long as [Call] would. If it gives up, the
// request stays under way: it can be waited for again.
func (p Pending[R]) Wait(ctx context.Context) (R, error) {
	if p.err != nil {
		return *new(R), p.err
	}
	return p.answer(p.p.Wait(ctx))
}

// Poll reports whether the answer, or an error in its place, is there.
func (p Pending[R]) Poll() (out R, done bool, err error) {
	if p.err != nil {
		return out, true, p.err
	}
	done, err = p.p.Poll()
	out, err = p.answer(err)
	return out, done, err
}

// answer reads what is there; while the request is under way it is still
// written to.
func (p Pending[R]) answer(err error) (R, error) {
	if done, _ := p.p.Poll(); !done {
		return *new(R), err
	}
	return *p.out, err
}

// Abandon gives the request up: a late answer reaches nobody. The handler
// handles it all the same. It reports false if the request had ended.
func (p Pending[R]) Abandon() bool { return p.p.Abandon() }

// Request returns the request itself, for a [process.Gather] of many.
func (p Pending[R]) Request() *process.Pending { return p.p }
