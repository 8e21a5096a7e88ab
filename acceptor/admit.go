package acceptor

import (
	"context"
	"errors"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// enter asks for a permission, waiting for the answer as long as it takes.
func (l *listener) enter(ctx context.Context, accepted bool) (verdict, error) {
	if v := l.pass(process.Self(ctx), accepted); v != wait {
		return v, nil
	}
	return server.Call(process.WithCallTimeout(ctx, process.Infinity), l, enter{accepted})
}

// before waits until an acceptor may accept one more connection, and reports
// whether it may also serve it: else it asks again with the connection in hand.
func (l *listener) before(ctx context.Context) (permit bool, err error) {
	s := l.settings()
	if s.Overflow == Refuse && s.SoftConnections == 0 { // there is nothing to wait for
		return false, nil
	}
	v, err := l.enter(ctx, false)
	return v == granted, err
}

// take starts the process of an accepted connection, or refuses it. The error
// is that of a gate that does not answer.
func (p *port) take(ctx context.Context, in *arrival, permit bool, conns shard) error {
	l, s := p.l, p.l.settings()
	switch {
	case p.closed.Load():
		l.leaveOver(ctx, in, nil)
		return nil
	case !p.spare(ctx):
		l.refuseArrival(ctx, in, Starved, nil)
		p.spare(ctx)
		return nil
	case in.checked:
	case l.denies(in):
		l.refuseArrival(ctx, in, Denied, nil)
		return nil
	case !s.meter.allow(time.Now()):
		l.refuseArrival(ctx, in, RateLimited, nil)
		return nil
	}
	in.checked = true
	if !permit {
		v, err := l.enter(ctx, true)
		switch {
		case err != nil:
			l.leaveOver(ctx, in, err)
			return err
		case v != granted:
			l.refuseArrival(ctx, in, Full, nil)
			return nil
		}
	}
	p.serve(ctx, in, conns)
	return nil
}

// leaveOver leaves a connection to the port that is about to be opened, or refuses
// it.
func (l *listener) leaveOver(ctx context.Context, in *arrival, reason error) {
	if !l.carry(in) {
		l.refuseArrival(ctx, in, Closing, reason)
	}
}

// refuseArrival refuses a connection that was entered with its binding.
func (l *listener) refuseArrival(ctx context.Context, in *arrival, why Refusal, reason error) {
	l.refuse(ctx, in.raw, why, reason)
	l.mu.Lock()
	l.leaveLocked(in.bound)
	l.mu.Unlock()
	l.tidy(ctx)
}

// serve starts the process of a connection that has a permission.
func (p *port) serve(ctx context.Context, in *arrival, conns shard) {
	l := p.l
	if l.dry.CompareAndSwap(true, false) {
		l.say(ctx, process.LevelInfo, textAgain, nil, nil)
	}
	// The port may be told to close now, but this one was let in.
	ctx = process.Uninterrupted(ctx)
	in.by = process.Self(ctx)
	_, err := supervisor.StartOne(ctx, conns, in)
	switch {
	case err == nil:
	case !l.giveUp(in): // it began, and has ended since
	case errors.Is(err, process.ErrIgnore):
		l.refuseArrival(ctx, in, Ignored, nil)
	default:
		l.refuseArrival(ctx, in, Failed, err)
	}
}

// spare makes sure of the reserve descriptor; false: there is none for it.
func (p *port) spare(ctx context.Context) bool {
	ok, err := p.reserve.take()
	if err != nil {
		p.l.say(ctx, process.LevelWarn, textReserve, err, nil)
	}
	return ok
}

// tolerate notes an error of Accept that does not end the acceptor, and waits
// until it may try again. Out of descriptors it waits longer each time, in case
// that it is soon over, and then lends the reserve. False: it is told to stop.
func (p *port) tolerate(ctx context.Context, err error, w *backoff) bool {
	l := p.l
	if classify(err) == onlyThisOne {
		l.aborted.Add(1)
		return sleep(ctx, firstWait) // should it be for ever, it costs little
	}
	l.starved.Add(1)
	if l.dry.CompareAndSwap(false, true) {
		w.reset()
	}
	l.say(ctx, process.LevelError, textStarved, err, nil)
	if w.last >= patience && scarce(err) && p.reserve.lend() {
		return ctx.Err() == nil
	}
	return sleep(ctx, w.next())
}
