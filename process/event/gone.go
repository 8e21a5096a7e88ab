package event

import (
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// A Gone says that a handler has gone, and why: to its Terminate, and to the
// owner of one that was added with [AddSup] (OTP: gen_event_EXIT).
type Gone struct {
	Manager process.PID
	ID      string
	Cause   Cause
	// Reason belongs to Failed, NotStarted, OwnerEnded and Stopped; nil is normal.
	// Of Swapped it says to the owner why the next one did not start; nil: it did.
	Reason error
	Next   string      // of Swapped: who takes its place
	Owner  process.PID // of Swapped: who owns that one
}

// A Cause is what ended a handler.
type Cause uint8

const (
	Deleted    Cause = iota // by [Delete]
	Removed                 // by itself, with Remove(nil)
	Failed                  // it panicked, or returned an error
	Swapped                 // by [Swap], [SwapSup] or [Become]
	OwnerEnded              // who added it by AddSup has ended
	Stopped                 // the manager ends
	NotStarted              // it was to take the place of another by Become, and its Init failed
)

func (c Cause) String() string {
	switch c {
	case Deleted:
		return "deleted"
	case Removed:
		return "removed"
	case Failed:
		return "failed"
	case Swapped:
		return "swapped"
	case OwnerEnded:
		return "owner ended"
	case Stopped:
		return "stopped"
	case NotStarted:
		return "not started"
	}
	return fmt.Sprintf("Cause(%d)", c)
}

func (g Gone) String() string {
	text := fmt.Sprintf("event handler %q of %v: %v", g.ID, g.Manager, g.Cause)
	if g.Cause == Swapped {
		text += fmt.Sprintf(" for %q", g.Next)
	}
	if g.Reason != nil {
		text += fmt.Sprintf(": %v", g.Reason)
	}
	return text
}

// A HandlerError says that a handler could not be added, or failed in a call.
type HandlerError struct {
	ID     string
	Reason error
}

func (e *HandlerError) Error() string { return fmt.Sprintf("event handler %q: %v", e.ID, e.Reason) }

func (e *HandlerError) Unwrap() error { return e.Reason }

// A Report is the detail of what a manager reports of a handler.
type Report struct {
	ID    string
	Cause Cause
	State string              // what Inspect shows, shortened; "" if it shows nothing
	Panic *process.PanicError // nil unless it panicked
}

// Each makes a Report a [process.Detail].
func (r *Report) Each(f func(key string, value any)) {
	f("handler", r.ID)
	f("cause", r.Cause)
	if r.State != "" {
		f("state", r.State)
	}
	if r.Panic != nil {
		f("stack", r.Panic)
	}
}
