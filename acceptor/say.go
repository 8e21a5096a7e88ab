package acceptor

import (
	"context"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// What a listener says, and what can be done about it. These lines may be due
// ten thousand times a second, so each is written at once and then at most once
// a minute; "times" in a line is how often that has happened since the line
// before it, itself included. The gate writes what is still owed when the minute
// is over, or when the listener stops: no line is lost, and the sum of times is
// exact.
const (
	textFull     = "connection refused: the listener is full (MaxConnections, SetMax)"
	textRate     = "connection refused: too many in a short time (Rate, Burst)"
	textDenied   = "connection refused: Access denies its address"
	textFailed   = "connection refused: its process did not start"
	textShed     = "connection refused: out of file descriptors (raise ulimit -n, or set MaxConnections below it)"
	textStarved  = "out of file descriptors or memory: accepting waits (raise ulimit -n, or set MaxConnections below it)"
	textNoMemory = "out of memory for datagrams: reading waits (net.core.rmem_max, Socket.ReadBuffer)"
	textAgain    = "connections are accepted again"
	textReserve  = "no descriptor can be kept in reserve: out of descriptors, clients would wait and not be told"
	textBusy     = "alarm: its Callback is not called again, for it has not returned yet"
	textBlind    = "silent connections keep their readers: it cannot be waited for them all at once"
	textUncalled = "alarm: its Callback could not be called"

	lineEvery = time.Minute
)

// A line is one of the texts, as it was due last.
type line struct {
	throttle
	level  process.Level
	reason error
	more   details
}

// say writes a line, now or when it may be written again.
func (l *listener) say(ctx context.Context, level process.Level, text string, reason error, more details) {
	l.mu.Lock()
	s := l.said[text]
	if s == nil {
		s = &line{throttle: throttle{every: lineEvery}}
		l.said[text] = s
	}
	s.level, s.reason, s.more = level, reason, more
	times, ok := s.allow(time.Now())
	owing := !ok && !l.owing
	l.owing = l.owing || owing
	l.mu.Unlock()
	if ok {
		l.emit(ctx, level, text, reason, append(more, detail{"times", times}))
	}
	if owing {
		// A gate that is being restarted looks by itself.
		_ = server.Cast(ctx, l, owed{})
	}
}

// settle writes the lines that are owed: those that are due, or all. It returns
// when the next one is due; zero: none is owed.
func (l *listener) settle(ctx context.Context, now time.Time, all bool) (next time.Time) {
	l.mu.Lock()
	var due map[string]line
	for text, s := range l.said {
		if times := s.rest(now, all); times > 0 {
			if due == nil {
				due = make(map[string]line)
			}
			due[text] = line{level: s.level, reason: s.reason, more: append(s.more[:len(s.more):len(s.more)], detail{"times", times})}
		}
		next = earlier(next, s.owed())
	}
	l.owing = !next.IsZero()
	l.mu.Unlock()
	for text, s := range due {
		l.emit(ctx, s.level, text, s.reason, s.more)
	}
	return next
}

// owed tells the gate that there are lines to be written later.
type owed struct{}

func (owed) Handle(ctx context.Context, g *gate) error { return g.step(ctx) }

// A throttle lets one line out of many through, and counts the others.
type throttle struct {
	every  time.Duration
	last   time.Time // of the line that went through
	missed int       // since then
}

// allow reports whether a line may be written now, and for how many times it
// stands.
func (t *throttle) allow(now time.Time) (times int, ok bool) {
	if !t.last.IsZero() && now.Sub(t.last) < t.every {
		t.missed++
		return 0, false
	}
	times, t.missed, t.last = t.missed+1, 0, now
	return times, true
}

// rest returns for how many times a line is to be written that only tells of
// those that were not; 0: it is not due yet, unless all are.
func (t *throttle) rest(now time.Time, all bool) (times int) {
	if t.missed == 0 || !all && now.Sub(t.last) < t.every {
		return 0
	}
	times, t.missed, t.last = t.missed, 0, now
	return times
}

// owed is when that line is due; zero: there is nothing to tell.
func (t *throttle) owed() time.Time {
	if t.missed == 0 {
		return time.Time{}
	}
	return t.last.Add(t.every)
}

func (l *listener) emit(ctx context.Context, level process.Level, text string, reason error, more details) {
	l.mu.Lock()
	addr := l.bound.at
	l.mu.Unlock()
	d := append(details{{"listener", l.spec.Name}, {"address", addr}}, more...)
	process.Emit(ctx, process.Event{Kind: process.Network, Level: level, Text: text, Reason: reason, Detail: d})
}

// tellClosed tells tracers of the end of a connection.
func (l *listener) tellClosed(ctx context.Context, m process.Down, e entry, class string) {
	d := details{{"listener", l.spec.Name}, {"class", class}, {"remote", e.conn.RemoteAddr()}}
	process.Emit(ctx, process.Event{Kind: process.Network, Text: "connection closed", Peer: m.PID, Reason: m.Reason, Detail: d})
}

// details are what an event says beyond its text.
type (
	details []detail
	detail  struct {
		key   string
		value any
	}
)

// Each makes details a process.Detail.
func (d details) Each(f func(key string, value any)) {
	for _, e := range d {
		f(e.key, e.value)
	}
}
