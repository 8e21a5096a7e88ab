package application

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/coppice-go/coppice/process"
)

// Load makes an application known to ctx's node, with those that it includes,
// and gives its settings their values. It starts nothing. Faults of the
// description, cycles and bad values are found here, all at once.
func Load(ctx context.Context, app *App) error {
	return ask(ctx, &loadRequest{app: app})
}

// Unload makes a node forget an application, and those it includes, with their
// settings. It must not be running.
func Unload(ctx context.Context, app *App) error {
	return ask(ctx, &unloadRequest{app: app})
}

type loadRequest struct {
	process.Call
	app *App
}

type unloadRequest struct {
	process.Call
	app *App
}

func (c *controller) load(app *App) error {
	switch {
	case app == nil:
		return errors.New("application: load of a nil App")
	case c.loaded[app] != nil:
		return &Error{Op: "load", App: app, Err: ErrAlreadyLoaded}
	}
	parts := withIncluded(app)
	values := make([]map[string]any, len(parts))
	for n, part := range parts {
		var err error
		if values[n], err = c.check(part); err != nil {
			return err
		}
	}
	if err := findCycle(app); err != nil {
		return err
	}
	for n, part := range parts {
		if c.loaded[part] != nil {
			continue // included by an application loaded before, or loaded by itself
		}
		c.env.load(part, values[n])
		place := &place{node: c.node, env: c.env, group: c.newGroup(part)}
		c.update(func() { c.loaded[part] = place })
	}
	return nil
}

// check validates one application and returns the values of its settings.
func (c *controller) check(app *App) (map[string]any, error) {
	if err := app.validate(); err != nil {
		return nil, err
	}
	for other := range c.loaded {
		if other != app && other.Name == app.Name {
			return nil, &Error{Op: "load", App: app, Err: ErrNameTaken}
		}
	}
	return c.sources.values(app)
}

func (c *controller) unload(app *App) error {
	switch {
	case c.loaded[app] == nil:
		return &Error{Op: "unload", App: app, Err: ErrNotLoaded}
	case c.find(app) != nil:
		return &Error{Op: "unload", App: app, Err: ErrRunning}
	}
	for _, part := range withIncluded(app) {
		if c.find(part) != nil {
			continue
		}
		c.env.unload(part)
		c.update(func() { delete(c.loaded, part) })
	}
	return nil
}

// isLoaded is not for the controller's process, which just looks.
func (c *controller) isLoaded(app *App) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.loaded[app] != nil
}

// loadedApps lists the loaded applications by name.
func (c *controller) loadedApps() []*App {
	c.mu.RLock()
	defer c.mu.RUnlock()
	apps := make([]*App, 0, len(c.loaded))
	for app := range c.loaded {
		apps = append(apps, app)
	}
	sortByName(apps)
	return apps
}

func sortByName(apps []*App) {
	slices.SortFunc(apps, func(a, b *App) int { return strings.Compare(a.Name, b.Name) })
}
