package supervisor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/coppice-go/coppice/process"
)

// The refusals that callers test for. A supervisor that is gone refuses with a
// *process.ExitError.
var (
	// ErrIntensity is why a supervisor gave up: its children needed more
	// restarts than it allows. It stands in the supervisor's last report; its
	// exit reason is process.ErrShutdown.
	ErrIntensity = errors.New("supervisor: reached maximum restart intensity")
	// ErrNotFound says that the supervisor has no such child.
	ErrNotFound = errors.New("supervisor: no such child")
	// ErrAlreadyPresent refuses to start a child whose ID is that of one which
	// is not running. Delete that one first, or restart it. If it is running
	// the refusal is a *process.AlreadyStartedError.
	ErrAlreadyPresent = errors.New("supervisor: child is already present, but not running: use RestartChild, or DeleteChild first")
	// ErrRunning refuses to restart or delete a child that is running.
	ErrRunning = errors.New("supervisor: child is running: use TerminateChild first")
	// ErrRestarting refuses to restart or delete a child that waits for its
	// next restart.
	ErrRestarting = errors.New("supervisor: child is restarting: use TerminateChild to stop trying")
	// ErrDynamic refuses what a dynamic supervisor cannot do.
	ErrDynamic = errors.New("supervisor: it is dynamic, its children have no ID: use StartOne and TerminateOne")
	// ErrNotDynamic refuses what only a dynamic supervisor can do.
	ErrNotDynamic = errors.New("supervisor: it is not dynamic: use StartChild and TerminateChild")
	// ErrNoTemplate refuses to start a child without saying which.
	ErrNoTemplate = errors.New("supervisor: it is mixed and has no template: use StartChild")
	// ErrMaxChildren refuses to start one more child than MaxChildren.
	ErrMaxChildren = errors.New("supervisor: reached MaxChildren")
	// ErrNotSupervisor refuses to ask something of a process that is none.
	ErrNotSupervisor = errors.New("is not a supervisor")
)

// What a start function did that it should not.
var (
	// ErrNoStart is a temporary child that a strategy wants to start again.
	ErrNoStart = errors.New("a temporary child is not started again, so its start function was not kept: the strategy has to drop it")
	// ErrNoProcess is a start function that returned neither.
	ErrNoProcess = errors.New("the start function returned no process and no error: return the PID, process.ErrIgnore or what went wrong")
	// ErrNotLinked is a start function that started its process for somebody
	// else.
	ErrNotLinked = errors.New("the process is not linked to its supervisor: in the start function, pass on the ctx you were given")
	// ErrNotNew is a start function that returned a process which the
	// supervisor knows already: a sibling, its own parent, itself.
	ErrNotNew = errors.New("the process is no new one: a start function must start its own")
)

// A StartError says which child could not be started. As the reason of a failed
// supervisor it is wrapped in process.Shutdown, and where supervisors are
// nested, one StartError lies in another.
type StartError struct {
	ID  string
	Err error
}

func (e *StartError) Error() string { return fmt.Sprintf("failed to start child %q: %v", e.ID, e.Err) }

func (e *StartError) Unwrap() error { return e.Err }

// A StartPanicError is a start function that panicked in the supervisor's
// process, where it was caught. A process that panics in its Init gives its
// own *process.PanicError instead.
type StartPanicError struct{ Panic *process.PanicError }

func (e *StartPanicError) Error() string { return fmt.Sprintf("the start function: %v", e.Panic) }

func (e *StartPanicError) Unwrap() error { return e.Panic }

// An ArgumentError refuses [StartOne] with an argument that the template does
// not take.
type ArgumentError struct {
	Want, Got string // types
}

func (e *ArgumentError) Error() string {
	if e.Got == "" {
		return fmt.Sprintf("supervisor: the template's start function takes a %s: start the child with StartOne", e.Want)
	}
	return fmt.Sprintf("supervisor: the template's start function takes a %s, not a %s", e.Want, e.Got)
}

// A PlanError is a [Strategy] that wants something impossible: it ends the
// supervisor.
type PlanError struct {
	Event   Event
	Field   string // of the Plan
	Span    Span
	Len     int  // how many children there are
	Dynamic bool // they have no order
}

func (e *PlanError) Error() string {
	why := fmt.Sprintf("there are %d children", e.Len)
	if e.Dynamic {
		why = "a dynamic supervisor's plan can only be about that child"
	}
	return fmt.Sprintf("supervisor: the strategy's plan for child %d (%v) has %s from %d to %d, but %s: check it with supervisortest",
		e.Event.Child, e.Event.Kind, e.Field, e.Span.From, e.Span.To, why)
}

// A SpecError lists everything that is wrong with a [Spec] or a [Child].
type SpecError struct {
	Name   string // the supervisor's, "" if it has none
	Faults []Fault
}

func (e *SpecError) Error() string {
	var b strings.Builder
	b.WriteString("supervisor: bad Spec")
	if e.Name != "" {
		fmt.Fprintf(&b, " of %q", e.Name)
	}
	if len(e.Faults) == 1 {
		return b.String() + ": " + e.Faults[0].String()
	}
	fmt.Fprintf(&b, ": %d faults", len(e.Faults))
	for _, f := range e.Faults {
		b.WriteString("\n\t" + f.String())
	}
	return b.String()
}

// A Fault is one thing that is wrong with a [Spec], and the cure.
type Fault struct {
	Code  Code
	Child string // "" for the supervisor's own fields
	Value any    // what is wrong, nil if something is missing
	Text  string
}

func (f Fault) String() string {
	if f.Child != "" {
		return fmt.Sprintf("child %q: %s", f.Child, f.Text)
	}
	return f.Text
}

// A Code is OTP's name for a fault.
type Code string

const (
	InvalidIntensity    Code = "invalid_intensity"
	InvalidPeriod       Code = "invalid_period"
	InvalidAutoShutdown Code = "invalid_auto_shutdown"
	InvalidMaxChildren  Code = "invalid_max_children" // ours
	BadStartSpec        Code = "bad_start_spec"       // a dynamic supervisor without exactly one template
	MissingID           Code = "missing_id"
	MissingStart        Code = "missing_start"
	InvalidRestart      Code = "invalid_restart_type"
	InvalidShutdown     Code = "invalid_shutdown"
	InvalidGrace        Code = "invalid_grace"         // ours
	InvalidStartTimeout Code = "invalid_start_timeout" // ours
	BadCombination      Code = "bad_combination"       // significant, where that cannot be
	DuplicateChild      Code = "duplicate_child_name"
)
