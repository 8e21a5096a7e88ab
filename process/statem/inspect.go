package statem

import "slices"

// InspectState is what crash reports and tools show: the state, of the data
// only what the Spec allows, for it may hold secrets, and what waits, if
// anything does.
func (r *runner[S, E, D]) InspectState() any {
	var data any
	if inspect := r.at.of.spec.Inspect; inspect != nil {
		data = inspect(r.data)
	}
	a := r.agenda
	if a == nil || !a.unseen && a.rule.isDone() {
		return struct {
			State S
			Data  any
		}{r.at.state, data}
	}
	var event any // in hand, when it is not the message in hand
	if a.unseen && !a.hand.expired {
		event = a.hand.event
	}
	return struct {
		State     S
		Data      any
		Event     any
		Next      []E // inserted, or to be retried
		Postponed []E // oldest first
		Timeouts  []Timeout
	}{r.at.state, data, event, a.comingEvents(), eventsOf(a.postponed), a.armedTimeouts()}
}

// comingEvents are those ahead of the mailbox, the next one first.
func (m *rule[E]) comingEvents() []E {
	evs := eventsOf(m.ahead)
	slices.Reverse(evs)
	return evs
}

// armedTimeouts are those that run, in the order in which they were started.
func (m *rule[E]) armedTimeouts() []Timeout {
	names := make([]Timeout, len(m.timeouts))
	for i := range m.timeouts {
		names[i] = m.timeouts[i].which
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
