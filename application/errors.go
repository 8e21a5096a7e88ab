package application

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What may stand in the way of an operation; callers test for these with
// errors.Is. The errors around them name the application.
var (
	ErrNotLoaded     = errors.New("not loaded")
	ErrAlreadyLoaded = errors.New("already loaded")
	ErrNotStarted    = errors.New("not started")
	ErrNotRunning    = errors.New("was started, but has ended since")
	ErrRunning       = errors.New("is running; stop it first")
	ErrNameTaken     = errors.New("another App of that name is loaded on this node; each needs its own name")
	ErrInvalidType   = errors.New("no such Type; it is Permanent, Transient or Temporary")
	ErrNodeDown      = errors.New("application: the node is going down")
	ErrOwnCallback   = errors.New("the caller is part of it, and would wait for itself; do it from outside, or return an error")
	ErrTimeout       = errors.New("took too long")

	// ErrStopped is the reason reported for an application that was stopped on
	// request rather than ended by itself.
	ErrStopped = errors.New("stopped")

	// ErrNoApp is what those get who ask for the application of a ctx that
	// belongs to none.
	ErrNoApp = errors.New("application: this ctx belongs to no application; use the ctx of one of its processes, or application.In(ctx, app)")
)

// An Error is an operation that was refused.
type Error struct {
	Op  string // "load", "start", "stop", "unload"
	App *App
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("application: %s %s: %v", e.Op, e.App, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// A SpecError holds all faults of an App's description.
type SpecError struct {
	App    *App
	Faults error // as errors.Join makes it
}

func (e *SpecError) Error() string {
	return fmt.Sprintf("application: App %q: %s", e.App.Name, strings.ReplaceAll(e.Faults.Error(), "\n", "; "))
}
func (e *SpecError) Unwrap() error { return e.Faults }

// A CycleError is a circle of applications that need, or include, each other.
// The first of the path is also its last.
type CycleError struct {
	Path     []*App
	Included bool
}

func (e *CycleError) Error() string {
	verb := " needs "
	if e.Included {
		verb = " includes "
	}
	names := make([]string, len(e.Path))
	for i, app := range e.Path {
		names[i] = app.Name
	}
	return "application: cycle: " + strings.Join(names, verb)
}

// An AlreadyStartedError says that the application runs already.
type AlreadyStartedError struct{ App *App }

func (e *AlreadyStartedError) Error() string {
	return fmt.Sprintf("application: start %s: already started", e.App)
}

// A DependencyError says what App needs and does not find. Err is ErrNotStarted,
// or ErrNotRunning for one that was started and has ended by itself. The latter
// counts as a failed start; see Type.
type DependencyError struct {
	App, Needs *App
	Err        error
}

func (e *DependencyError) Error() string {
	return fmt.Sprintf("application: start %s: it needs %s: %v", e.App, e.Needs, e.Err)
}
func (e *DependencyError) Unwrap() error { return e.Err }

// A Callback names one of an App's functions.
type Callback string

// The callbacks of an App.
const (
	CallbackStart        Callback = "Start"
	CallbackStartPhase   Callback = "StartPhase"
	CallbackPrepStop     Callback = "PrepStop"
	CallbackStop         Callback = "Stop"
	CallbackConfigChange Callback = "ConfigChange"
)

// An Outcome is the way in which a callback failed.
type Outcome uint8

// The outcomes.
const (
	Returned  Outcome = iota // it returned Err
	Ended                    // its process ended in it with Err as reason: a panic, process.Exit, a kill
	BadReturn                // Start returned no process that could be the top of its tree; Err says why
	TimedOut                 // it took longer than its App allows (ErrTimeout), or than the node could wait that went down meanwhile (ErrNodeDown)
)

// A CallbackError is the failure of a callback.
type CallbackError struct {
	App      *App
	Callback Callback
	Phase    string // name of the start phase; of an included App's phase, App is that
	Outcome  Outcome
	Err      error // nil: its process ended normally in the middle of it
}

func (e *CallbackError) Error() string {
	what := string(e.Callback)
	if e.Phase != "" {
		what += " " + e.Phase
	}
	switch {
	case e.Outcome == Ended && e.Err == nil:
		return fmt.Sprintf("application: %s: %s: its process ended normally in the middle of it", e.App, what)
	case e.Outcome == Ended:
		return fmt.Sprintf("application: %s: %s: its process ended: %v", e.App, what, e.Err)
	}
	return fmt.Sprintf("application: %s: %s: %v", e.App, what, e.Err)
}
func (e *CallbackError) Unwrap() error { return e.Err }

// A StopError says what went wrong while App was stopped. It has stopped all
// the same; OTP would say ok here.
type StopError struct {
	App *App
	Err error // *CallbackError, *HangError; several joined
}

func (e *StopError) Error() string {
	return fmt.Sprintf("application: %s has stopped, but: %s", e.App, strings.ReplaceAll(e.Err.Error(), "\n", "; "))
}
func (e *StopError) Unwrap() error { return e.Err }

// A HangError names what did not end in the time its phase has, and had to be
// killed.
type HangError struct {
	App   *App
	Phase string
	Limit time.Duration
	Left  []Left
}

func (e *HangError) Error() string {
	names := make([]string, len(e.Left))
	for i, l := range e.Left {
		names[i] = l.String()
	}
	return fmt.Sprintf("application: %s: %s took longer than %v: %s", e.App, e.Phase, e.Limit, list(names, 5))
}

// list joins names, the first few of them if they are many.
func list(names []string, most int) string {
	if len(names) == 0 {
		return "nobody is left"
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// An EndedError is why a node went down: an application that it cannot do
// without has ended, or has not started.
type EndedError struct {
	App      *App
	Type     Type
	Starting bool // it failed to start
	Reason   error
}

func (e *EndedError) Error() string {
	if e.Starting {
		return fmt.Sprintf("application: %s, which is %s, did not start: %v", e.App, e.Type, e.Reason)
	}
	if e.Reason == nil {
		return fmt.Sprintf("application: %s, which is %s, has ended normally", e.App, e.Type)
	}
	return fmt.Sprintf("application: %s, which is %s, has ended: %v", e.App, e.Type, e.Reason)
}
func (e *EndedError) Unwrap() error { return e.Reason }

// A StoppingError explains a failed call: the application of the process that
// was called is stopping, or has stopped.
type StoppingError struct {
	App    *App
	Phase  string
	Since  time.Time // when the phase began
	Advice string    // what would have avoided it
	Err    error     // the failure itself
}

func (e *StoppingError) Error() string {
	return fmt.Sprintf("%v (application %s: %s since %s; to avoid it, %s)", e.Err, e.App, e.Phase, e.Since.Format("15:04:05.000"), e.Advice)
}
func (e *StoppingError) Unwrap() error { return e.Err }
