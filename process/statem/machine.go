package statem

import (
	"time"

	"github.com/coppice-go/coppice/process"
)

// This file is the whole rule of a state machine: given one event, whether its
// handler named another state and what it asked for, it says which event comes
// next and which timers run. It calls nobody, reads no clock and starts
// nothing; runner.go does.

// An item is one thing for a handler: an event, or the end of the time-out
// that the table gives to a state.
type item[E any] struct {
	event   E
	expired bool // the table's time-out; there is no event
}

// A rule is what is to come for one process, besides its mailbox.
type rule[E any] struct {
	ahead     []item[E]        // to be handled before the mailbox is read; the next one is last
	postponed []item[E]        // put aside until the state changes, oldest first
	timeouts  []armed[E]       // those that run, in order of start
	stopped   []*process.Timer // of others, for the runner to stop
}

// begin is the first transition: into the state that Init named. limit is the
// table's time-out of that state; 0: none.
func (m *rule[E]) begin(limit time.Duration, fx *Effects[E]) {
	m.arm(limit)
	m.follow(fx)
}

// transition ends the handling of one event. Its handler has named a state,
// another one if changed, which then has this limit; fx is what it, and the
// Enter that followed, asked for; nil: nothing.
//
// The order of what comes after is OTP's: events inserted in this turn, in the
// order they were given; after a change of state the postponed ones, oldest
// first; what was ahead before; time-outs without delay; the mailbox.
func (m *rule[E]) transition(ev item[E], changed bool, limit time.Duration, fx *Effects[E]) {
	if fx != nil && fx.Postponed {
		m.postponed = append(m.postponed, ev)
	}
	m.stop(EventTimeout) // any event ends it, wherever it came from
	if changed {
		m.retry()
		m.stop(StateTimeout)
		m.arm(limit)
	}
	m.follow(fx)
}

// follow carries out the rest of what was asked for. The last word on each
// time-out counts: "start, then update" in one turn is "update".
func (m *rule[E]) follow(fx *Effects[E]) {
	if fx == nil {
		return
	}
	for i := range fx.Timeouts {
		if c := &fx.Timeouts[i]; !mentions(fx.Timeouts[i+1:], c.Which) {
			m.change(c)
		}
	}
	for i := len(fx.Inserted) - 1; i >= 0; i-- {
		m.ahead = append(m.ahead, item[E]{event: fx.Inserted[i]})
	}
}

// retry puts the postponed events in front of all others.
func (m *rule[E]) retry() {
	for i := len(m.postponed) - 1; i >= 0; i-- {
		m.ahead = append(m.ahead, m.postponed[i])
	}
	m.postponed = emptied(m.postponed)
}

// arm starts the time-out that the table gives to a state. It is the state
// time-out: what the handler or Enter say about that one replaces it.
func (m *rule[E]) arm(limit time.Duration) {
	if limit > 0 {
		m.start(armed[E]{which: StateTimeout, after: limit, item: item[E]{expired: true}})
	}
}

// next gives what is to be handled before the mailbox is read again.
func (m *rule[E]) next() (it item[E], ok bool) {
	n := len(m.ahead) - 1
	if n < 0 {
		return m.due()
	}
	it, m.ahead[n] = m.ahead[n], it
	if m.ahead = m.ahead[:n]; n == 0 {
		m.ahead = emptied(m.ahead)
	}
	return it, true
}

// isDone reports whether nothing is to come.
func (m *rule[E]) isDone() bool { return len(m.ahead)+len(m.postponed)+len(m.timeouts) == 0 }

// mentions reports whether a time-out is changed in a list.
func mentions[E any](list []Change[E], which Timeout) bool {
	for i := range list {
		if list[i].Which == which {
			return true
		}
	}
	return false
}

// emptied returns a list without what it held. Its space is kept for the next
// turn, unless that is much: the machine may now rest for long.
//
//go:noinline
func emptied[T any](list []T) []T {
	const much = 16
	if cap(list) > much {
		return nil
	}
	clear(list)
	return list[:0]
}
