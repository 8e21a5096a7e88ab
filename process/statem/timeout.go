package statem

import (
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A Timeout names one of a machine's time-outs. Any string is a name of a time-out of its
// own (OTP's generic time-outs), which runs until it fires, is started again or is
// cancelled, whatever events and states come and go:
//
//	const retry statem.Timeout = "retry"
//
//	t.Timeout(retry, time.Second, dial{})
//
// Two names have a rule of their own.
type Timeout string

const (
	// EventTimeout ends with the next event, whatever it is and wherever it
	// comes from: it is for "nothing happened".
	EventTimeout Timeout = "event time-out"

	// StateTimeout ends when the state changes: it is for "we are still here".
	// A handler that returns its own state, or asks for [Turn.Repeat], keeps
	// it. The Timeout of a [State] is this one.
	StateTimeout Timeout = "state time-out"
)

// An Op is what a [Change] does.
type Op int

const (
	Start   Op = iota // start, or start again, to fire After a while
	StartAt           // the same, to fire At a point in time
	Update            // replace the event; a time-out that does not run is started with no delay
	Cancel            // end it, if it runs
)

func (o Op) String() string {
	return [...]string{"start", "start at", "update", "cancel"}[o]
}

// A Change is one thing that a handler asked for a time-out.
type Change[E any] struct {
	Which Timeout
	Op    Op
	After time.Duration
	At    time.Time
	Event E
}

// An armed time-out will deliver its item: when the runner's timer fires, or,
// if it was started with no delay, as soon as no other event is ahead.
type armed[E any] struct {
	which Timeout
	item  item[E]
	after time.Duration
	zero  bool           // it needs no timer
	timer *process.Timer // the runner's; nil: not started yet
}

// change carries out what a handler asked for one time-out. Of a StartAt, the
// runner has filled in After.
func (m *rule[E]) change(c *Change[E]) {
	it := item[E]{event: c.Event}
	switch c.Op {
	case Start:
		if c.After == process.Infinity { // what never fires does not run
			m.stop(c.Which)
			return
		}
		m.start(armed[E]{which: c.Which, item: it, after: c.After, zero: c.After <= 0})
	case StartAt:
		m.start(armed[E]{which: c.Which, item: it, after: c.After})
	case Update:
		if i := m.running(c.Which); i >= 0 {
			m.timeouts[i].item = it
			return
		}
		m.start(armed[E]{which: c.Which, item: it, zero: true})
	case Cancel:
		m.stop(c.Which)
	default:
		panic("statem: unknown Op")
	}
}

// start arms a time-out, instead of the one of that name that may run.
func (m *rule[E]) start(a armed[E]) {
	m.stop(a.which)
	m.timeouts = append(m.timeouts, a)
}

// stop ends a time-out; one that does not run is fine.
func (m *rule[E]) stop(which Timeout) {
	i := m.running(which)
	if i < 0 {
		return
	}
	if t := m.timeouts[i].timer; t != nil {
		m.stopped = append(m.stopped, t)
	}
	m.drop(i)
}

// fire takes the item of a time-out that has run off. It reports false if the
// time-out does not run (any more).
func (m *rule[E]) fire(which Timeout) (it item[E], ok bool) {
	i := m.running(which)
	if i < 0 {
		return it, false
	}
	it = m.timeouts[i].item
	m.drop(i)
	return it, true
}

// due fires the oldest of those without delay.
func (m *rule[E]) due() (it item[E], ok bool) {
	for i := range m.timeouts {
		if m.timeouts[i].zero {
			return m.fire(m.timeouts[i].which)
		}
	}
	return it, false
}

// drop takes a time-out off the list.
func (m *rule[E]) drop(i int) {
	if m.timeouts = slices.Delete(m.timeouts, i, i+1); len(m.timeouts) == 0 {
		m.timeouts = emptied(m.timeouts)
	}
}

// running finds a time-out. A machine has a handful at most, so a list is both
// smaller and faster than a map.
func (m *rule[E]) running(which Timeout) int {
	for i := range m.timeouts {
		if m.timeouts[i].which == which {
			return i
		}
	}
	return -1
}

// readClock says of the time-outs for a point in time after how long that is.
func (fx *Effects[E]) readClock() {
	if fx == nil {
		return
	}
	for i := range fx.Timeouts {
		if c := &fx.Timeouts[i]; c.Op == StartAt {
			c.After = max(0, time.Until(c.At))
		}
	}
}

// fired is the message of a time-out's timer.
func (t Timeout) fired() any {
	switch t { // the two that most machines have cost no memory
	case StateTimeout:
		return fired{StateTimeout}
	case EventTimeout:
		return fired{EventTimeout}
	}
	return fired{t}
}
