package application

import (
	"context"
	"errors"
	"fmt"
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
// not come up; what did come up is gone again by then. Whoever asks while it is
// starting gets the same answer as the first. When ctx is done the caller stops
// waiting; the start goes on.
func Start(ctx context.Context, app *App, typ Type) error {
	return ask(ctx, &startRequest{app: app, typ: typ})
}

// EnsureStarted is Start, and content with an application that runs already.
func EnsureStarted(ctx context.Context, app *App, typ Type) error {
	err := Start(ctx, app, typ)
	if _, already := errors.AsType[*AlreadyStartedError](err); already {
		return nil
	}
	return err
}

// EnsureAllStarted starts the applications and all that they need, in order,
// and returns those that it started. If one fails, those are stopped again,
// latest first; what ran before is left alone. Optional needs are started too
// where they are loaded, and the apps themselves are loaded first.
//
// When ctx is done it stops waiting and undoes nothing: what it has started,
// and returns, runs on, and what is starting goes on starting.
func EnsureAllStarted(ctx context.Context, typ Type, apps ...*App) ([]*App, error) {
	c, err := controllerOf(ctx)
	if err != nil {
		return nil, err
	}
	for _, app := range apps {
		if err := ask(ctx, &loadRequest{app: app}); err != nil && !errors.Is(err, ErrAlreadyLoaded) {
			return nil, err
		}
	}
	plan, err := startOrder(apps, c.isLoaded, c.upNow())
	if err != nil {
		return nil, err
	}
	var started []*App
	for _, app := range plan {
		err := Start(ctx, app, typ)
		if _, already := errors.AsType[*AlreadyStartedError](err); already {
			continue // by somebody else, meanwhile
		}
		if err != nil && ctx.Err() != nil {
			return started, err
		}
		if err != nil {
			return nil, undo(ctx, started, err)
		}
		started = append(started, app)
	}
	return started, nil
}

// undo stops what was started before a start failed with err. If the failure
// takes the node down, that does it. A ctx that is done must not keep it from
// happening.
func undo(ctx context.Context, started []*App, err error) error {
	ctx = context.WithoutCancel(ctx)
	for _, app := range slices.Backward(started) {
		stopErr := Stop(ctx, app)
		if stopErr != nil && !errors.Is(stopErr, ErrNodeDown) && !errors.Is(stopErr, ErrNotStarted) {
			err = errors.Join(err, stopErr)
		}
	}
	return err
}

type startRequest struct {
	process.Call
	app *App
	typ Type
}

// startLate tells the controller that a start has run out of time.
type startLate struct{ inst *instance }

// start begins a start, joins one that is under way, or refuses.
func (c *controller) start(req *startRequest) {
	if err := c.mayStart(req); err != nil {
		req.Reply(nil, err)
		return
	}
	if i := c.find(req.app); i != nil { // on the way up, or down: then it is started again after
		i.starters = append(i.starters, req)
		return
	}
	i := &instance{app: req.app, typ: req.typ.or(Temporary), place: c.loaded[req.app], born: time.Now(), starters: []*startRequest{req}}
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
		case i.phase() == phaseRunning && !i.asked:
			return &AlreadyStartedError{App: app}
		case i.isCallback(req.From()) || c.wouldWaitForItself(req, i):
			return refuse(ErrOwnCallback)
		}
		return nil
	}
	return c.missing(app)
}

// wouldWaitForItself reports whether the caller is part of an application whose
// own start has to wait until that of i is over, and that of i, directly or
// through others, for the caller's.
func (c *controller) wouldWaitForItself(req *startRequest, i *instance) bool {
	at := slices.IndexFunc(c.rising, func(j *instance) bool { return j.group == req.From().Group() })
	return at >= 0 && c.waitsFor(i, c.rising[at])
}

// waitsFor reports whether the start of i waits for that of j. There are no
// circles in who waits for whom: they are refused.
func (c *controller) waitsFor(i, j *instance) bool {
	if i == j {
		return true
	}
	for _, k := range c.rising {
		asks := func(req *startRequest) bool { return req.Waiting() && req.From().Group() == i.group }
		if slices.ContainsFunc(k.starters, asks) && c.waitsFor(k, j) {
			return true
		}
	}
	return false
}

// missing says which of app's needs does not run: first those that were never
// started, then those that have ended since (APP-05, APP-06). Optional ones
// need not.
func (c *controller) missing(app *App) error {
	up := c.upNow()
	var ended *App
	for _, need := range needsOf(app, func(*App) bool { return false }) {
		if slices.Contains(up, need) {
			continue
		}
		if _, was := c.started[need]; !was || c.find(need) != nil {
			return &DependencyError{App: app, Needs: need, Err: ErrNotStarted}
		}
		if ended == nil {
			ended = need
		}
	}
	if ended != nil {
		return &DependencyError{App: app, Needs: ended, Err: ErrNotRunning}
	}
	return nil
}

// up notes that an application has started.
func (c *controller) up(i *instance) {
	i.timer.Stop()
	i.asked = false // a start that was told to give up may come up all the same
	c.update(func() {
		c.rising = slices.DeleteFunc(c.rising, func(other *instance) bool { return other == i })
		c.running = append(c.running, i)
	})
	c.started[i.app] = i.typ
	r := &Report{What: Started, App: i.app, Type: i.typ, Took: i.age()}
	r.emit(c.ctx, i.master)
	starters := i.starters
	i.starters = nil
	for _, req := range starters {
		req.Reply(nil, nil)
	}
	c.next()
}

// startLate ends a start that takes too long. Its process is in the middle of
// Start and cannot be talked to; another one clears up behind it.
func (c *controller) startLate(i *instance) {
	if !slices.Contains(c.rising, i) {
		return
	}
	at, detail, since := i.where()
	callback := CallbackStart
	if detail != "" {
		callback = CallbackStartPhase
	}
	late := &CallbackError{App: i.app, Callback: callback, Phase: detail, Outcome: TimedOut, Err: ErrTimeout}
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
