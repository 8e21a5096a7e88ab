package otpscript

import (
	"context"
	"errors"
	"slices"

	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
)

// A program is the applications of a scenario, as coppice describes them.
type program struct {
	apps map[string]*application.App
	vars map[string]setting // by application and key
}

// setting is a setting whose values are terms.
type setting = *application.Var[Term]

// loadApps describes all applications, then loads them in order.
func (p *player) loadApps() {
	p.program = program{map[string]*application.App{}, map[string]setting{}}
	for i := range p.sc.Apps {
		p.app(p.sc.Apps[i].Name) // first all names, for they may need each other
	}
	for i := range p.sc.Apps {
		if !p.sc.Apps[i].Unloaded { // as if the scenario did not have it
			p.describe(&p.sc.Apps[i])
		}
	}
	for _, a := range p.sc.Apps {
		if a.Unloaded {
			continue
		}
		// One that an earlier one includes is loaded already.
		if err := application.Load(p.ctx, p.app(a.Name)); !errors.Is(err, application.ErrAlreadyLoaded) {
			p.must(err)
		}
	}
}

// app returns the application of that name. One that the scenario does not
// have cannot be loaded: in Go there is no name without an App behind it, so it
// is one with a bad description.
func (p *player) app(name string) *application.App {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.program.apps[name]
	if a == nil {
		a = &application.App{Name: name, Env: []application.Setting{nil}}
		p.program.apps[name] = a
	}
	return a
}

func (p *player) appsNamed(names []string) (apps []*application.App) {
	for _, name := range names {
		apps = append(apps, p.app(name))
	}
	return apps
}

// setting returns the setting of an application with that key.
func (p *player) setting(app, key string) setting {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := app + " " + key
	v := p.program.vars[at]
	if v == nil {
		v = &application.Var[Term]{Name: key}
		p.program.vars[at] = v
	}
	return v
}

// describe fills in an application, with callbacks that do what the scenario
// says.
func (p *player) describe(a *App) {
	app := p.app(a.Name)
	app.Needs, app.Optional, app.Included = p.appsNamed(a.Deps), p.appsNamed(a.Optional), p.appsNamed(a.Included)
	app.Env = nil
	for _, kv := range a.Env {
		v := p.setting(a.Name, pathStep(kv[0].Term))
		v.Default = kv[1].Term
		app.Env = append(app.Env, v)
	}
	if a.Mod != nil && !*a.Mod {
		return
	}
	app.Start = func(ctx context.Context) (process.PID, error) { return p.startApp(ctx, a) }
	for _, phase := range a.StartPhases {
		app.StartPhases = append(app.StartPhases, application.Phase{
			Name: pathStep(phase[0].Term),
			Run:  func(ctx context.Context) error { return p.startPhase(a, phase[0].Term, phase[1].Term) },
		})
	}
	app.PrepStop = func(context.Context) error { return p.leave(a, "prep_stop", a.PrepStop) }
	app.Stop = func(context.Context) error { return p.leave(a, "stop", a.Stop) }
	app.ConfigChange = func(ctx context.Context, c application.Change) error { return p.configChanged(ctx, a, c) }
}

// callback takes down that a callback begins.
func (p *player) callback(a *App, cb Atom, arg Term) {
	p.add(nobody, "app", fields{"app": Atom(a.Name), "cb": cb, "arg": arg})
}

func (p *player) startApp(ctx context.Context, a *App) (process.PID, error) {
	p.callback(a, "start", normal)
	self := process.Self(ctx)
	p.inStart(self, +1)
	defer p.inStart(self, -1)
	if o := a.Start; o != nil {
		switch o.Kind {
		case "error":
			return process.PID{}, startError(o.Value)
		case "crash":
			throw(o.Value)
		case "exit":
			process.Exit(ctx, exitReason(o.Value))
		case "return":
			return process.PID{}, &badReturn{reason{o.Value}}
		}
	}
	return p.start(ctx, nil, a.Tree.step(), a.Tree)
}

// A badReturn is what a callback returns that should return something else. Go
// has types against that; an error comes nearest.
type badReturn struct{ reason }

func (p *player) startPhase(a *App, phase, arg Term) error {
	p.callback(a, "start_phase", tuple(phase, normal, arg))
	o := a.PhaseResult[pathStep(phase)]
	if o == nil {
		return nil
	}
	switch o.Kind {
	case "error":
		return startError(o.Value)
	case "crash":
		throw(o.Value)
	case "return":
		return &badReturn{reason{o.Value}}
	}
	return nil
}

func (p *player) leave(a *App, cb Atom, o *Outcome) error {
	p.callback(a, cb, Atom("none"))
	if o != nil && o.Kind == "crash" {
		throw(o.Value)
	}
	return nil
}

func (p *player) configChanged(ctx context.Context, a *App, c application.Change) error {
	now := func(keys []string) Term {
		l := List{}
		for _, key := range keys {
			l = append(l, tuple(idTerm(key), p.setting(a.Name, key).Get(ctx)))
		}
		return sorted(l)
	}
	removed := List{}
	for _, key := range c.Removed {
		removed = append(removed, idTerm(key))
	}
	p.callback(a, "config_change", tuple(now(c.Changed), now(c.New), sorted(removed)))
	return nil
}

func sorted(l List) List {
	slices.SortFunc(l, Compare)
	return l
}

// applied takes down what an application reports. Of the node's way down OTP
// says nothing; nor of a stop that fails, while coppice does.
func (p *player) applied(e process.Event) {
	r, is := e.Detail.(*application.Report)
	if !is {
		return
	}
	switch r.What {
	case application.Exited:
		if !r.Down {
			p.add(nobody, "app_exit", fields{"app": Atom(r.App.Name), "reason": p.appReason(r.Reason), "type": Atom(r.Type.String())})
		}
	case application.CallbackFailed:
		if failed, is := errors.AsType[*application.CallbackError](r.Reason); is && failed.Callback == application.CallbackPrepStop {
			p.add(nobody, "report", fields{"ctx": Atom("other"), "id": nobody.name,
				"reason": tuple(Atom("error_logger"), Atom("error_report"))})
		}
	case application.NodeGoesDown:
		p.goesDown()
	}
}
