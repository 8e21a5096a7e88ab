package application

import (
	"errors"
	"fmt"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// This file holds what the controller refuses: what cannot be done as things
// stand, and what would have somebody wait for himself.

// mayStart says why a start cannot be begun, or joined.
func (c *controller) mayStart(req *startRequest) error {
	app := req.app
	refuse := func(err error) error { return &Error{Op: "start", App: app, Err: err} }
	switch {
	case app == nil:
		return errors.New("application: start of a nil App")
	case req.typ > Temporary:
		return refuse(fmt.Errorf("%w: %v", ErrInvalidType, req.typ))
	case c.down != nil:
		return refuse(ErrNodeDown)
	}
	if c.loaded[app] == nil {
		if err := c.load(app); err != nil {
			return err
		}
	}
	if i := c.find(app); i != nil {
		switch {
		case c.isUp(i):
			return &AlreadyStartedError{App: app}
		case i.isCallback(req.From()) || c.wouldWaitForItself(req.From(), i):
			return refuse(ErrOwnCallback)
		}
		return nil
	}
	return c.missing(app)
}

// wouldWaitForItself reports whether the caller is part of an application whose
// own start has to wait until that of i is over, and that of i, directly or
// through others, for the caller's.
func (c *controller) wouldWaitForItself(caller process.PID, i *instance) bool {
	at := slices.IndexFunc(c.rising, func(j *instance) bool { return j.group == caller.Group() })
	return at >= 0 && c.waitsFor(i, c.rising[at])
}

// waitsFor reports whether the start of i waits for that of j. There are no
// circles in who waits for whom: they are refused.
func (c *controller) waitsFor(i, j *instance) bool {
	if i == j {
		return true
	}
	asks := func(call *process.Call) bool { return call.Waiting() && call.From().Group() == i.group }
	for _, k := range c.rising {
		waits := slices.ContainsFunc(k.starters, func(req *startRequest) bool { return asks(&req.Call) }) ||
			slices.ContainsFunc(k.stoppers, func(req *stopRequest) bool { return asks(&req.Call) })
		if waits && c.waitsFor(k, j) {
			return true
		}
	}
	return false
}

// missing says which of app's needs has not been started (APP-05).
func (c *controller) missing(app *App) error {
	for _, need := range c.lacking(app) {
		if p := c.loaded[need]; p != nil && p.forbidden {
			return &DependencyError{App: app, Needs: need, Err: ErrNotPermitted}
		}
		if !c.started[need] || c.find(need) != nil {
			return &DependencyError{App: app, Needs: need, Err: ErrNotStarted}
		}
	}
	return nil
}

// lacking returns those of app's needs that are not up. Optional ones need not be.
func (c *controller) lacking(app *App) []*App {
	up := c.upNow()
	return slices.DeleteFunc(needsOf(app, func(*App) bool { return false }), func(need *App) bool { return slices.Contains(up, need) })
}

// mayStop says why an application cannot be stopped, or forbidden to run.
func (c *controller) mayStop(req *stopRequest) error {
	i := c.find(req.app)
	if i == nil {
		return c.mayForget(req)
	}
	rising := !i.going() && !c.isUp(i)
	switch {
	case rising && !req.forbid:
		return ErrNotStarted // OTP says so too
	case i.isCallback(req.From()) || rising && c.wouldWaitForItself(req.From(), i):
		return ErrOwnCallback
	case !i.going() && c.down != nil:
		return ErrNodeDown // its turn will come; to wait for it might be to wait for oneself
	}
	return nil
}

// mayForget is mayStop for an application that does not run.
func (c *controller) mayForget(req *stopRequest) error {
	p := c.loaded[req.app]
	switch {
	case req.forbid && p == nil:
		return ErrNotLoaded
	case req.forbid || c.started[req.app] || p != nil && p.wanted != 0:
		return nil
	}
	return ErrNotStarted
}
