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
	zero  bool
}

// An order tells the runner to stop or to start a real timer. Time-outs
// without delay never need one.
type order struct {
	which Timeout
	stop  bool
	after time.Duration
	at    time.Time // if not zero, instead of after
}

// change carries out what a handler asked for one time-out.
func (m *rule[S, E]) change(c Change[E]) {
	it := item[E]{event: c.Event}
	switch c.Op {
	case Start:
		m.start(order{which: c.Which, after: c.After}, it)
	case StartAt:
		m.start(order{which: c.Which, at: c.At}, it)
	case Update:
		if i := m.running(c.Which); i >= 0 {
			m.timeouts[i].item = it
			return
		}
		m.start(order{which: c.Which}, it)
	case Cancel:
		m.stop(c.Which)
	default:
		panic("statem: unknown Op")
	}
}

// start arms a time-out, instead of the one of that name that may run. One
// that never fires is one that does not run.
func (m *rule[S, E]) start(o order, it item[E]) {
	m.stop(o.which)
	if o.after == process.Infinity {
		return
	}
	zero := o.at.IsZero() && o.after <= 0
	m.timeouts = append(m.timeouts, armed[E]{o.which, it, zero})
	if zero {
		m.due = append(m.due, o.which)
		return
	}
	m.orders = append(m.orders, o)
}

// stop ends a time-out; one that does not run is fine.
func (m *rule[S, E]) stop(which Timeout) {
	a, ok := m.take(which)
	if ok && !a.zero {
		m.orders = append(m.orders, order{which: which, stop: true})
	}
}

// fire takes the item of a time-out that has run off. It reports false if the
// time-out does not run (any more).
func (m *rule[S, E]) fire(which Timeout) (item[E], bool) {
	a, ok := m.take(which)
	return a.item, ok
}

// take removes a time-out from all lists.
func (m *rule[S, E]) take(which Timeout) (armed[E], bool) {
	i := m.running(which)
	if i < 0 {
		return armed[E]{}, false
	}
	a := m.timeouts[i]
	m.timeouts = slices.Delete(m.timeouts, i, i+1)
	if a.zero {
		i = slices.Index(m.due, which)
		m.due = slices.Delete(m.due, i, i+1)
	}
	return a, true
}

// running finds a time-out. A machine has a handful at most, so a list is both
// smaller and faster than a map.
func (m *rule[S, E]) running(which Timeout) int {
	return slices.IndexFunc(m.timeouts, func(a armed[E]) bool { return a.which == which })
}
