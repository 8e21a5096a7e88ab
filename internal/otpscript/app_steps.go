package otpscript

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
)

// performApp does one step that only app scenarios have.
func (p *player) performApp(i int, st *Step) {
	if st.Op == "init_stop" {
		p.must(p.host.Stop(context.Background()))
		p.goesDown()
		return
	}
	p.client(func(ctx context.Context) {
		value, err := p.appCall(ctx, st)
		if err != nil {
			value = failure(p.appFailure(st, err))
		}
		p.result(i, value)
	})
}

// appCall returns what OTP's function would, or an error for {error, Why}.
func (p *player) appCall(ctx context.Context, st *Step) (Term, error) {
	var app *application.App
	if st.App != "" {
		app = p.app(st.App)
	}
	in := application.In(ctx, app)
	switch st.Op {
	case "app_start":
		return ok, application.Start(ctx, app, appType(st.Type))
	case "ensure_all_started":
		apps, err := application.EnsureAllStarted(ctx, appType(st.Type), app)
		return success(appNames(apps)), err
	case "app_stop":
		err := application.Stop(ctx, app)
		if _, late := errors.AsType[*application.StopError](err); late {
			err = nil // it has stopped, and that is all that OTP says
		}
		return ok, err
	case "app_load":
		return ok, application.Load(ctx, app)
	case "app_unload":
		return ok, application.Unload(ctx, app)
	case "which_applications":
		apps, err := application.WhichApplications(ctx)
		return appNames(apps), err
	case "loaded_applications":
		apps, err := application.LoadedApplications(ctx)
		return sorted(appNames(apps)), err
	case "get_env":
		if v, set := p.setting(st.App, pathStep(st.Key.Term)).Lookup(in); set {
			return success(v), nil
		}
		return undefined, nil
	case "set_env":
		return ok, p.setting(st.App, pathStep(st.Key.Term)).Set(in, st.Value.Term)
	case "unset_env":
		return ok, p.setting(st.App, pathStep(st.Key.Term)).Unset(in)
	case "get_all_env":
		return allSettings(in)
	case "config_change":
		return ok, application.Reconfigure(in, func(ctx context.Context) error { return p.change(ctx, st) })
	}
	return nil, fmt.Errorf("otpscript: unknown op %q", st.Op)
}

func appType(name string) application.Type {
	for _, t := range []application.Type{application.Permanent, application.Transient} {
		if name == t.String() {
			return t
		}
	}
	return application.Temporary
}

func appNames(apps []*application.App) List {
	l := List{}
	for _, a := range apps {
		l = append(l, Atom(a.Name))
	}
	return l
}

func allSettings(ctx context.Context) (Term, error) {
	values, err := application.Environment(ctx)
	l := List{}
	for key, v := range values {
		l = append(l, tuple(idTerm(key), v.(Term)))
	}
	return sorted(l), err
}

func (p *player) change(ctx context.Context, st *Step) error {
	var errs []error
	for _, kv := range st.Set {
		errs = append(errs, p.setting(st.App, pathStep(kv[0].Term)).Set(ctx, kv[1].Term))
	}
	for _, key := range st.Unset {
		errs = append(errs, p.setting(st.App, pathStep(key.Term)).Unset(ctx))
	}
	return errors.Join(errs...)
}

// appFailure gives OTP's words for the refusal of a step. The one function that
// starts several applications says which of them failed.
func (p *player) appFailure(st *Step, err error) Term {
	switch {
	case st.Op == "ensure_all_started":
		err = firstOf(err) // the others are of what was stopped again
		return tuple(Atom(failedApp(err)), p.appReason(err))
	case errors.Is(err, application.ErrAlreadyLoaded):
		return tuple(Atom("already_loaded"), p.appSpec(st.App))
	}
	return p.appReason(err)
}

// appSpec is an application's description as OTP was given it, which it gives
// back with some refusals.
func (p *player) appSpec(name string) Term {
	i := slices.IndexFunc(p.sc.Apps, func(a App) bool { return a.Name == name })
	if i < 0 {
		return Atom(name)
	}
	a := &p.sc.Apps[i]
	entry := func(key string, value Term) Term { return tuple(Atom(key), value) }
	env, phases := List{}, List{}
	for _, kv := range a.Env {
		env = append(env, tuple(kv[0].Term, kv[1].Term))
	}
	for _, phase := range a.StartPhases {
		phases = append(phases, tuple(phase[0].Term, tuple(Atom(name), phase[1].Term)))
	}
	spec := List{
		entry("description", List{}), entry("vsn", charList("1")), entry("modules", List{}), entry("registered", List{}),
		entry("applications", append(atoms("kernel", "stdlib"), atoms(a.Deps...)...)),
		entry("optional_applications", atoms(a.Optional...)), entry("included_applications", atoms(a.Included...)),
		entry("env", env),
	}
	switch {
	case a.Mod != nil && !*a.Mod:
	case a.StartPhases != nil && a.Included != nil:
		spec = append(spec, entry("mod", tuple(Atom("application_starter"), List{Atom("oracle_app"), Atom(name)})))
	default:
		spec = append(spec, entry("mod", tuple(Atom("oracle_app"), Atom(name))))
	}
	if a.StartPhases != nil {
		spec = append(spec, entry("start_phases", phases))
	}
	return tuple(Atom("application"), Atom(name), spec)
}

func atoms(names ...string) List {
	l := List{}
	for _, name := range names {
		l = append(l, Atom(name))
	}
	return l
}

// firstOf is the first of several errors that were joined.
func firstOf(err error) error {
	for reflect.TypeOf(err) == reflect.TypeOf(errors.Join(err)) {
		err = err.(interface{ Unwrap() []error }).Unwrap()[0]
	}
	return err
}

func failedApp(err error) string {
	if failed, is := errors.AsType[*application.CallbackError](err); is {
		return failed.App.Name
	}
	if failed, is := errors.AsType[*application.DependencyError](err); is {
		return failed.App.Name
	}
	if failed, is := errors.AsType[*application.SpecError](err); is {
		return failed.App.Name
	}
	return ""
}

// appReason gives OTP's words for the errors of package application.
func (p *player) appReason(err error) Term {
	if errors.Is(err, application.ErrStopped) {
		return Atom("stopped")
	}
	if failed, is := errors.AsType[*application.CallbackError](err); is {
		return p.callbackReason(failed)
	}
	if missing, is := errors.AsType[*application.DependencyError](err); is {
		return tuple(refusals[missing.Err], Atom(missing.Needs.Name))
	}
	if running, is := errors.AsType[*application.AlreadyStartedError](err); is {
		return tuple(Atom("already_started"), Atom(running.App.Name))
	}
	if bad, is := errors.AsType[*application.SpecError](err); is { // see player.app
		return tuple(charList("no such file or directory"), charList(bad.App.Name+".app"))
	}
	if refused, is := errors.AsType[*application.Error](err); is {
		return tuple(refusals[refused.Err], Atom(refused.App.Name))
	}
	return p.reasonTerm(err)
}

var refusals = map[error]Atom{
	application.ErrNotStarted:    "not_started",
	application.ErrNotRunning:    "not_running",
	application.ErrNotLoaded:     "not_loaded",
	application.ErrAlreadyLoaded: "already_loaded",
	application.ErrRunning:       "running",
}

// callbackReason gives OTP's words for a callback that failed while an
// application started.
func (p *player) callbackReason(e *application.CallbackError) Term {
	function := tuple(Atom("$mfa"), Atom("start"))
	bad := Atom("bad_return")
	if e.Callback == application.CallbackStartPhase {
		function, bad = tuple(Atom("$mfa"), Atom("start_phase")), "bad_return_value"
	}
	if garbage, is := errors.AsType[*badReturn](e.Err); is {
		return tuple(bad, tuple(function, garbage.Term))
	}
	switch {
	case errors.Is(e.Err, process.ErrIgnore):
		return tuple(bad, tuple(function, Atom("ignore")))
	case e.Outcome == application.Ended && e.Err == nil:
		return tuple(tuple(Atom("EXIT"), normal), function)
	case e.Outcome == application.Ended:
		return tuple(bad, tuple(function, tuple(Atom("EXIT"), p.reasonTerm(e.Err))))
	}
	return tuple(p.reasonTerm(e.Err), function)
}
