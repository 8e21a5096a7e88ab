package application

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// An anchor is what a node's own stop finds: it has the controller take all
// applications down and waits for that. A process of its own does so because
// the controller must go on answering meanwhile.
type anchor struct {
	books *controller
	pid   process.PID // the controller's
}

const anchorName = "coppice.applications"

// moor starts the anchor, the first time and whenever somebody has killed it.
// It comes after the controller among what hangs below the node's root, and so
// is stopped before it.
func (c *controller) moor() error {
	if c.down != nil {
		return nil // it has done its work
	}
	pid, err := process.Start(c.node.Context(), process.Spec{
		Name: anchorName, Kind: process.KindSupervisor, TrapExit: true, Behaviour: &anchor{c, process.Self(c.ctx)},
	})
	if err == nil {
		_, err = process.Monitor(c.ctx, pid, nil)
	}
	return err
}

func (a *anchor) Init(ctx context.Context) error {
	_, err := process.Monitor(ctx, a.pid, nil)
	return err
}

func (a *anchor) Handle(ctx context.Context, msg any) error {
	if down, ok := msg.(*process.Down); ok {
		return process.End(a.adrift(ctx, down.Reason))
	}
	warnUnknown(ctx, msg)
	return nil
}

// adrift ends a node whose controller was killed: nobody knows any more what
// runs on it. The applications, which are linked to the controller, all stop
// at once then, each in its own order; that is waited for.
func (a *anchor) adrift(ctx context.Context, reason error) error {
	cause := fmt.Errorf("application: the process that keeps the books has ended: %w", reason)
	var left []*instance
	a.books.update(func() {
		a.books.down = &descent{cause: cause, over: true}
		left = slices.Concat(a.books.running, a.books.rising)
	})
	for _, i := range left {
		if pid := i.pid(); !pid.IsZero() {
			_, _ = process.Wait(ctx, pid) // unless the node is stopped first
		}
	}
	close(a.books.gone)
	a.books.stopNode()
	return cause
}

func (a *anchor) Terminate(ctx context.Context, _ error) error {
	err := process.Do(process.WithCallTimeout(ctx, process.Infinity), a.pid, &downRequest{})
	if _, dead := errors.AsType[*process.ExitError](err); dead {
		return nil // a controller that has ended took its applications with it
	}
	return err
}

// A downRequest has all applications taken down; it is answered when they are.
type downRequest struct{ process.Call }

// A descent is a node's applications going down, one at a time: those that are
// starting first, then those that run, the latest first.
type descent struct {
	cause   error   // nil: the node is being stopped
	faults  []error // what went wrong on the way
	waiting []*downRequest
	over    bool
}

func (d *descent) wait(req *downRequest) {
	if d.over {
		req.Reply(nil, nil)
		return
	}
	d.waiting = append(d.waiting, req)
}

// wentWrong notes what went wrong on the way down.
func (c *controller) wentWrong(err error) {
	c.update(func() { c.down.faults = append(c.down.faults, err) })
}

// downfall returns what took the node down, and what went wrong on the way. It
// is not for the controller's process, which may still be at work when the stop
// was forced.
func (c *controller) downfall() (cause, faults error) {
	if c == nil {
		return nil, nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.down == nil {
		return nil, nil
	}
	return c.down.cause, errors.Join(c.down.faults...)
}

// goDown begins the descent; the first cause is the one that is reported.
func (c *controller) goDown(cause error) {
	if c.down != nil {
		return
	}
	c.update(func() { c.down = &descent{cause: cause} })
	if ended, ok := cause.(*EndedError); ok {
		r := &Report{What: NodeGoesDown, App: ended.App, Type: ended.Type, Reason: ended.Reason}
		r.emit(c.ctx, process.PID{})
	}
	c.announce()
	c.next()
}

// next takes the next step of a descent. It is called whenever an application
// has come up or has gone.
func (c *controller) next() {
	d := c.down
	if d == nil || d.over || c.herald.speaking() {
		return
	}
	if n := len(c.rising); n > 0 {
		c.interrupt(c.rising[n-1])
		return
	}
	if slices.ContainsFunc(c.running, func(i *instance) bool { return i.asked || i.phase() > phaseRunning }) {
		return // that one first
	}
	if n := len(c.running); n > 0 {
		c.finish(c.running[n-1])
		return
	}
	d.over = true
	close(c.gone)
	for _, req := range d.waiting {
		req.Reply(nil, nil)
	}
	if d.cause != nil {
		c.stopNode()
	}
}

// stopNode has what is left of the node go too. None of its own processes could
// wait for that, so this is no process; who wants to know uses Wait.
func (c *controller) stopNode() {
	time.AfterFunc(lastWords, func() { _ = c.node.Stop(context.Background()) })
}

// lastWords is how long those who have just been answered, say that a start has
// failed, may go on before the node that goes down takes their processes too.
const lastWords = 10 * time.Millisecond

// interrupt asks a start to give up, and cuts it short if it does not within
// the time that its tree would have to stop.
func (c *controller) interrupt(i *instance) {
	if i.asked {
		return
	}
	i.asked = true
	i.giveUp(ErrNodeDown)
	i.timer.Stop()
	if limit := i.app.limit(phaseTree); limit >= 0 {
		i.timer = process.After(c.ctx, limit, &startLate{i})
	}
}
