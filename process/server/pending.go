package server

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// A Pending is an answer that is still to come. Wait for it, have it sent to
// oneself with [Notify], collect several in [Requests], or leave it.
type Pending[R any] struct {
	p   *process.Pending
	out *R
	err error // why there was nobody to ask
}

// SendRequest sends a request and does not wait (OTP: send_request). Whatever
// goes wrong, from an unknown name on, is told to those who wait. It has no
// time-out of its own; it ends at the latest with the server.
func SendRequest[S, R any, M Request[S, R]](ctx context.Context, to Target[S], m M) Pending[R] {
	r, err := to.Ref(ctx)
	if err != nil {
		r = Ref[S]{} // nobody: the request ends at once
	}
	c := &call[S, R, M]{msg: m}
	return Pending[R]{process.Begin(ctx, r.pid, c), &c.out, err}
}

// Wait waits for the answer, as long as [Call] would. When it gives up, the
// request stays under way: it can be waited for again.
func (p Pending[R]) Wait(ctx context.Context) (R, error) { return p.answer(p.p.Wait(ctx)) }

// Abandon gives the request up: a late answer reaches nobody. The server
// handles it all the same. It reports false if the request had ended.
func (p Pending[R]) Abandon() bool { return p.p.Abandon() }

func (p Pending[R]) answer(err error) (R, error) {
	if p.err != nil {
		return *new(R), p.err
	}
	if done, _ := p.p.Poll(); !done { // it may still be written to
		return *new(R), err
	}
	return *p.out, err
}

// Notify lets the calling server have the answer as a message of its own:
// answered makes it, in the server, when its turn has come (OTP: check_response
// in handle_info). So a server can ask another and go on meanwhile. The answer
// arrives in order with whatever else the asked one sends.
func Notify[S, R any, M Notice[S]](ctx context.Context, p Pending[R], answered func(R, error) M) error {
	if _, err := self[S](ctx); err != nil {
		return err
	}
	feed, err := process.NewFeed(ctx)
	if err != nil {
		return err
	}
	p.p.Then(func() {
		if _, err := p.p.Poll(); err != process.ErrAbandoned {
			// It is refused only when there is nobody left to read it.
			_ = feed.Send(ctx, func() any { return answered(p.answer(err)) })
		}
	})
	return nil
}

// An Answer is what came of one request.
type Answer[R any] struct {
	Value R
	Err   error
}

// CallAll sends m to all of them at once and waits for every answer, with one
// time limit for the lot, that of [Call] (OTP: multi_call). The answers are in
// the order of to; those that did not come in time are errors, and abandoned.
func CallAll[S, R any, M Request[S, R], T Target[S]](ctx context.Context, to []T, m M) []Answer[R] {
	if limit := process.CallTimeout(ctx); limit > 0 {
		late := fmt.Errorf("server: call of %T to %d servers was not answered by all within %v: %w", m, len(to), limit, process.ErrTimeout)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, late)
		defer cancel()
	}
	sent := make([]Pending[R], len(to))
	for i, t := range to {
		sent[i] = SendRequest(ctx, t, m)
	}
	answers := make([]Answer[R], len(to))
	for i, p := range sent {
		answers[i].Value, answers[i].Err = p.Wait(ctx)
		p.Abandon()
	}
	return answers
}
