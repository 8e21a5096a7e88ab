package statem

import (
	"context"
	"errors"

	"github.com/coppice-go/coppice/process"
)

// errNoInit is the start of a machine that nobody gave an Init.
var errNoInit = errors.New("statem: this machine has no Init: set it in the Spec, or start m.With(init)")

// Kind is what [process.PID.Is] knows state machines by.
const Kind = "statem"

// Start starts a process that runs the machine, linked to the caller. It
// returns when Init has; the first Enter comes after that.
func (m *Machine[S, E, D]) Start(ctx context.Context) (Ref[E], error) {
	pid, err := m.start(ctx, process.Spec{Caller: process.CallerPC(1)})
	return Ref[E]{pid}, err
}

// StartUnlinked is Start without the link (OTP: gen_statem:start): nobody hears
// of the machine's end but those who monitor it.
func (m *Machine[S, E, D]) StartUnlinked(ctx context.Context) (Ref[E], error) {
	pid, err := m.start(ctx, process.Spec{Caller: process.CallerPC(1), Unlinked: true})
	return Ref[E]{pid}, err
}

// StartFunc returns Start in the form that a supervisor's child has.
func (m *Machine[S, E, D]) StartFunc() func(context.Context) (process.PID, error) {
	caller := process.CallerPC(1)
	return func(ctx context.Context) (process.PID, error) {
		return m.start(ctx, process.Spec{Caller: caller})
	}
}

// StartMonitor is a start and [Monitor] in one step, for a machine that starts
// another: as makes an event of its end, with its true reason however early it
// comes. It is not linked. A start that fails gives its error and nothing more.
func StartMonitor[S comparable, E, D, O any](ctx context.Context, m *Machine[S, E, D], as func(process.Down) O) (Ref[E], process.MonitorRef, error) {
	if _, err := As[O](process.Self(ctx)); err != nil {
		return Ref[E]{}, process.MonitorRef{}, err
	}
	pid, ref, err := process.StartMonitor(ctx, m.process(process.Spec{Caller: process.CallerPC(1), Unlinked: true}), as)
	if err != nil {
		return Ref[E]{}, process.MonitorRef{}, err
	}
	return Ref[E]{pid}, ref, nil
}

func (m *Machine[S, E, D]) start(ctx context.Context, spec process.Spec) (process.PID, error) {
	return process.Start(ctx, m.process(spec))
}

// process fills in what the machine says of its process.
func (m *Machine[S, E, D]) process(spec process.Spec) process.Spec {
	spec.Name, spec.Kind, spec.Behaviour = m.name, Kind, m.Behaviour()
	spec.TrapExit, spec.Limit = m.spec.TrapExit, m.spec.Limit
	spec.Grace, spec.Timeout = m.spec.Grace, m.spec.Timeout
	return spec
}

// Behaviour returns what runs the machine in one process: for a process that is
// started by hand, with [process.Start], or that is something else first and
// becomes a machine (OTP: enter_loop). That one calls Init when its time has
// come, and passes Handle and Terminate on from then. If the machine has a
// name, the process must have it.
func (m *Machine[S, E, D]) Behaviour() process.Behaviour {
	return &runner[S, E, D]{at: &m.entry, turn: Turn[E]{stock: m.stock}}
}

// Stop returns what a handler returns to end its process with this reason:
// Stop(nil) ends it normally. Answers given in that turn are sent first (OTP's
// stop_and_reply).
func Stop(reason error) error { return process.End(reason) }
