package supervisor

import (
	"strconv"
	"time"
)

// A Strategy decides what becomes of the siblings when a child ends.
//
// Decide is a pure function: it starts nothing, waits for nothing and keeps
// nothing; all that it may remember is in the View. The supervisor asks it once
// per [Event] and then carries the [Plan] out, one child at a time. So a
// strategy is tested without a process, and one that follows the laws of
// package supervisortest cannot lose a child.
//
// Most strategies are another one with something changed:
//
//	func (s patient) Decide(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan {
//		p := supervisor.OneForOne.Decide(v, e, now)
//		if e.Kind != supervisor.WaitOver && p.Start.Len() > 0 {
//			p.Wait = s.pause
//		}
//		return p
//	}
//
// A Strategy is shared by all supervisors that name it, so it must not be
// changed once it is in use.
type Strategy interface {
	Decide(v View, e Event, now time.Time) Plan
}

// An Event is why a [Strategy] is asked.
type Event struct {
	Kind   Kind
	Child  int   // its place in the View
	Reason error // of the exit, or why the start failed; nil: ended normally
}

// A Kind is what happened to a child.
type Kind uint8

const (
	// Exited is a child that ended by itself: the supervisor did not stop it.
	Exited Kind = iota + 1
	// StartFailed is a child that a Plan wanted started, and that could not be.
	// It comes through the supervisor's own mailbox, so that whatever was asked
	// of the supervisor in the meantime is served first.
	StartFailed
	// WaitOver is the end of a Plan's Wait.
	WaitOver
)

func (k Kind) String() string {
	switch k {
	case Exited:
		return "exited"
	case StartFailed:
		return "start failed"
	case WaitOver:
		return "wait over"
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// A View is what a [Strategy] may know of a supervisor: its children in the
// order in which they start, and how often it has restarted some. It is a look
// at the supervisor, not a copy, and must not be kept.
type View interface {
	// Len is the number of children.
	Len() int
	// At describes the child at place i, 0 for the first to start.
	At(i int) ChildView
	// Restarts returns how many restarts count at that time, those of exactly
	// Period ago included, and how many the supervisor allows.
	Restarts(now time.Time) (n, max int)
	// AutoShutdown is the supervisor's.
	AutoShutdown() AutoShutdown
}

// A ChildView is what a [Strategy] may know of one child.
type ChildView struct {
	ID          string
	Restart     Restart
	Significant bool
	Status      Status
	// Failures counts the exits and failed starts that called for a restart,
	// the one in hand included. It begins anew with a child that stayed up for
	// longer than the supervisor's Period.
	Failures int
	// Since is when the child was last started, or last failed to.
	Since time.Time
}

// A Status is what a child is doing.
type Status uint8

const (
	// Down is a child without a process that is not about to get one: it ended
	// and needs no restart, was terminated, or declined to start.
	Down Status = iota
	// Running is a child with a process.
	Running
	// Restarting is a child without a process whose next attempt is under way:
	// a start failed and will be tried again, or a Plan has it wait.
	Restarting
)

func (s Status) String() string {
	switch s {
	case Down:
		return "down"
	case Running:
		return "running"
	case Restarting:
		return "restarting"
	}
	return "Status(" + strconv.Itoa(int(s)) + ")"
}

// A Span is the places From up to but without To. The zero Span is empty.
type Span struct{ From, To int }

// One is the span of one place.
func One(i int) Span { return Span{i, i + 1} }

// Len is the number of places in the span.
func (s Span) Len() int { return max(0, s.To-s.From) }

// Has reports whether place i is in the span.
func (s Span) Has(i int) bool { return s.From <= i && i < s.To }

// A Plan is what a [Strategy] decided. The fields are carried out in the order
// in which they stand here; places are those of the View that was decided on.
// The zero Plan leaves the child down and everybody else alone.
type Plan struct {
	// Count makes this a restart that counts towards the intensity.
	Count bool
	// Stop: who runs in this span is stopped, the last first, each awaited
	// before the next. Whoever waits for a restart in it does so no longer.
	// Temporary children that are stopped are also dropped.
	Stop Span
	// Drop removes the child that the event is about.
	Drop bool
	// Start: who is down in this span after all that is started, the first
	// first, each awaited before the next. The first that fails ends the plan:
	// it is restarting, those after it stay down, and a StartFailed comes.
	Start Span
	// Wait puts Start off: nothing is started, the child is restarting, and
	// after this time a WaitOver comes, which decides anew. Terminating or
	// stopping the child cancels it.
	Wait time.Duration
	// End, if it is not nil, ends the supervisor with that reason, instead of
	// all the rest; its children are stopped first. Anything but
	// process.ErrShutdown is reported. ErrIntensity is passed on as
	// process.ErrShutdown, as in OTP: so a transient supervisor that gives up is
	// not restarted.
	End error
}

// check refuses a plan that cannot be carried out among that many children,
// which of a dynamic supervisor have no order. It is a fault of the strategy,
// and ends the supervisor.
func (p *Plan) check(e *Event, n int, dynamic bool) error {
	fits := func(s Span) bool {
		return s.Len() == 0 || s.From >= 0 && s.To <= n && (!dynamic || s == One(e.Child))
	}
	switch {
	case !fits(p.Stop):
		return &PlanError{*e, "Stop", p.Stop, n, dynamic}
	case !fits(p.Start):
		return &PlanError{*e, "Start", p.Start, n, dynamic}
	}
	return nil
}
