package statem

import "slices"

// InspectState is what crash reports and tools show: the state, of the data
// only what the Spec allows, for it may hold secrets, and what waits, if
// anything does.
func (r *runner[S, E, D]) InspectState() any {
	var data any
	if inspect := r.machine.spec.Inspect; inspect != nil {
		data = inspect(r.data)
	}
	m := &r.rule
	if !r.unseen && len(m.ahead)+len(m.postponed)+len(m.timeouts) == 0 {
		return struct {
			State S
			Data  any
		}{r.in, data}
	}
	var event any // in hand, when it is not the message in hand
	if r.unseen && !r.hand.expired {
		event = r.hand.event
	}
	return struct {
		State     S
		Data      any
		Event     any
		Next      []E // inserted, or to be retried
		Postponed []E // oldest first
		Timeouts  []Timeout
	}{r.in, data, event, m.comingEvents(), eventsOf(m.postponed), m.armedTimeouts()}
}

// comingEvents are those ahead of the mailbox, the next one first.
func (m *rule[S, E]) comingEvents() []E {
	evs := eventsOf(m.ahead)
	slices.Reverse(evs)
	return evs
}

// armedTimeouts are those that run, in the order in which they were started.
func (m *rule[S, E]) armedTimeouts() []Timeout {
	names := make([]Timeout, len(m.timeouts))
	for i, a := range m.timeouts {
		names[i] = a.which
	}
	return names
}

func eventsOf[E any](items []item[E]) []E {
	evs := make([]E, len(items))
	for i, it := range items {
		evs[i] = it.event
	}
	return evs
}
