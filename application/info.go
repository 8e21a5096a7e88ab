package application

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/coppice-go/coppice/process"
)

// WhichApplications returns the running applications, the latest started first.
// Those that are being stopped are not among them.
func WhichApplications(ctx context.Context) ([]*App, error) {
	c, err := controllerOf(ctx)
	if err != nil {
		return nil, err
	}
	return stopPlan(c.upNow()), nil
}

// LoadedApplications returns the applications that ctx's node knows, by name.
func LoadedApplications(ctx context.Context) ([]*App, error) {
	c, err := controllerOf(ctx)
	if err != nil {
		return nil, err
	}
	return c.loadedApps(), nil
}

// An Info is what can be seen of a loaded application. By the time it is read
// it may have changed.
type Info struct {
	App   *App
	Type  Type
	Phase string      // "loaded", "not permitted", "starting", "running", "prep_stop" ...
	Since time.Time   // when the phase began; zero if it does not run
	PID   process.PID // its own process; zero for one that does not run, and for a library
	Top   process.PID // of its tree
}

// Infos returns what there is to see of all loaded applications: first those
// that do not run, by name, then the others in order of start.
func Infos(ctx context.Context) ([]Info, error) {
	c, err := controllerOf(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	instances := slices.Concat(c.running, c.rising)
	var infos []Info
	for app, place := range c.loaded {
		if !slices.ContainsFunc(instances, func(i *instance) bool { return i.app == app }) {
			infos = append(infos, place.info(app))
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.App.Name, b.App.Name) })
	for _, i := range instances {
		infos = append(infos, i.info())
	}
	return infos, nil
}

// info is of an application that does not run; its type is as what it would
// start.
func (p *place) info(app *App) Info {
	if p.forbidden {
		return Info{App: app, Type: p.wanted, Phase: "not permitted"}
	}
	return Info{App: app, Phase: phaseNone.String()}
}

func (i *instance) info() Info {
	i.mu.Lock()
	defer i.mu.Unlock()
	return Info{App: i.app, Type: i.typ, Phase: phaseName(i.at, i.detail), Since: i.since, PID: i.master, Top: i.top}
}

// Environment returns a copy of all settings of the application of ctx, by
// name. The value of a Secret one is replaced by "(secret)".
func Environment(ctx context.Context) (map[string]any, error) {
	app, env, err := environmentOf(ctx, wholeEnvironment)
	if err != nil {
		return nil, err
	}
	values := env.snapshot(app)
	for _, s := range app.Env {
		if _, set := values[s.Key()]; set && s.secret() {
			values[s.Key()] = "(secret)"
		}
	}
	return values, nil
}

var wholeEnvironment = &Var[struct{}]{Name: "(all)"}
