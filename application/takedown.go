package application

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// takeDown ends the application: whoever is outside and still calls is taken
// leave of while the tree is up, then the tree goes, then what Start did
// besides is undone (APP-29). A top that ended by itself has taken the tree
// with it; all else happens all the same (APP-32). An application that has
// never been up, because Start itself failed, has nothing to take leave of and
// nothing to undo.
//
// After a kill, the tree has the exit signal of the process that it hung below.
// The one that does what is left waits for it, and then begins behind the phase
// in which the first one was.
func (m *master) takeDown(ctx context.Context) {
	from, top := m.phase(), m.tree()
	started, up := !top.IsZero(), top.Alive()
	for _, step := range []struct {
		due bool
		do  func(context.Context)
	}{
		{m.second, m.stopTree},
		{started && from < phasePrepStop, m.prepStop},
		{started && up && !m.second, m.checkDrained},
		{!m.second, m.stopTree},
		{started && from < phaseStop, m.callStop},
		{true, m.endStrays},
	} {
		if step.due && m.alive(ctx) {
			step.do(ctx)
		}
	}
	if m.alive(ctx) {
		m.enter(ctx, phaseStopped, "")
	}
}

// alive reports whether this process may still speak for the application. One
// that was killed in a callback comes to itself when that returns, and finds
// that another has taken over.
func (m *master) alive(ctx context.Context) bool { return process.Self(ctx).Alive() }

func (m *master) tree() (top process.PID) {
	m.set(func() { top = m.top })
	return top
}

func (m *master) prepStop(ctx context.Context) {
	m.enter(ctx, phasePrepStop, "")
	if m.app.PrepStop != nil {
		m.complain(ctx, m.run(ctx, CallbackPrepStop, phasePrepStop, m.app.PrepStop))
	}
}

func (m *master) callStop(ctx context.Context) {
	m.enter(ctx, phaseStop, "")
	if m.app.Stop != nil {
		m.complain(ctx, m.run(ctx, CallbackStop, phaseStop, m.app.Stop))
	}
}

func (m *master) configChange(ctx context.Context, c Change) error {
	if m.app.ConfigChange == nil {
		return nil
	}
	err := m.run(ctx, CallbackConfigChange, phaseConfigChange, func(ctx context.Context) error { return m.app.ConfigChange(ctx, c) })
	m.report(ctx, err)
	return err
}

// run calls a callback in a process of its own below the application's, so
// that one that hangs or crashes does not keep the application from ending.
func (m *master) run(ctx context.Context, name Callback, p phase, f func(context.Context) error) error {
	var returned error
	ctx = process.WithBirth(ctx, process.Birth{ID: p.String()})
	pid, err := process.GoSpec(ctx, process.Spec{Kind: kindHelper, Caller: m.caller}, func(ctx context.Context) error {
		returned = f(ctx)
		return nil // a returned error is an answer, not a crash
	})
	if err != nil {
		return m.callbackError(name, Ended, err)
	}
	reason, err := process.WaitFor(ctx, pid, m.app.limit(p))
	switch {
	case errors.Is(err, process.ErrTimeout):
		return errors.Join(m.callbackError(name, TimedOut, ErrTimeout), m.hang(ctx, p, []process.PID{pid}, pid))
	case err != nil: // this process has been killed itself
		return m.callbackError(name, Ended, err)
	case reason != nil:
		return m.callbackError(name, Ended, reason)
	case returned != nil:
		return m.callbackError(name, Returned, returned)
	}
	return nil
}

// stopTree shuts down what hangs below the application's process, youngest
// first, and waits for it, but not for ever. That is the top and whatever else
// Start has started; if Start failed, what it had started by then.
func (m *master) stopTree(ctx context.Context) {
	m.enter(ctx, phaseTree, "")
	limit := m.app.limit(phaseTree)
	due := time.Now().Add(limit)
	for _, pid := range slices.Backward(m.children(ctx)) {
		if !m.second {
			// A failure to send means that it has just ended.
			_ = process.SendExit(ctx, pid, process.ErrShutdown)
		}
		left := limit
		if limit >= 0 {
			left = max(0, time.Until(due))
		}
		if _, err := process.WaitFor(ctx, pid, left); errors.Is(err, process.ErrTimeout) {
			m.complain(ctx, m.hang(ctx, phaseTree, m.members(ctx), pid))
		}
	}
}

// children returns what hangs, or hung, right below the application's process,
// oldest first.
func (m *master) children(ctx context.Context) []process.PID {
	return slices.DeleteFunc(m.members(ctx), func(pid process.PID) bool { return !pid.Parent().Is(kindMaster) })
}

// hang reports what did not end in time and kills who is responsible for it.
func (m *master) hang(ctx context.Context, p phase, left []process.PID, kill process.PID) error {
	hung := &HangError{App: m.app, Phase: p.String(), Limit: m.app.limit(p), Left: lookAt(left)}
	r := &Report{What: Hung, App: m.app, Type: m.typ, Phase: p.String(), Reason: hung, Left: hung.Left, Took: hung.Limit}
	r.emit(ctx, process.Self(ctx))
	m.kill(ctx, kill)
	return hung
}

// kill ends a process for good. That takes its Grace at most.
func (m *master) kill(ctx context.Context, pid process.PID) {
	// It cannot fail but by our own end, which Wait finds too.
	_ = process.Kill(ctx, pid)
	_, _ = process.Wait(ctx, pid)
}

// complain notes and reports what went wrong while stopping; a hang has been
// reported when it was found.
func (m *master) complain(ctx context.Context, err error) {
	if err == nil || !m.alive(ctx) {
		return
	}
	m.fault(err)
	m.report(ctx, err)
}

func (m *master) report(ctx context.Context, err error) {
	if _, hung := errors.AsType[*HangError](err); err == nil || hung {
		return
	}
	r := &Report{What: CallbackFailed, App: m.app, Type: m.typ, Reason: err}
	r.emit(ctx, process.Self(ctx))
}

// straysTime is what the last processes have to end by themselves: helpers
// linked to a worker that has just died need a moment.
const straysTime = 100 * time.Millisecond

// endStrays kills whatever belongs to the application and was in no tree, or
// outlived its tree (APP-51). What it starts meanwhile is killed too.
func (m *master) endStrays(ctx context.Context) {
	m.enter(ctx, phaseStrays, "")
	due := time.Now().Add(straysTime)
	for _, pid := range m.members(ctx) {
		if _, err := process.WaitFor(ctx, pid, max(0, time.Until(due))); err != nil {
			break
		}
	}
	strays := m.members(ctx)
	if len(strays) == 0 {
		return
	}
	r := &Report{What: StraysEnded, App: m.app, Type: m.typ, Left: lookAt(strays)}
	r.emit(ctx, process.Self(ctx))
	for ; len(strays) > 0 && m.alive(ctx); strays = m.members(ctx) {
		for _, pid := range strays {
			_ = process.Kill(ctx, pid) // it fails only if it is dead, or we are
		}
		for _, pid := range strays {
			_, _ = process.Wait(ctx, pid) // returns after its Grace at the latest
		}
	}
}

// members returns the living processes of the application but its own.
func (m *master) members(ctx context.Context) []process.PID {
	self := process.Self(ctx)
	var all []process.PID
	for _, pid := range m.node.Processes() {
		if pid.Group() == m.group && pid != self {
			all = append(all, pid)
		}
	}
	return all
}
