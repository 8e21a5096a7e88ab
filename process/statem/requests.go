package statem

import (
	"context"

	"github.com/coppice-go/coppice/process"
)

// A Pending is an answer that is still to come. Wait for it, have it as an
// event with [Notify], collect several in a [process.Gather], or leave it.
type Pending[R any] struct {
	p    *process.Pending
	slot *slot[R]
	err  error // why there was nobody to ask
}

// SendRequest sends a request and does not wait (OTP: send_request). Whatever
// goes wrong, from an unknown name on, is told to those who wait. It has no
// time-out of its own; it ends at the latest with the machine.
func SendRequest[E, R any](ctx context.Context, to Target[E], q Request[E, R]) Pending[R] {
	m := new(request[E, R])
	m.ev = q.With(Reply[R]{&m.slot})
	ref, err := to.Ref(ctx)
	if err != nil {
		ref = Ref[E]{} // nobody: the request ends at once
	}
	return Pending[R]{process.Begin(ctx, ref.pid, m), &m.slot, err}
}

// Wait waits for the answer, as long as [Call] would. When it gives up, the
// request stays under way: it can be waited for again.
func (p Pending[R]) Wait(ctx context.Context) (R, error) { return p.answer(p.p.Wait(ctx)) }

// Abandon gives the request up: a late answer reaches nobody. The machine
// handles it all the same. It reports false if the request had ended.
func (p Pending[R]) Abandon() bool { return p.p.Abandon() }

// Under returns the request without its type, for a [process.Gather].
func (p Pending[R]) Under() *process.Pending { return p.p }

func (p Pending[R]) answer(err error) (R, error) {
	if p.err != nil {
		return *new(R), p.err
	}
	if done, _ := p.p.Poll(); !done { // it may still be written to
		return *new(R), err
	}
	return p.slot.answer, err
}

// Notify lets the calling machine have the answer as an event of its own, which
// as makes when its turn has come. So a machine asks another one and goes on
// meanwhile. The event arrives in order with whatever else the asked one sends;
// of a request that was abandoned there is none.
func Notify[E, R any](ctx context.Context, p Pending[R], as func(R, error) E) error {
	if _, err := As[E](process.Self(ctx)); err != nil {
		return err
	}
	feed, err := process.NewFeed(ctx)
	if err != nil {
		return err
	}
	p.p.Then(func() {
		if _, err := p.p.Poll(); err != process.ErrAbandoned {
			// It is refused only when there is nobody left to read it.
			_ = feed.Send(ctx, func() any { return as(p.answer(err)) })
		}
	})
	return nil
}
