package acceptor

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// enter asks the gate, waiting for the answer as long as it takes.
func (l *listener) enter(ctx context.Context, accepted bool) (verdict, error) {
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
func (p *port) take(ctx context.Context, raw net.Conn, permit bool, conns shard) error {
	l, s := p.l, p.l.settings()
	l.accepted.Add(1)
	switch {
	case p.closed.Load():
		l.refuse(ctx, raw, Closing, nil)
		return nil
	case !p.spare(ctx):
		l.refuse(ctx, raw, Starved, nil)
		p.spare(ctx)
		return nil
	case l.denies(raw.RemoteAddr()):
		l.refuse(ctx, raw, Denied, nil)
		return nil
	case !s.meter.allow(time.Now()):
		l.refuse(ctx, raw, RateLimited, nil)
		return nil
	}
	if !permit {
		v, err := l.enter(ctx, true)
		switch {
		case err != nil:
			l.refuse(ctx, raw, Closing, err)
			return err
		case v != granted:
			l.refuse(ctx, raw, Full, nil)
			return nil
		}
	}
	p.serve(ctx, raw, conns)
	return nil
}

// serve starts the process of a connection that has a permission.
func (p *port) serve(ctx context.Context, raw net.Conn, conns shard) {
	l := p.l
	if l.dry.CompareAndSwap(true, false) {
		l.say(ctx, process.LevelInfo, textAgain, nil, nil)
	}
	// The port may be told to close now, but this one was let in.
	ctx = process.Uninterrupted(ctx)
	in := &arrival{raw: raw, by: process.Self(ctx)}
	_, err := supervisor.StartOne(ctx, conns, in)
	switch {
	case err == nil:
	case !l.giveUp(in): // it began, and has ended since
	case errors.Is(err, process.ErrIgnore):
		l.refuse(ctx, raw, Ignored, nil)
	default:
		l.refuse(ctx, raw, Failed, err)
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
