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

// enter gets the permission to accept a connection, waiting for it as long as
// it takes; false: the listener is full, and nobody waits.
func (l *listener) enter(ctx context.Context) (bool, error) {
	return server.Call(process.WithCallTimeout(ctx, process.Infinity), l, enter{})
}

// take starts the process of an accepted connection, or refuses it. The error
// is that of a gate that does not answer.
func (l *listener) take(ctx context.Context, raw net.Conn, conns shard) error {
	l.accepted.Add(1)
	if l.dry.CompareAndSwap(true, false) {
		l.emit(ctx, process.LevelInfo, "connections are accepted again", nil, nil)
	}
	if l.spec.Overflow == Refuse {
		if ok, err := l.enter(ctx); !ok || err != nil {
			reset(raw)
			if err == nil {
				l.refused.Add(1)
				l.say(ctx, process.LevelWarn, textFull, nil)
			}
			return err
		}
	}
	// The port may be told to close now, but this one was let in.
	ctx = process.Uninterrupted(ctx)
	_, err := supervisor.StartOne(ctx, conns, &arrival{raw: raw, by: process.Self(ctx)})
	if err == nil {
		return nil
	}
	reset(raw)
	if errors.Is(err, process.ErrIgnore) {
		l.refused.Add(1)
		return nil
	}
	l.failed.Add(1)
	l.say(ctx, process.LevelError, textFailed, err)
	return nil
}

// tolerate notes an error of Accept that does not end the acceptor.
func (l *listener) tolerate(ctx context.Context, err error) {
	if classify(err) == onlyThisOne {
		l.aborted.Add(1)
		return
	}
	l.starved.Add(1)
	if l.say(ctx, process.LevelError, textStarved, err) {
		l.dry.Store(true)
	}
}

// reset closes a connection that nobody will serve, so that the peer sees a
// refusal and not an end.
func reset(raw net.Conn) {
	if tcp, ok := raw.(*net.TCPConn); ok {
		// Without it the peer sees an end; that is all.
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

// What a listener says, and what can be done about it. These lines may be due
// ten thousand times a second, so each is written at most once a minute.
const (
	textFull    = "connection refused: the listener is full (MaxConnections, SetMax)"
	textFailed  = "connection refused: its process did not start"
	textStarved = "out of file descriptors or memory: connections wait (raise ulimit -n, or set MaxConnections below it)"

	lineEvery = time.Minute
)

// say writes a line, unless it was written not long ago, and reports whether it
// did.
func (l *listener) say(ctx context.Context, level process.Level, text string, reason error) bool {
	l.mu.Lock()
	t := l.said[text]
	if t == nil {
		t = &throttle{every: lineEvery}
		l.said[text] = t
	}
	missed, ok := t.allow(time.Now())
	l.mu.Unlock()
	if ok {
		l.emit(ctx, level, text, reason, details{{"suppressed", missed}})
	}
	return ok
}

func (l *listener) emit(ctx context.Context, level process.Level, text string, reason error, more details) {
	l.mu.Lock()
	addr := l.addr
	l.mu.Unlock()
	d := append(details{{"listener", l.spec.Name}, {"address", addr}}, more...)
	process.Emit(ctx, process.Event{Kind: process.Network, Level: level, Text: text, Reason: reason, Detail: d})
}

// tellClosed tells tracers of the end of a connection.
func (l *listener) tellClosed(ctx context.Context, m process.Down, e entry, class string) {
	d := details{{"listener", l.spec.Name}, {"class", class}}
	if e.conn != nil { // else it was entered by a listener before this one
		d = append(d, details{{"peer", e.conn.RemoteAddr()}}...)
	}
	process.Emit(ctx, process.Event{Kind: process.Network, Text: "connection closed", Peer: m.PID, Reason: m.Reason, Detail: d})
}

// details are what an event says beyond its text.
type details []struct {
	key   string
	value any
}

// Each makes details a process.Detail.
func (d details) Each(f func(key string, value any)) {
	for _, e := range d {
		f(e.key, e.value)
	}
}
