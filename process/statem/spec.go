package statem

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A Spec describes a state machine: S are its states, E its events, D what its
// process keeps beside the state. The table States is the picture of the
// machine; [New] checks it.
//
// S is usually a small int with a String method, E an interface that the
// event types implement, and *D the receiver of the handlers.
type Spec[S comparable, E, D any] struct {
	Name string // registered name of the process; "": none

	// Init names the state to start in and makes the data. It runs before
	// Start returns, and an error is a failed start. What it asks the Turn for
	// (inserted events, time-outs) is done after Start has returned, together
	// with the first Enter. Nil: [Machine.With] gives each process its own.
	Init func(t *Turn[E]) (S, *D, error)

	// First lists the states that Init may name. Nil: the zero value of S.
	First []S

	States map[S]State[S, E, D]

	// Terminate is called at an orderly end, at a crash, and when the parent
	// stops the process; that last one only reaches a process that traps
	// exits, so TrapExit must be set. Nil from it leaves the reason as it is,
	// an error replaces it. It may call [Turn.Reply]. After a stop that comes
	// right at the start, in may be a state whose Enter has not been called.
	Terminate func(d *D, t *Turn[E], in S, reason error) error

	TrapExit bool

	// Exit turns the exit of a linked process, which is not the parent, into
	// an event of the machine. It needs TrapExit. Nil: an exit that is not
	// clean ends the machine, as it would without TrapExit.
	Exit func(process.ExitSignal) E

	Limit   int           // of messages in the mailbox; 0: none
	Grace   time.Duration // see process.Spec; 0: the supervisor's or node's
	Timeout time.Duration // of Init; 0: none

	// Inspect is what tools and crash reports show of the data. Nil: nothing.
	Inspect func(*D) any
}

// A State is a row of the table.
//
// All handlers return the state to go to, which may be the one they are in, or
// an error, which ends the process with that reason ([Stop] to end it
// normally). There is no state to park a broken machine in.
type State[S comparable, E, D any] struct {
	// On handles every event that comes in this state.
	On func(d *D, t *Turn[E], ev E) (S, error)

	// To lists the other states that On and Expired may return.
	To []S

	// Enter is called each time the machine has come here from another state,
	// or, at the start, from nowhere (from is then this state). It cannot
	// choose another state, and not postpone or insert. Nil: nothing.
	Enter func(d *D, t *Turn[E], from S) error

	// Timeout limits the stay in this state; then Expired decides. It is the
	// state time-out ([StateTimeout]) and can be replaced or cancelled as
	// such. 0: no limit.
	Timeout time.Duration
	Expired func(d *D, t *Turn[E]) (S, error)
}

// ErrMisuse is the reason of a process one of whose handlers did what it may
// not do: return a state that its row does not list, postpone in Enter.
var ErrMisuse = errors.New("statem: misuse")

// A Machine is a checked table. It is made once, by [New], and shared by all
// the processes that run it. It does not change.
type Machine[S comparable, E, D any] struct {
	spec   *Spec[S, E, D]
	states []S // in the order in which they can be reached
	rows   map[S]*row[S, E, D]
	entry  row[S, E, D] // where a process is until its Init has named a state
	stock  *stock[E]
	name   string
	init   func(*Turn[E]) (S, *D, error)
}

// New checks a Spec and compiles it. Its error names every fault at once.
func New[S comparable, E, D any](spec Spec[S, E, D]) (*Machine[S, E, D], error) {
	if spec.First == nil {
		spec.First = make([]S, 1)
	}
	states := spec.reachable()
	if faults := spec.faults(states); len(faults) > 0 {
		return nil, fmt.Errorf("statem: %s:\n%w", spec.title(), errors.Join(faults...))
	}
	m := &Machine[S, E, D]{spec: &spec, states: states, stock: new(stock[E]), name: spec.Name, init: spec.Init}
	m.compile()
	return m, nil
}

// Must is for machines in package variables: var door = statem.Must(statem.New(...)).
// It panics where New reports faults.
func Must[S comparable, E, D any](m *Machine[S, E, D], err error) *Machine[S, E, D] {
	if err != nil {
		panic(err)
	}
	return m
}

// With returns the same machine with another Init, for processes that start
// with something of their own:
//
//	ref, err := connection.With(func(t *statem.Turn[event]) (state, *conn, error) {
//		return hello, &conn{socket: s}, nil
//	}).Start(ctx)
func (m *Machine[S, E, D]) With(init func(*Turn[E]) (S, *D, error)) *Machine[S, E, D] {
	other := m.clone()
	other.init = init
	return other
}

// Named returns the same machine with another name for its process.
func (m *Machine[S, E, D]) Named(name string) *Machine[S, E, D] {
	other := m.clone()
	other.name = name
	return other
}

// States returns the states in the order in which they can be reached.
func (m *Machine[S, E, D]) States() []S { return slices.Clone(m.states) }

// title says which machine an error is about.
func (s *Spec[S, E, D]) title() string {
	if s.Name != "" {
		return fmt.Sprintf("machine %q", s.Name)
	}
	return fmt.Sprintf("machine of %T", *new(D))
}

// reachable walks the table from the first states, breadth first, so that the
// order does not depend on that of a map.
func (s *Spec[S, E, D]) reachable() []S {
	var found []S
	for queue := slices.Clone(s.First); len(queue) > 0; queue = queue[1:] {
		if row, ok := s.States[queue[0]]; ok && !slices.Contains(found, queue[0]) {
			found = append(found, queue[0])
			queue = append(queue, row.To...)
		}
	}
	return found
}

// faults finds everything that New refuses.
func (s *Spec[S, E, D]) faults(reachable []S) []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.Terminate != nil && !s.TrapExit {
		fault("Terminate without TrapExit would not be called when the parent stops the process: set TrapExit")
	}
	if s.Exit != nil && !s.TrapExit {
		fault("Exit without TrapExit is never called: set TrapExit")
	}
	if s.Limit < 0 {
		fault("Limit is %d: 0 means none", s.Limit)
	}
	for _, first := range s.First {
		if _, ok := s.States[first]; !ok {
			fault("first state %v is not in the table: list the states that Init names in First", first)
		}
	}
	for state, row := range s.States {
		for _, err := range row.faults(s.States) {
			fault("state %v: %w", state, err)
		}
		if !slices.Contains(reachable, state) {
			fault("state %v is never reached: no first state leads to it", state)
		}
	}
	// The table is a map; the same faults should read the same every time.
	slices.SortFunc(faults, byText)
	return faults
}

// faults finds what is wrong with one row.
func (row State[S, E, D]) faults(states map[S]State[S, E, D]) []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if row.On == nil {
		fault("On is missing: nobody would take its events")
	}
	for i, to := range row.To {
		if _, ok := states[to]; !ok {
			fault("To lists %v, which is not in the table", to)
		}
		if slices.Contains(row.To[:i], to) {
			fault("To lists %v twice", to)
		}
	}
	switch {
	case row.Timeout < 0:
		fault("Timeout is %v: leave it out for no limit", row.Timeout)
	case row.Timeout > 0 && row.Expired == nil:
		fault("Timeout has nobody to take it: set Expired")
	case row.Timeout == 0 && row.Expired != nil:
		fault("Expired is never called: set Timeout")
	}
	return faults
}

func byText(a, b error) int {
	switch x, y := a.Error(), b.Error(); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// limit is the table's time-out of a state.
func (s *Spec[S, E, D]) limit(state S) time.Duration { return s.States[state].Timeout }
