package application

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// A master is the process of a running application: it runs Start, so that the
// tree hangs below it, waits for the top to end or for the word to stop, and
// takes the application down, all in its own time. However it ends, Terminate
// is where it does; only a kill skips that, and then a second master, started
// with the same instance, does what is left (APP-33).
type master struct {
	*instance
	controller process.PID
	second     bool // the first one was killed
}

const (
	kindMaster = "application"
	kindHelper = "application callback"
)

// What the controller sends a master.
type (
	beginMsg  struct{} // start the application
	finishMsg struct{} // take it down
)

// timeUp is what a master tells itself after MaxTime.
type timeUp struct{}

// startedMsg tells the controller that an application is up.
type startedMsg struct{ inst *instance }

// A changeRequest has ConfigChange called.
type changeRequest struct {
	process.Call
	change Change
}

func (m *master) Init(context.Context) error { return nil }

func (m *master) Handle(ctx context.Context, msg any) error {
	switch msg := msg.(type) {
	case *beginMsg:
		return m.start(ctx)
	case *finishMsg:
		return process.End(process.ErrShutdown)
	case *timeUp:
		return process.End(process.Shutdown(errTimeUp)) // without a reason: that is a normal end
	case *process.Down: // of the top; there is no other monitor
		// The reason of one that had ended before it was monitored is not in
		// the message; its PID knows.
		reason, err := process.Wait(ctx, msg.PID)
		if err != nil {
			return err // killed just now
		}
		m.set(func() { m.reason = reason })
		return process.End(process.Shutdown(errTopEnded))
	case *changeRequest:
		msg.Reply(nil, m.configChange(ctx, msg.change))
	case *process.ExitSignal:
		if msg.From == m.controller {
			return process.End(process.ErrShutdown)
		}
		// The top's end is learnt by its monitor, which no unlink can take
		// away (APP-54). Others who were linked here have had their say.
	default:
		warnUnknown(ctx, msg)
	}
	return nil
}

var (
	errTopEnded = errors.New("the top of the tree has ended")
	errTimeUp   = errors.New("its MaxTime is over")
)

// start runs Start and the start phases. What it leaves behind by failing is
// taken down in Terminate.
func (m *master) start(ctx context.Context) error {
	m.enter(ctx, phaseStart, "")
	startCtx, cancel := m.begin(ctx)
	defer cancel(nil)
	top, err := m.app.Start(process.WithBirth(startCtx, process.Birth{ID: "top"}))
	if err := m.judgeTop(ctx, top, err); err != nil {
		return m.fail(ctx, err)
	}
	if !m.alive(ctx) {
		return process.ErrKilled
	}
	m.set(func() { m.top = top })
	if _, err := process.Monitor(ctx, top, nil); err != nil {
		return m.fail(ctx, m.callbackError(CallbackStart, Returned, err))
	}
	for _, step := range phasePlan(m.app) {
		if !m.alive(ctx) {
			return process.ErrKilled
		}
		m.enter(ctx, phaseStart, step.phase.Name)
		if err := step.phase.Run(startCtx); err != nil {
			return m.fail(ctx, &CallbackError{App: step.app, Callback: CallbackStartPhase, Phase: step.phase.Name, Err: err})
		}
	}
	if !m.alive(ctx) {
		return process.ErrKilled
	}
	m.enter(ctx, phaseRunning, "")
	if m.app.MaxTime > 0 {
		process.After(ctx, m.app.MaxTime, &timeUp{})
	}
	return process.Send(ctx, m.controller, &startedMsg{m.instance})
}

// judgeTop refuses what cannot be the top of a tree.
func (m *master) judgeTop(ctx context.Context, top process.PID, err error) error {
	switch {
	case errors.Is(err, process.ErrIgnore):
		return m.callbackError(CallbackStart, BadReturn, err)
	case err != nil:
		return m.callbackError(CallbackStart, Returned, err)
	case top.IsZero():
		return m.callbackError(CallbackStart, BadReturn, errNoTop)
	case top.Alive() && !top.Linked(process.Self(ctx)):
		return m.callbackError(CallbackStart, BadReturn, fmt.Errorf("%w: %v", errStrangeTop, top))
	}
	return nil
}

var (
	errNoTop      = errors.New("it returned neither a process nor an error")
	errStrangeTop = errors.New("the process it returned is not linked to the application; start it with the ctx that Start was given")
)

func (m *master) callbackError(c Callback, o Outcome, err error) error {
	return &CallbackError{App: m.app, Callback: c, Outcome: o, Err: err}
}

// fail notes why the start failed. The reason of the process's own end is a
// clean one: the failure is told to whoever asked for the start.
func (m *master) fail(ctx context.Context, err error) error {
	if m.alive(ctx) { // the failure of one that has been killed is the kill
		m.set(func() { m.failure = err })
	}
	return process.End(process.Shutdown(err))
}

// Terminate takes the application down.
func (m *master) Terminate(ctx context.Context, reason error) error {
	if at, detail, _ := m.where(); at == phaseStart && m.startFailure() == nil {
		m.set(func() { m.failure = m.failedIn(detail, Ended, reason) })
	}
	m.takeDown(ctx)
	return nil
}

func (m *master) startFailure() (err error) {
	m.set(func() { err = m.failure })
	return err
}

// failedIn is the failure of a start in one of its phases, or in Start itself.
func (i *instance) failedIn(startPhase string, o Outcome, err error) *CallbackError {
	callback := CallbackStart
	if startPhase != "" {
		callback = CallbackStartPhase
	}
	return &CallbackError{App: i.app, Callback: callback, Phase: startPhase, Outcome: o, Err: err}
}
