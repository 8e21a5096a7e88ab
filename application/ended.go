package application

import (
	"context"
	"errors"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// ended deals with the end of an application's process.
func (c *controller) ended(pid process.PID, reason error) {
	i := c.byPID[pid]
	if c.hasSpoken(pid, reason) || i == nil {
		return // linked by a stranger, or by the node's root
	}
	delete(c.byPID, pid)
	i.timer.Stop()
	if i.phase() != phaseStopped && !i.cleaning {
		c.clearUp(i, reason)
		return
	}
	c.over(i)
}

// clearUp lets another process finish what a killed one can not.
func (c *controller) clearUp(i *instance, reason error) {
	i.cleaning = true
	i.set(func() {
		switch {
		case i.at == phaseStart && i.failure == nil:
			i.failure = i.failedIn(i.detail, Ended, reason)
		case i.reason == nil:
			i.reason = reason
		}
	})
	if err := c.employ(i, &finishMsg{}); err != nil {
		c.over(i)
	}
}

// employ starts a process for an application and sends it its first word. It
// belongs to nobody's tree but is linked to the controller: the paths of its
// processes begin with the application's name.
func (c *controller) employ(i *instance, first any) error {
	birth := process.Birth{ID: i.app.Name, Group: i.group, Values: context.WithValue(c.ctx, scopeKey{}, i)}
	pid, err := process.Start(process.WithBirth(c.ctx, birth), process.Spec{
		Kind: kindMaster, TrapExit: true, Unlinked: true, Caller: i.caller, Behaviour: &master{instance: i, controller: c.pid(), second: i.cleaning},
	})
	if err != nil {
		return err
	}
	i.set(func() { i.master = pid })
	c.byPID[pid] = i
	if err := process.Link(c.ctx, pid); err != nil {
		return err
	}
	return process.Send(c.ctx, pid, first)
}

// over draws the conclusions from the end of an application.
func (c *controller) over(i *instance) {
	i.mu.Lock()
	failure, reason, faults := i.failure, i.reason, errors.Join(i.faults...)
	i.mu.Unlock()
	rising := slices.Contains(c.rising, i)
	c.update(func() {
		is := func(other *instance) bool { return other == i }
		c.rising = slices.DeleteFunc(c.rising, is)
		c.running = slices.DeleteFunc(c.running, is)
	})
	switch {
	case rising:
		c.failed(i, failure)
	case i.asked:
		c.exited(i, ErrStopped)
		delete(c.started, i.app)
	default:
		c.exited(i, reason)
	}
	var stopErr error
	if faults != nil {
		stopErr = &StopError{App: i.app, Err: faults}
		if c.down != nil {
			c.wentWrong(stopErr)
		}
	}
	i.answerStoppers(stopErr)
	if !rising && !i.asked && i.typ.endsNode(reason == nil) {
		c.goDown(&EndedError{App: i.app, Type: i.typ, Reason: reason})
	}
	for _, req := range i.starters { // asked for while it was being stopped
		c.start(req)
	}
	c.next()
}

func (i *instance) answerStarters(err error) {
	for _, req := range i.starters {
		req.Reply(nil, err)
	}
	i.starters = nil
}

func (i *instance) answerStoppers(err error) {
	for _, req := range i.stoppers {
		req.Reply(nil, err)
	}
	i.stoppers = nil
}

// failed tells everybody that a start has failed.
func (c *controller) failed(i *instance, failure error) {
	c.exited(i, failure)
	c.update(func() { i.wanted = 0 }) // if it was forbidden meanwhile
	i.answerStarters(failure)
	callback, _ := errors.AsType[*CallbackError](failure)
	normal := callback != nil && callback.Outcome == Ended && callback.Err == nil
	if c.down == nil && i.typ.endsNode(normal) {
		c.goDown(&EndedError{App: i.app, Type: i.typ, Starting: true, Reason: failure})
	}
}

func (c *controller) exited(i *instance, reason error) {
	r := &Report{What: Exited, App: i.app, Type: i.typ, Reason: reason, Down: c.down != nil, Took: i.age()}
	r.emit(c.ctx, i.master)
}
