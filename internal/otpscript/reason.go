package otpscript

import (
	"errors"
	"fmt"
	"strings"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// A reason is a term as an exit reason or as the error of a start. Exit reasons
// with a meaning of their own have errors of package process instead: see
// exitReason.
type reason struct{ Term }

func (r *reason) Error() string { return string(MarshalTerm(r.Term)) }

// exitReason gives the error that stands for an exit reason: nil for normal.
func exitReason(t Term) error {
	switch t {
	case normal:
		return nil
	case shutdown:
		return process.ErrShutdown
	case killed:
		return process.ErrKilled
	case noproc:
		return process.ErrNoProc
	}
	if why, ok := t.(Tuple); ok && len(why) == 2 && why[0] == shutdown {
		return process.Shutdown(&reason{why[1]})
	}
	return &reason{t}
}

// startError is exitReason for the error of a start, where nil would say that
// it succeeded.
func startError(t Term) error {
	if err := exitReason(t); err != nil {
		return err
	}
	return &reason{t}
}

// reasonTerm is the inverse of exitReason, for everything that a process of a
// scenario can end with. An error that nothing in OTP corresponds to becomes an
// atom of its text: no recording has that, so it shows.
func (p *player) reasonTerm(err error) Term {
	switch err {
	case nil:
		return normal
	case process.ErrShutdown:
		return shutdown
	case process.ErrKilled:
		return killed
	case process.ErrNoProc:
		return noproc
	}
	switch e := err.(type) {
	case *reason:
		return e.Term
	case *process.PanicError:
		return tuple(p.thrown(e.Value), stack)
	case *process.AlreadyStartedError:
		return tuple(Atom("already_started"), p.pid(e.PID))
	case *process.ExitError:
		return p.reasonTerm(e.Reason)
	case interface{ Unwrap() []error }:
		if parts := e.Unwrap(); process.Clean(err) && len(parts) == 2 {
			return tuple(shutdown, p.reasonTerm(parts[1]))
		}
	}
	if t, ok := p.startTerm(err); ok {
		return t
	}
	if errors.Is(err, statem.ErrMisuse) && strings.HasSuffix(err.Error(), "Postpone in Enter") {
		return tuple(tuple(Atom("bad_state_enter_action_from_state_function"), Atom("postpone")), stack)
	}
	if inner := errors.Unwrap(err); inner != nil {
		return p.reasonTerm(inner)
	}
	return Atom(err.Error())
}

// throw panics as error/1 does. To OTP's supervisors error(shutdown) is a clean
// end, for {shutdown, Stack} looks like one; so is a panic with ErrShutdown to
// coppice's.
func throw(t Term) {
	if t == shutdown {
		panic(process.ErrShutdown)
	}
	panic(t)
}

// thrown is the term that was thrown.
func (p *player) thrown(v any) Term {
	switch v := v.(type) {
	case Term:
		return v
	case error:
		return p.reasonTerm(v)
	}
	return Atom(fmt.Sprint(v))
}
