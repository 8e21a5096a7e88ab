package process

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// System has another process run f between two of its turns, ahead of whatever
// is in its mailbox (OTP: system messages, module sys). f gets that process's
// ctx and behaviour, which it may look at and change: nobody else touches them
// meanwhile. A panic in f is returned, and does not end the process.
//
// A process that is inside a handler cannot answer. If it is there for longer
// than the call's time, under the rules of [Do], the error is a [*BusyError].
func System(ctx context.Context, to Target, f func(ctx context.Context, b Behaviour) error) error {
	self, p, err := pair(ctx, to)
	if err != nil {
		return err
	}
	if err := self.mayCall(p); err != nil {
		return err
	}
	began := p.node.since()
	err = self.do(ctx, p, &systemRequest{f: f}, envSystem)
	if errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
		return &BusyError{PID: PID{p}, For: p.node.since() - began, Stack: PID{p}.Stack(), Err: err}
	}
	return err
}

// A systemRequest is a function to run in a process.
type systemRequest struct {
	Call
	f func(context.Context, Behaviour) error
}

// A BusyError says that a process did not come out of a handler in time to
// answer a system request, and where it is.
type BusyError struct {
	PID   PID
	For   time.Duration // at least
	Stack string        // of its goroutine
	Err   error         // the time-out
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("process %v is busy in a handler, for %v at least: %v", e.PID, e.For, e.Err)
}

func (e *BusyError) Unwrap() error { return e.Err }

// Suspend lets a process take nothing from its mailbox until [Resume] (OTP:
// sys:suspend). It still answers system requests, and can be ended by its
// parent, by [Stop] and by signals. Suspending twice changes nothing.
func Suspend(ctx context.Context, to Target) error { return setSuspended(ctx, to, true) }

// Resume ends a suspension.
func Resume(ctx context.Context, to Target) error { return setSuspended(ctx, to, false) }

func setSuspended(ctx context.Context, to Target, on bool) error {
	_, p, err := pair(ctx, to)
	if err != nil {
		return err
	}
	return System(ctx, PID{p}, func(context.Context, Behaviour) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.setMark(attSuspended, on)
		return nil
	})
}

func (p *proc) suspended() bool { return p.marked(attSuspended) }

// attend does what comes before the next message. It reports something if the
// mailbox is next; otherwise the same as next.
func (p *proc) attend(rest state) found {
	for {
		p.mu.Lock()
		switch {
		case p.doomed():
			p.mu.Unlock()
			return doom
		case p.marked(attSystem):
			x := p.x
			r := x.system[0]
			x.system = x.system[1:]
			p.setMark(attSystem, len(x.system) > 0)
			p.mu.Unlock()
			p.serve(r)
			continue
		case !p.suspended():
			p.mu.Unlock()
			return something
		case p.told || p.x != nil && p.x.stopping != nil:
			p.mu.Unlock()
			return stopped
		}
		p.state = rest
		p.mu.Unlock()
		return nothing
	}
}

// serve runs a system request.
func (p *proc) serve(r *systemRequest) {
	err := errGone
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v, 1)
		}
		r.Reply(nil, err)
	}()
	err = r.f(p, p.b)
}

// errGone answers a system request whose function called runtime.Goexit.
var errGone = errors.New("process: the function of the system request did not return")
