package acceptor

import (
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A ledger is the count of a listener's connections, and of the permissions to
// accept one that its acceptors hold. The two together are never more than
// MaxConnections: a connection begins by taking over its acceptor's permission,
// in one step, and without one it does not begin.
//
// It knows no processes, only their names, and no clock.
type ledger struct {
	limits
	spread    bool          // there are several sockets, each with acceptors of its own
	open      int           // connections that count
	uncounted int           // those that asked not to
	holders   []process.PID // acceptors that have a permission
	brake     brake
}

// limits are what a ledger keeps to.
type limits struct {
	max, soft int // 0: none
	pause     time.Duration
	overflow  Overflow
}

// A verdict is the answer to an acceptor.
type verdict int

const (
	wait    verdict = iota // there is no answer yet
	granted                // it may accept one, or serve the one that it has accepted
	forward                // it may accept one, and asks again with it in hand
	refused                // the listener is full: what it has accepted is to be refused
)

func (v verdict) String() string { return [...]string{"wait", "granted", "forward", "refused"}[v] }

// ask answers an acceptor, which has accepted a connection already, or not.
//
// Who has a permission before it accepts keeps others from it meanwhile. That
// does no harm if they all wait for the same connections, and none is to be
// refused for it.
func (g *ledger) ask(who process.PID, accepted bool, now time.Time) verdict {
	switch {
	case slices.Contains(g.holders, who): // it did not get a connection to its process
		return granted
	case !accepted && (g.overflow == Refuse || g.spread):
		if g.overflow == Wait && g.max > 0 && g.open >= g.max || g.slowed(now) {
			return wait
		}
		return forward
	case g.full() && g.overflow == Refuse:
		return refused
	case g.full(), !accepted && g.slowed(now):
		return wait
	}
	g.holders = append(g.holders, who)
	return granted
}

// full reports whether no more permissions can be given.
func (g *ledger) full() bool { return g.max > 0 && g.open+len(g.holders) >= g.max }

// slowed reports whether new connections should wait in the operating system's
// queue for a while. Below the soft limit as many acceptors as there is room
// for accept, and the others stay behind them.
func (g *ledger) slowed(now time.Time) bool {
	switch {
	case g.soft == 0:
		return false
	case g.open >= g.soft:
		return g.brake.closed(now, g.pause)
	}
	g.brake.release()
	return g.overflow == Wait && !g.spread && g.open+len(g.holders) >= g.soft
}

// opens is when those who wait should ask again though nothing has changed;
// zero: never.
func (g *ledger) opens() time.Time {
	if g.soft == 0 || g.open < g.soft || g.pause < 0 || g.full() && g.overflow == Wait {
		return time.Time{}
	}
	return g.brake.opens(g.pause)
}

// claim makes a connection of a permission; false: by has none.
func (g *ledger) claim(by process.PID, counts bool) bool {
	if !slices.Contains(g.holders, by) {
		return false
	}
	g.release(by)
	g.add(counts, 1)
	return true
}

// leave is the end of a connection.
func (g *ledger) leave(counts bool) { g.add(counts, -1) }

// uncount stops counting a connection.
func (g *ledger) uncount() { g.open--; g.uncounted++ }

func (g *ledger) add(counts bool, n int) {
	if counts {
		g.open += n
	} else {
		g.uncounted += n
	}
}

// all is how many connections there are.
func (g *ledger) all() int { return g.open + g.uncounted }

// release takes a permission back.
func (g *ledger) release(who process.PID) {
	g.holders = slices.DeleteFunc(g.holders, func(p process.PID) bool { return p == who })
}

// A brake slows down a listener above its soft limit: it pauses, and then takes
// who has come, for a tenth of the pause.
type brake struct{ since time.Time } // when the pause began; zero: there is none

// closed reports whether nobody should be accepted, and begins a pause when one
// is due.
func (b *brake) closed(now time.Time, pause time.Duration) bool {
	if pause < 0 { // until there is room
		return true
	}
	if b.since.IsZero() || now.Sub(b.since) >= pause+pause/10 {
		b.since = now
	}
	return now.Sub(b.since) < pause
}

// opens is when the pause is over; zero: there is none.
func (b *brake) opens(pause time.Duration) time.Time {
	if b.since.IsZero() {
		return time.Time{}
	}
	return b.since.Add(pause)
}

func (b *brake) release() { b.since = time.Time{} }
