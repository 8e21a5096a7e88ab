package acceptor

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/coppice-go/coppice/process"
)

// A Refusal says why an accepted connection was not served: the keys of
// Info.Refusals.
type Refusal string

const (
	Full        Refusal = "full"         // above MaxConnections, with Overflow Refuse
	RateLimited Refusal = "rate_limited" // above Rate and Burst
	Denied      Refusal = "denied"       // by Access
	Starved     Refusal = "starved"      // accepted with the reserve descriptor, only to be told
	Ignored     Refusal = "ignored"      // New returned process.ErrIgnore
	Failed      Refusal = "failed"       // its process did not start
	Closing     Refusal = "closing"      // the listener was being closed or suspended
)

// refusals count connections by what kept them out.
type refusals struct{ full, rate, denied, starved, ignored, failed, closing atomic.Uint64 }

func (r *refusals) of(why Refusal) *atomic.Uint64 {
	switch why {
	case Full:
		return &r.full
	case RateLimited:
		return &r.rate
	case Denied:
		return &r.denied
	case Starved:
		return &r.starved
	case Ignored:
		return &r.ignored
	case Failed:
		return &r.failed
	}
	return &r.closing
}

// counts returns the classes that there were, and their sum.
func (r *refusals) counts() (by map[Refusal]uint64, all uint64) {
	by = make(map[Refusal]uint64)
	for _, why := range []Refusal{Full, RateLimited, Denied, Starved, Ignored, Failed, Closing} {
		if n := r.of(why).Load(); n > 0 {
			by[why] = n
			all += n
		}
	}
	return by, all
}

// refuse counts a connection that will not be served, resets it, and says so. Who has
// seen the reset finds it counted.
func (l *listener) refuse(ctx context.Context, raw net.Conn, why Refusal, reason error) {
	peer := raw.RemoteAddr()
	l.refusals.of(why).Add(1)
	reset(raw)
	level, text := process.LevelWarn, ""
	switch why {
	case Full:
		text = textFull
	case RateLimited:
		text = textRate
	case Denied:
		text = textDenied
	case Starved:
		level, text = process.LevelError, textShed
	case Failed:
		level, text = process.LevelError, textFailed
	default: // New, or who closes the listener, knows
		return
	}
	l.say(ctx, level, text, reason, details{{"remote", peer}})
}

// reset closes a connection that nobody will serve, so that the peer sees a
// refusal and not an end.
func reset(raw net.Conn) {
	abort(raw)
	_ = raw.Close()
}

// abort has a connection be reset when it is closed.
func abort(raw net.Conn) {
	if tcp, ok := raw.(interface{ SetLinger(sec int) error }); ok {
		// Without it the peer sees an end; that is all.
		_ = tcp.SetLinger(0)
	}
}
