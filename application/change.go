package application

import (
	"context"
	"errors"

	"github.com/coppice-go/coppice/process"
)

// Configure says where settings come from. It gives values to the applications
// that are loaded and to those that will be. If anything in the sources is bad,
// the error tells all of it and nothing has changed.
//
// Running applications see the new values at once, but are told only by
// [Reconfigure].
func Configure(ctx context.Context, cfg Config) error {
	sources, err := cfg.read()
	if err != nil {
		return err
	}
	return ask(ctx, &configRequest{sources: sources})
}

type configRequest struct {
	process.Call
	sources sources
}

// configure puts new sources in place: those of loaded applications at once.
// What was set by hand since is overwritten, as a load does.
func (c *controller) configure(s sources) error {
	values := map[*App]map[string]any{}
	var faults []error
	for _, app := range c.loadedApps() {
		v, err := s.values(app)
		faults = append(faults, err)
		values[app] = v
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	for app, v := range values {
		c.env.load(app, v)
	}
	c.update(func() { c.sources = s })
	return nil
}

// Reconfigure calls change, which may Set, Unset and Configure, and then the
// ConfigChange of every running application whose settings differ from before,
// one after the other in order of start. It returns what change returned and
// what the callbacks did. Even if change fails halfway, they hear of the half.
func Reconfigure(ctx context.Context, change func(context.Context) error) error {
	c, err := controllerOf(ctx)
	if err != nil {
		return err
	}
	before := map[*App]map[string]any{}
	for _, app := range c.loadedApps() {
		before[app] = c.env.snapshot(app)
	}
	errs := []error{change(ctx)}
	for _, i := range c.runningNow() {
		diff := Change{}
		for _, part := range withIncluded(i.app) {
			diff = diff.and(difference(before[part], c.env.snapshot(part)))
		}
		if i.app.ConfigChange == nil || diff.Empty() {
			continue
		}
		errs = append(errs, process.Do(process.WithCallTimeout(ctx, process.Infinity), i.pid(), &changeRequest{change: diff}))
	}
	return errors.Join(errs...)
}

func (c Change) and(d Change) Change {
	return Change{append(c.Changed, d.Changed...), append(c.New, d.New...), append(c.Removed, d.Removed...)}
}
