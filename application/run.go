package application

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/trace"
)

// Run starts the applications and all that they need on a node of its own,
// waits until it is asked to stop or one of them takes the node down, stops
// them all in order, and returns when nothing is left. Being asked while they
// start is fine: the start unwinds, then what has started stops. It returns
// nil if all went well, otherwise a *RunError.
func Run(ctx context.Context, o Options, apps ...*App) error {
	return runAs(ctx, o, apps, process.CallerPC(1))
}

func runAs(ctx context.Context, o Options, apps []*App, caller uintptr) error {
	r := &run{Options: o, apps: apps, caller: caller}
	if len(apps) > 0 {
		o.Node.Name = cmp.Or(o.Node.Name, apps[len(apps)-1].String())
	}
	r.node = process.NewNode(o.Node)
	r.asked, r.ask = context.WithCancelCause(r.node.Context())
	r.urgent, r.force = context.WithCancelCause(context.Background())
	defer r.ask(nil)
	defer r.force(nil)
	defer context.AfterFunc(ctx, func() { r.ask(context.Cause(ctx)) })()
	if err := r.prepare(); err != nil {
		return r.end(err)
	}
	if err := r.start(); err != nil {
		return r.end(err)
	}
	if o.Ready != nil {
		o.Ready(r.node.Context())
	}
	select {
	case <-r.asked.Done():
	case <-r.control.gone:
	}
	return r.end(nil)
}

// run is one call of Run.
type run struct {
	Options
	apps    []*App
	caller  uintptr // of the code that called Run
	node    *process.Node
	control *controller

	asked  context.Context // acts for the node; done when the stop is asked for
	ask    context.CancelCauseFunc
	urgent context.Context // done when the stop is forced
	force  context.CancelCauseFunc
	pushed atomic.Bool // it was forced
}

// prepare starts what is to be stopped last: the writer of reports, so that no
// report is lost, then the watch for signals.
func (r *run) prepare() error {
	ctx := r.node.Context()
	if r.Node.Probe == nil {
		if _, err := trace.Start(ctx, r.Reports); err != nil {
			return err
		}
	}
	if _, err := process.GoSpec(ctx, process.Spec{Name: "coppice.signals", Kind: "signals", Caller: r.caller}, r.watch); err != nil {
		return err
	}
	var err error
	if r.control, err = controllerOf(ctx); err == nil && r.Stopping != nil {
		r.control.update(func() { r.control.herald = &herald{tell: r.Stopping, caller: r.caller} })
	}
	return err
}

// watch takes the signals.
func (r *run) watch(ctx context.Context) error {
	select {
	case s := <-r.Signals:
		r.ask(fmt.Errorf("application: %v", s))
	case <-r.asked.Done():
	case <-ctx.Done():
		// The node stops by itself; or somebody has killed this very process,
		// and a program that hears no signal had better stop.
		r.ask(context.Cause(ctx))
		return nil
	}
	var late <-chan time.Time
	if r.StopTimeout > 0 {
		timer := time.NewTimer(r.StopTimeout)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case s := <-r.Signals:
		r.cutShort(ctx, fmt.Errorf("application: a second signal: %v", s))
	case <-late:
		r.cutShort(ctx, fmt.Errorf("application: the stop took longer than %v", r.StopTimeout))
	case <-ctx.Done():
	}
	return nil
}

// cutShort shows what hangs and ends the wait for it.
func (r *run) cutShort(ctx context.Context, why error) {
	r.pushed.Store(true)
	out := r.Output
	if out == nil {
		out = os.Stderr
	}
	if c, err := controllerOf(ctx); err == nil {
		// Nobody is left to be told if this cannot be written.
		_, _ = fmt.Fprintf(out, "%v; what is still there:\n%s", why, c.picture())
	}
	r.force(why)
}

// start loads everything, so that all that is wrong is known before anything
// runs, then starts it.
func (r *run) start() error {
	if err := Configure(r.asked, r.Config); err != nil {
		return err
	}
	plan, err := r.load()
	if err != nil {
		return err
	}
	a := &ascent{typ: r.Type.or(Permanent), concurrent: r.Concurrent, caller: r.caller}
	_, err = a.start(r.asked, plan)
	return err
}

// load loads the applications first, so that their optional ones are known to
// be there, then what they need.
func (r *run) load() (plan []*App, err error) {
	var faults []error
	load := func(app *App) {
		if err := Load(r.asked, app); err != nil && !errors.Is(err, ErrAlreadyLoaded) {
			faults = append(faults, err)
		}
	}
	for _, app := range r.apps {
		load(app)
	}
	if faults != nil { // some of them are no basis for a plan
		return nil, errors.Join(faults...)
	}
	if plan, err = startOrder(r.apps, r.control.isLoaded, nil); err != nil {
		return nil, err
	}
	for _, app := range plan {
		load(app)
	}
	r.warnStrangers()
	return plan, errors.Join(faults...)
}

// warnStrangers reports parts of configuration files that concern nobody.
func (r *run) warnStrangers() {
	loaded := r.control.loadedApps()
	known := func(name string) bool {
		return slices.ContainsFunc(loaded, func(app *App) bool { return app.Name == name })
	}
	r.control.mu.RLock()
	strangers := r.control.sources.strangers(known)
	r.control.mu.RUnlock()
	if len(strangers) > 0 {
		process.Emit(r.node.Context(), process.Event{
			Kind: process.Warned, Level: process.LevelWarn,
			Text: "configuration for applications that are not here: " + list(strangers, 10),
		})
	}
}

// end stops the node, whatever state it is in, and says how the run has ended.
// startErr is what kept it from starting.
func (r *run) end(startErr error) error {
	why := context.Cause(r.asked)
	asked := why != nil && !errors.Is(why, process.ErrNodeStopped)
	r.ask(nil) // for the watch: from now on the time is counted
	stopErr := r.node.Stop(r.urgent)
	cause, faults := r.control.downfall()
	stopErr = errors.Join(faults, stopErr)
	ended, _ := cause.(*EndedError)
	switch {
	case r.pushed.Load():
		return &RunError{Forced, errors.Join(context.Cause(r.urgent), stopErr)}
	case ended != nil && ended.Starting:
		return &RunError{FailedStart, errors.Join(ended, stopErr)}
	case cause != nil:
		return &RunError{AppEnded, errors.Join(cause, stopErr)}
	case startErr != nil && !asked:
		return &RunError{FailedStart, errors.Join(startErr, stopErr)}
	case errors.Is(why, process.ErrKilled):
		return &RunError{UncleanStop, errors.Join(errDeaf, stopErr)}
	case stopErr != nil:
		return &RunError{UncleanStop, stopErr}
	}
	return nil
}

var errDeaf = errors.New("application: the process that waits for signals was killed")
