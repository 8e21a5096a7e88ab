package application

import (
	"context"
	"errors"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// EnsureAllStarted starts the applications and all that they need, in order,
// and returns those that it started. If one fails, those are stopped again,
// latest first; what ran before is left alone. Optional needs are started too
// where they are loaded, and the apps themselves are loaded first.
//
// When ctx is done it stops waiting and undoes nothing: what it has started,
// and returns, runs on, and what is starting goes on starting.
func EnsureAllStarted(ctx context.Context, typ Type, apps ...*App) ([]*App, error) {
	return (&ascent{typ: typ, caller: process.CallerPC(1)}).start(ctx, apps)
}

// EnsureAllStartedConcurrently is EnsureAllStarted, and each application starts
// as soon as what it needs runs, whatever else is starting. They are returned in
// the order in which they came up.
func EnsureAllStartedConcurrently(ctx context.Context, typ Type, apps ...*App) ([]*App, error) {
	return (&ascent{typ: typ, concurrent: true, caller: process.CallerPC(1)}).start(ctx, apps)
}

// An ascent is several applications being started.
type ascent struct {
	typ        Type
	concurrent bool // else one at a time
	caller     uintptr

	control  *controller
	waiting  []*App // in an order in which they can start
	starting []*App
	started  []*App // in the order in which they came up
	results  chan result
}

// A result is what came of one start.
type result struct {
	app *App
	err error
}

func (a *ascent) start(ctx context.Context, apps []*App) (started []*App, err error) {
	if a.control, err = controllerOf(ctx); err != nil {
		return nil, err
	}
	for _, app := range apps {
		if err := ask(ctx, &loadRequest{app: app}); err != nil && !errors.Is(err, ErrAlreadyLoaded) {
			return nil, err
		}
	}
	if a.waiting, err = startOrder(apps, a.control.isLoaded, a.control.upNow()); err != nil {
		return nil, err
	}
	err = a.climb(ctx)
	if err != nil && ctx.Err() == nil {
		return nil, a.undo(ctx, err)
	}
	return a.started, err
}

// climb starts all that are waiting. After a failure, which it returns, it only
// waits for those that are on their way.
func (a *ascent) climb(ctx context.Context) (failure error) {
	a.results = make(chan result, len(a.waiting))
	for {
		if failure == nil {
			a.beginReady(ctx)
		}
		if len(a.starting) == 0 {
			return failure
		}
		r := <-a.results // it comes: whatever ends a start, or us, ends the wait for it
		a.starting = without(a.starting, r.app)
		_, already := errors.AsType[*AlreadyStartedError](r.err)
		switch {
		case already: // by somebody else, meanwhile
		case r.err == nil:
			a.started = append(a.started, r.app)
		case failure == nil || errors.Is(failure, ErrNodeDown): // rather the cause than what came of it
			failure = r.err
		}
	}
}

// beginReady starts those that wait for nobody else any more.
func (a *ascent) beginReady(ctx context.Context) {
	for _, app := range slices.Clone(a.waiting) {
		if a.isReady(app) {
			a.waiting, a.starting = without(a.waiting, app), append(a.starting, app)
			a.begin(ctx, app)
		}
	}
}

func (a *ascent) isReady(app *App) bool {
	if !a.concurrent {
		return len(a.starting) == 0
	}
	return !slices.ContainsFunc(needsOf(app, a.control.isLoaded), func(need *App) bool {
		return slices.Contains(a.waiting, need) || slices.Contains(a.starting, need)
	})
}

// begin starts one application, in a process of its own if others should not
// have to wait. The caller is the same either way.
func (a *ascent) begin(ctx context.Context, app *App) {
	begin := func(context.Context) error {
		a.results <- result{app, start(ctx, app, a.typ, a.caller)}
		return nil
	}
	if !a.concurrent {
		_ = begin(ctx) // the error is in the result
		return
	}
	spec := process.Spec{Kind: "application start", Unlinked: true, Caller: a.caller}
	if _, err := process.GoSpec(ctx, spec, begin); err != nil {
		a.results <- result{app, err}
	}
}

// undo stops what was started before a start failed with err. If the failure
// takes the node down, that does it. A ctx that is done must not keep it from
// happening.
func (a *ascent) undo(ctx context.Context, err error) error {
	ctx = context.WithoutCancel(ctx)
	for _, app := range slices.Backward(a.started) {
		stopErr := Stop(ctx, app)
		if stopErr != nil && !errors.Is(stopErr, ErrNodeDown) && !errors.Is(stopErr, ErrNotStarted) {
			err = errors.Join(err, stopErr)
		}
	}
	return err
}

func without(apps []*App, gone *App) []*App {
	return slices.DeleteFunc(apps, func(app *App) bool { return app == gone })
}
