package application

import (
	"context"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// Stop stops an application: PrepStop, then its tree, then Stop, each with its
// time limit; then whatever is left of it is killed. Others that need it are
// not stopped, only named in a warning. It returns when the application is
// gone; a *StopError says that something did not go well on the way.
//
// Stopping what is being stopped waits for that. An application that has ended
// by itself can be stopped, which only forgets it; so can one whose start waits
// for permission, which takes the start back.
func Stop(ctx context.Context, app *App) error {
	return ask(ctx, &stopRequest{app: app})
}

type stopRequest struct {
	process.Call
	app    *App
	forbid bool // and it may not start again, see Permit
}

func (c *controller) stop(req *stopRequest) {
	if err := c.mayStop(req); err != nil {
		req.Reply(nil, &Error{Op: req.op(), App: req.app, Err: err})
		return
	}
	i := c.find(req.app)
	c.forbid(req, i)
	if i == nil {
		delete(c.started, req.app)
		req.Reply(nil, nil)
		return
	}
	i.stoppers = append(i.stoppers, req)
	if c.isUp(i) { // else up or over will see to it
		c.warnDependents(i)
		c.finish(i)
	}
}

func (req *stopRequest) op() string {
	if req.forbid {
		return "permit"
	}
	return "stop"
}

// going reports whether an application is on its way down, or will be once its
// start has given up.
func (i *instance) going() bool { return i.asked || i.phase() > phaseRunning }

// isUp reports whether an application has started and is not on its way down.
// That it says so itself is not enough: those who wait for its start must hear
// of it first.
func (c *controller) isUp(i *instance) bool { return !i.going() && !slices.Contains(c.rising, i) }

// finish sends an application down.
func (c *controller) finish(i *instance) {
	i.asked = true
	if i.master.IsZero() {
		i.enter(c.ctx, phaseStopped, "")
		c.over(i)
		return
	}
	// If it has just ended by itself, its exit is on the way.
	_ = process.Send(c.ctx, i.master, &finishMsg{})
}

// warnDependents says who needs what is about to be stopped (APP-27).
func (c *controller) warnDependents(i *instance) {
	if by := dependents(i.app, c.upNow()); len(by) > 0 {
		r := &Report{What: StillNeeded, App: i.app, Type: i.typ, By: by}
		r.emit(c.ctx, i.master)
	}
}

// Wait waits until the applications of ctx's node have gone down for good, and
// returns what took them down: an *EndedError, or nil if the node was stopped.
// err is ctx's own if it is done first.
func Wait(ctx context.Context) (cause, err error) {
	c, err := controllerOf(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.gone:
		return c.down.cause, nil
	case <-ctx.Done():
	}
	select {
	case <-c.gone: // both at once: a node's own ctx is done when it has stopped
		return c.down.cause, nil
	default:
		return nil, context.Cause(ctx)
	}
}
