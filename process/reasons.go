package process

import (
	"errors"
	"fmt"
)

// The reasons and refusals that callers test for. An exit reason is an error;
// nil is OTP's normal.
var (
	// ErrShutdown is the reason of a process that was told to stop: OTP's
	// shutdown. It is a clean end, not a crash.
	ErrShutdown = errors.New("shutdown")
	// ErrKilled is the reason of a process that was ended by [Kill].
	ErrKilled = errors.New("killed")
	// ErrNoProc says that there is no such process: it has ended, or nobody
	// has that name.
	ErrNoProc = errors.New("no such process")
	// ErrGoexit is the reason of a process whose goroutine was ended by
	// runtime.Goexit in user code.
	ErrGoexit = errors.New("runtime.Goexit was called in the process (t.FailNow and t.Fatal do that: call them from the test's own goroutine)")
	// ErrIgnore is returned by an Init that declines to run: the process ends
	// normally and its start returns ErrIgnore.
	ErrIgnore = errors.New("process: start ignored")
	// ErrNoNode is returned to those whose ctx belongs to no node.
	ErrNoNode = errors.New("process: ctx belongs to no node: pass on the ctx that a process or its start function was given, or Node.Context()")
	// ErrCallingSelf is returned by a call from a process to itself, which
	// would wait for ever.
	ErrCallingSelf = errors.New("process: calling self: the answer could only come after the handler that waits for it; call the function directly, or cast")
	// ErrCallingStarter is returned by a call from an Init to the process that
	// waits for that very Init.
	ErrCallingStarter = errors.New("process: calling the starter: it waits for this Init to return; cast, or do it in Continue")
	// ErrNoSelf is returned to those who need a process of their own, to whom
	// messages can be sent, and whose ctx is that of a node.
	ErrNoSelf = errors.New("process: ctx belongs to a node, not to a process: use the ctx that the process was given")
	// ErrMailboxFull is returned to the sender when the receiver's mailbox has
	// reached the limit in its Spec. Signals are never refused.
	ErrMailboxFull = errors.New("process: mailbox full")
	// ErrTimeout says that a deadline of ours passed; that of a ctx gives
	// context.DeadlineExceeded.
	ErrTimeout = errors.New("process: timed out")
	// ErrNameTaken says that another process has the name already.
	ErrNameTaken = errors.New("process: name is taken")
	// ErrNodeStopped is returned to those who start something on a node that
	// has been stopped.
	ErrNodeStopped = errors.New("process: node is stopped")
)

// Shutdown returns a clean exit reason that says why: OTP's {shutdown, Err}.
// errors.Is finds both ErrShutdown and err.
func Shutdown(err error) error { return &shutdownError{err} }

type shutdownError struct{ err error }

func (e *shutdownError) Error() string { return "shutdown: " + e.err.Error() }

func (e *shutdownError) Unwrap() []error { return []error{ErrShutdown, e.err} }

// Clean reports whether reason is an orderly end: nil, [ErrShutdown] or
// [Shutdown] of something, possibly wrapped by the process itself. An
// [*ExitError] is none, even if the process that it speaks of ended cleanly:
// somebody still needed it.
func Clean(reason error) bool {
	for reason != nil {
		switch e := reason.(type) {
		case *shutdownError:
			return true
		case *ExitError:
			return false
		default:
			if e == ErrShutdown {
				return true
			}
			if reason = errors.Unwrap(reason); reason == nil {
				return false
			}
		}
	}
	return true
}

// An ExitError tells somebody who waited for a process that it ended, and why.
type ExitError struct {
	PID    PID
	Name   string // registered name or path, "" if it had none
	Reason error  // nil: it ended normally
}

func (e *ExitError) Error() string {
	who := e.Name
	if who == "" {
		who = e.PID.String()
	}
	if e.Reason == nil {
		return fmt.Sprintf("process %s ended before it answered", who)
	}
	if e.Reason == ErrNoProc {
		return fmt.Sprintf("process %s: %v", who, e.Reason)
	}
	return fmt.Sprintf("process %s ended: %v", who, e.Reason)
}

func (e *ExitError) Unwrap() error { return e.Reason }

// An AlreadyStartedError refuses a start or a registration because the name is
// taken. errors.Is finds ErrNameTaken.
type AlreadyStartedError struct {
	Name string
	PID  PID // who has it
}

func (e *AlreadyStartedError) Error() string {
	return fmt.Sprintf("process: name %q is taken by %v", e.Name, e.PID)
}

func (e *AlreadyStartedError) Unwrap() error { return ErrNameTaken }

// noProc says that nobody has a name.
func noProc(name string) error { return &ExitError{Name: name, Reason: ErrNoProc} }

// End is returned by a [Behaviour]'s Handle to stop in an orderly way with
// that reason; nil is normal. Any other error that Handle returns is a reason
// too: End exists for nil, and to say that it is meant.
func End(reason error) error { return &endError{reason} }

type endError struct{ reason error }

func (e *endError) Error() string { return fmt.Sprintf("stop: %v", e.reason) }

func (e *endError) Unwrap() error { return e.reason }

// reasonOf unpacks what Handle returned.
func reasonOf(err error) error {
	if e, ok := err.(*endError); ok {
		return e.reason
	}
	return err
}

// errFenced never leaves the package: it is told as the sender's own end.
var errFenced = errors.New("process: sender has ended")

type mailboxFullError struct {
	pid   PID
	limit int
}

func (e *mailboxFullError) Error() string {
	return fmt.Sprintf("process: mailbox of %v is full: it holds %d messages, the Limit in its Spec", e.pid, e.limit)
}

func (e *mailboxFullError) Unwrap() error { return ErrMailboxFull }

// errNormal is the cause of the ctx of a process that ended normally.
var errNormal = errors.New("process ended normally")
