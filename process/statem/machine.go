package statem

import "time"

// This file is the whole rule of a state machine: given one event, the state
// that its handler named and what the handler asked for, it says which event
// comes next and which timers run. It calls nobody, reads no clock and starts
// nothing; runner.go does.

// An item is one thing for a handler: an event, or the end of the time-out
// that the table gives to a state.
type item[E any] struct {
	event   E
	expired bool // the table's time-out; there is no event
}

// A rule is what the machine knows of one process.
type rule[S comparable, E any] struct {
	state     S
	ahead     []item[E] // to be handled before the mailbox is read; the next one is last
	postponed []item[E] // put aside until the state changes, oldest first
	timeouts  []armed[E]
	due       []Timeout // those of timeouts that have no delay, in order of start
	orders    []order   // for the runner's timers, since it last looked

	limit func(S) time.Duration // the table's time-out of a state; 0: none
}

// begin is the first transition: into the state that Init named.
func (m *rule[S, E]) begin(first S, fx *Effects[E]) {
	m.state = first
	m.arm(first)
	m.follow(fx)
}

// transition ends the handling of one event. The handler has named the state
// to go to; fx is what it, and the Enter that followed, asked for.
//
// The order of what comes after is OTP's: events inserted in this turn, in the
// order they were given; after a change of state the postponed ones, oldest
// first; what was ahead before; time-outs without delay; the mailbox.
func (m *rule[S, E]) transition(ev item[E], to S, fx *Effects[E]) {
	if fx.Postponed {
		m.postponed = append(m.postponed, ev)
	}
	m.stop(EventTimeout) // any event ends it, wherever it came from
	if to != m.state {
		m.state = to
		m.retry()
		m.stop(StateTimeout)
		m.arm(to)
	}
	m.follow(fx)
}

// follow carries out the rest of what was asked for. The last word on each
// time-out counts: "start, then update" in one turn is "update".
func (m *rule[S, E]) follow(fx *Effects[E]) {
	for i, c := range fx.Timeouts {
		if !mentions(fx.Timeouts[i+1:], c.Which) {
			m.change(c)
		}
	}
	for i := len(fx.Inserted) - 1; i >= 0; i-- {
		m.ahead = append(m.ahead, item[E]{event: fx.Inserted[i]})
	}
}

// retry puts the postponed events in front of all others.
func (m *rule[S, E]) retry() {
	for i := len(m.postponed) - 1; i >= 0; i-- {
		m.ahead = append(m.ahead, m.postponed[i])
	}
	clear(m.postponed)
	m.postponed = m.postponed[:0]
}

// arm starts the time-out that the table gives to a state. It is the state
// time-out: what the handler or Enter say about that one replaces it.
func (m *rule[S, E]) arm(s S) {
	if d := m.limit(s); d > 0 {
		m.start(order{which: StateTimeout, after: d}, item[E]{expired: true})
	}
}

// next gives what is to be handled before the mailbox is read again.
func (m *rule[S, E]) next() (it item[E], ok bool) {
	n := len(m.ahead) - 1
	if n < 0 {
		if len(m.due) == 0 {
			return it, false
		}
		return m.fire(m.due[0])
	}
	it, m.ahead[n] = m.ahead[n], it
	m.ahead = m.ahead[:n]
	return it, true
}

// mentions reports whether a time-out is changed in a list.
func mentions[E any](list []Change[E], which Timeout) bool {
	for i := range list {
		if list[i].Which == which {
			return true
		}
	}
	return false
}
