package application

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Start starts an application whose needs run already, loading it first if it
// is not, and returns when its Start and all start phases have. The zero Type
// is Temporary.
//
// It fails with a *DependencyError if something it needs does not run, with an
// *AlreadyStartedError if it runs itself, and with a *CallbackError if it does
// not come up; what did come up is gone again by then. The node goes down if an
// application that matters to it, by its Type, does not come up, or cannot since
// what it needs has ended (ErrNotRunning). Whoever asks while it is
// starting gets the same answer as the first. When ctx is done the caller stops
// waiting; the start goes on.
func Start(ctx context.Context, app *App, typ Type) error {
	return start(ctx, app, typ, process.CallerPC(1))
}

func start(ctx context.Context, app *App, typ Type, caller uintptr) error {
	return ask(ctx, &startRequest{app: app, typ: typ, caller: caller})
}

// EnsureStarted is Start, and content with an application that runs already.
func EnsureStarted(ctx context.Context, app *App, typ Type) error {
	return ensureStarted(ctx, app, typ, process.CallerPC(1))
}

func ensureStarted(ctx context.Context, app *App, typ Type, caller uintptr) error {
	err := start(ctx, app, typ, caller)
	if _, already := errors.AsType[*AlreadyStartedError](err); already {
		return nil
	}
	return err
}

type startRequest struct {
	process.Call
	app    *App
	typ    Type
	caller uintptr // where it was asked for
}

// startLate tells the controller that a start has run out of time.
type startLate struct{ inst *instance }

// start begins a start, joins one that is under way, or refuses.
func (c *controller) start(req *startRequest) {
	if err := c.mayStart(req); err != nil {
		req.Reply(nil, err)
		return
	}
	if c.withhold(req) {
		return
	}
	if i := c.find(req.app); i != nil { // on the way up, or down: then it is started again after
		i.starters = append(i.starters, req)
		return
	}
	// mayStart has seen that all were started. A library runs nothing that could
	// miss one that has ended since.
	if ended := c.lacking(req.app); len(ended) > 0 && !req.app.library() {
		c.failedNeed(req, ended[0])
		return
	}
	i := &instance{app: req.app, typ: req.typ.or(Temporary), place: c.loaded[req.app], caller: req.caller,
		born: time.Now(), starters: []*startRequest{req}}
	i.last.Store(i)
	c.update(func() { c.rising = append(c.rising, i) })
	if req.app.library() {
		i.enter(c.ctx, phaseRunning, "")
		c.up(i)
		return
	}
	if err := c.employ(i, &beginMsg{}); err != nil {
		i.set(func() { i.failure = err })
		c.over(i)
		return
	}
	if limit := req.app.limit(phaseStart); limit >= 0 {
		i.timer = process.After(c.ctx, limit, &startLate{i})
	}
}

// failedNeed fails a start for something that it needs, which has ended. That is
// a failed start like any other, and not a mere refusal as where a need was never
// started: what the node has lost may be what it cannot do without (APP-06).
func (c *controller) failedNeed(req *startRequest, ended *App) {
	err := &DependencyError{App: req.app, Needs: ended, Err: ErrNotRunning}
	req.Reply(nil, err)
	if typ := req.typ.or(Temporary); typ.endsNode(false) {
		c.goDown(&EndedError{App: req.app, Type: typ, Starting: true, Reason: err})
	}
}

// up notes that an application has started.
func (c *controller) up(i *instance) {
	i.timer.Stop()
	i.asked = false // a start that was told to give up may come up all the same
	c.update(func() {
		c.rising = slices.DeleteFunc(c.rising, func(other *instance) bool { return other == i })
		c.running = append(c.running, i)
	})
	c.started[i.app] = true
	r := &Report{What: Started, App: i.app, Type: i.typ, Took: i.age()}
	r.emit(c.ctx, i.master)
	i.answerStarters(nil)
	switch {
	case c.down != nil:
		c.next()
	case i.going(): // it has ended again, by itself
	case i.forbidden: // meanwhile; OTP too looks again
		c.finish(i)
	default: // forbidden, and permitted again
		i.answerStoppers(nil)
	}
}

// startLate ends a start that takes too long. Its process is in the middle of
// Start and cannot be talked to; another one clears up behind it.
func (c *controller) startLate(i *instance) {
	if !slices.Contains(c.rising, i) {
		return
	}
	at, detail, since := i.where()
	late := i.failedIn(detail, TimedOut, ErrTimeout)
	i.set(func() {
		if i.told != nil {
			late.Err = i.told
		}
		i.failure = late
	})
	r := &Report{What: Hung, App: i.app, Type: i.typ, Phase: phaseName(at, detail), Reason: late,
		Took: time.Since(since).Round(time.Millisecond), Left: lookAt([]process.PID{i.master})}
	r.emit(c.ctx, i.master)
	// It cannot fail but by our own end.
	_ = process.Kill(c.ctx, i.master)
}
