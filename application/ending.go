package application

import (
	"errors"
	"fmt"
)

// An Ending says how a run that did not go well has ended. It is also the exit
// code that Main gives.
type Ending int

// The endings. Go itself exits with 2 after a fatal error, so that is none.
const (
	FailedStart Ending = 1 // an application did not start, or the configuration is bad
	AppEnded    Ending = 3 // an application ended that the node could not do without
	UncleanStop Ending = 4 // stopped as asked, but something failed or had to be killed on the way
	Forced      Ending = 5 // a second signal, or StopTimeout, cut the stop short
)

func (e Ending) String() string {
	switch e {
	case FailedStart:
		return "failed to start"
	case AppEnded:
		return "an application ended"
	case UncleanStop:
		return "unclean stop"
	case Forced:
		return "forced to stop"
	}
	return fmt.Sprintf("Ending(%d)", int(e))
}

// A RunError says how a run ended that did not go well, and why.
type RunError struct {
	Ending Ending
	Err    error
}

func (e *RunError) Error() string { return e.Ending.String() + ": " + e.Err.Error() }
func (e *RunError) Unwrap() error { return e.Err }

// ExitCode returns the exit code for what Run returned: 0 for nil, else that of
// its Ending.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if run, ok := errors.AsType[*RunError](err); ok {
		return int(run.Ending)
	}
	return int(FailedStart)
}
