package statem

import "fmt"

// A row is a State as the processes of a machine use it. One that is in the
// state has only a pointer to it.
type row[S comparable, E, D any] struct {
	State[S, E, D]
	state S
	next  []*row[S, E, D] // the rows of To
	of    *Machine[S, E, D]
}

// compile makes the rows.
func (m *Machine[S, E, D]) compile() {
	m.rows = make(map[S]*row[S, E, D], len(m.states))
	for state, s := range m.spec.States {
		m.rows[state] = &row[S, E, D]{State: s, state: state, of: m}
	}
	for _, r := range m.rows {
		r.next = m.rowsOf(r.To)
	}
	m.entry.of, m.entry.next = m, m.rowsOf(m.spec.First)
}

func (m *Machine[S, E, D]) rowsOf(states []S) []*row[S, E, D] {
	rows := make([]*row[S, E, D], len(states))
	for i, s := range states {
		rows[i] = m.rows[s]
	}
	return rows
}

// clone is a machine of the same table, whose processes enter it by another
// Init or under another name. Once in the table they know of it no more.
func (m *Machine[S, E, D]) clone() *Machine[S, E, D] {
	other := *m
	other.entry.of = &other
	return &other
}

// to is the row of another state that may come next, nil if that may not.
func (r *row[S, E, D]) to(s S) *row[S, E, D] {
	for _, next := range r.next {
		if next.state == s {
			return next
		}
	}
	return nil
}

// refuse says why s may not come next. The process ends there: to go on would be
// to run a machine that nobody has drawn.
func (r *row[S, E, D]) refuse(s S) error {
	if r.to(s) == nil {
		return fmt.Errorf("%w: state %v returned %v, which its To does not list", ErrMisuse, r.state, s)
	}
	return fmt.Errorf("%w: state %v asked for Repeat and returned another state, %v", ErrMisuse, r.state, s)
}
