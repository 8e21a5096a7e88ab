package statem

import (
	"sync"

	"github.com/coppice-go/coppice/process"
)

// An idle process of a machine has no more than its data and its place in the
// table. What else it needs while it handles an event, or while something is to
// come, it takes from here, and gives back.

// A stock is shared by the processes of a machine. None of them sees in it what
// was another's.
type stock[E any] struct{ asked, agendas sync.Pool }

// newAsked is for a Turn. That of a test has no stock.
func (s *stock[E]) newAsked() *asked[E] {
	if s != nil {
		if a, ok := s.asked.Get().(*asked[E]); ok {
			return a
		}
	}
	return new(asked[E])
}

func (s *stock[E]) takeBack(a *asked[E]) {
	a.Postponed, a.Repeated, a.fault = false, false, nil
	a.Inserted, a.Replies, a.Timeouts = emptied(a.Inserted), emptied(a.Replies), emptied(a.Timeouts)
	s.asked.Put(a)
}

// An agenda is for a process for which something is to come besides its
// mailbox, or to which package system listens.
type agenda[E any] struct {
	rule[E]
	hand   item[E] // being handled, if it did not come by the mailbox:
	unseen bool    // then reports would not know it
	probe  *process.Probe
}

func (s *stock[E]) newAgenda() *agenda[E] {
	if a, ok := s.agendas.Get().(*agenda[E]); ok {
		return a
	}
	return new(agenda[E])
}

// takeBackAgenda is for one that is done, whose lists are empty.
func (s *stock[E]) takeBackAgenda(a *agenda[E]) {
	a.probe = nil // it may still be known to somebody
	s.agendas.Put(a)
}

// isDone reports whether the process can do without.
func (a *agenda[E]) isDone() bool { return a.rule.isDone() && a.listener() == nil }

// listener is where package system listens, nil if it does not.
func (a *agenda[E]) listener() process.Probe {
	if a.probe == nil {
		return nil
	}
	return *a.probe
}

// hold keeps what is handled and did not come by the mailbox.
func (a *agenda[E]) hold(it item[E]) { a.hand, a.unseen = it, true }

// letGo ends that.
func (a *agenda[E]) letGo() { a.hand, a.unseen = item[E]{}, false }

// stopTimers is for the end of the process. Otherwise they would keep it in
// memory until they have run off.
func (a *agenda[E]) stopTimers() {
	for i := range a.timeouts {
		a.timeouts[i].timer.Stop()
	}
}
