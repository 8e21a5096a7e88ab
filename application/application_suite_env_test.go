package application

import (
	"context"
	"errors"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// A key is a field here: one that there is not does not compile.
func suiteGetKey(k *kit) {
	inc1, inc2 := chSup("appinc1"), chSup("appinc2")
	env := []Setting{&Var[string]{Name: "own_env1", Default: "value1"}, &Var[string]{Name: "own2", Default: "val2"}}
	appinc := k.app("appinc")
	appinc.Doc, appinc.Version, appinc.Included, appinc.Env = "Test of keys", "2.0", []*App{inc1, inc2}, env
	k.phases(appinc, "init", "takeover", "go")
	k.ok(Start(k.ctx, appinc, Permanent))
	check := func(where string, a *App) {
		if a == nil || a.Name != "appinc" || a.Doc != "Test of keys" || a.Version != "2.0" || len(a.Needs) != 0 || len(a.Optional) != 0 ||
			names(a.Included) != "appinc1 appinc2" || len(a.StartPhases) != 3 || a.StartPhases[1].Name != "takeover" ||
			len(a.Env) != 2 || a.MaxTime != 0 {
			k.Errorf("%s: the keys are %+v", where, a)
		}
	}
	check("by its description", appinc)
	infos, err := Infos(k.ctx)
	k.ok(err)
	check("by name", infos[len(infos)-1].App)
	check("by process", OfProcess(k.ctx, k.pid("appinc_top")))
	k.ask("appinc_top", func(ctx context.Context) {
		check("in one of its processes", Of(ctx))
		values, err := Environment(ctx)
		if want := map[string]any{"own_env1": "value1", "own2": "val2"}; err != nil || !cmp.Equal(values, want) {
			k.Errorf("env: %v, %v; want %v", values, err, want)
		}
	})
}

func suiteGetEnv(k *kit) {
	app, undefined := chSup("app"), chSup("undefined_app")
	v, a := &Var[string]{Name: "new_var"}, &Var[string]{Name: "a"}
	k.ok(Load(k.ctx, app))
	k.ok(v.Set(In(k.ctx, app), "new_val"))
	if got, set := v.Lookup(In(k.ctx, app)); got != "new_val" || !set {
		k.Errorf("Lookup = %q, %v; want what was set", got, set)
	}
	if _, set := a.Lookup(In(k.ctx, undefined)); set {
		k.Error("a setting of an application that nobody has loaded is set")
	}
	xyz := &Var[string]{Name: "xyz", Default: "default"}
	if _, set := xyz.Lookup(In(k.ctx, app)); set || xyz.Get(In(k.ctx, app)) != "default" {
		k.Error("a setting that nobody has set: Lookup should say so, and Get give the default")
	}
}

// An envKit is the application of the cases about settings, and one that nobody
// ever loads.
type envKit struct {
	*kit
	appinc, unknown             *App
	ownEnv1, own2, notIn, other *Var[string]
}

func newEnvKit(k *kit) *envKit {
	e := &envKit{kit: k, appinc: chSup("appinc"), unknown: chSup("unknown_app"),
		ownEnv1: &Var[string]{Name: "own_env1", Default: "value1"}, own2: &Var[string]{Name: "own2", Default: "val2"},
		notIn: &Var[string]{Name: "not_in_app"}, other: &Var[string]{Name: "key"}}
	e.appinc.Env = []Setting{e.ownEnv1, e.own2}
	return e
}

// wantEnv checks all settings of appinc, in the order own_env1, own2,
// not_in_app; "-" is one that is not set.
func (e *envKit) wantEnv(why, want string) {
	e.Helper()
	var got []string
	for _, v := range []*Var[string]{e.ownEnv1, e.own2, e.notIn} {
		value, set := v.Lookup(In(e.ctx, e.appinc))
		if !set {
			value = "-"
		}
		got = append(got, value)
	}
	if s := strings.Join(got, " "); s != want {
		e.Errorf("%s: settings are %q, want %q", why, s, want)
	}
}

func (e *envKit) reload() {
	e.Helper()
	e.ok(Unload(e.ctx, e.appinc))
	e.ok(Load(e.ctx, e.appinc))
}

func suiteSetEnv(k *kit) {
	e := newEnvKit(k)
	in, inUnknown := In(k.ctx, e.appinc), In(k.ctx, e.unknown)
	k.ok(errors.Join(e.own2.Set(in, "persist"), e.notIn.Set(in, "persist"), e.other.Set(inUnknown, "persist")))
	e.wantEnv("set before the load", "- persist persist")
	k.ok(Load(k.ctx, e.appinc))
	e.wantEnv("the load overwrites what it has a value for", "value1 val2 persist")
	if got, _ := e.other.Lookup(inUnknown); got != "persist" {
		k.Errorf("the unknown application's setting is %q", got)
	}
	e.reload()
	e.wantEnv("values are lost when it is unloaded", "value1 val2 -")
}

func suiteSetEnvPersistent(k *kit) {
	e := newEnvKit(k)
	in, inUnknown := In(k.ctx, e.appinc), In(k.ctx, e.unknown)
	k.ok(errors.Join(e.own2.Keep(in, "persist"), e.notIn.Keep(in, "persist"), e.other.Keep(inUnknown, "persist")))
	e.wantEnv("set before the load", "- persist persist")
	k.ok(Load(k.ctx, e.appinc))
	e.wantEnv("the load leaves them alone", "value1 persist persist")
	if got, _ := e.other.Lookup(inUnknown); got != "persist" {
		k.Errorf("the unknown application's setting is %q", got)
	}
	e.reload()
	e.wantEnv("values are kept when it is unloaded", "value1 persist persist")
}

func suitePersistentEnv(k *kit) {
	e := newEnvKit(k)
	in := In(k.ctx, e.appinc)
	k.ok(errors.Join(e.own2.Keep(in, "persist"), e.notIn.Keep(in, "persist")))
	k.ok(Load(k.ctx, e.appinc))
	e.wantEnv("loaded", "value1 persist persist")
	k.ok(e.ownEnv1.Keep(in, "persist"))
	e.wantEnv("set after the load", "persist persist persist")
	e.reload()
	e.wantEnv("that is kept, too", "persist persist persist")
	k.ok(errors.Join(e.ownEnv1.Unset(in), e.notIn.Unset(in)))
	e.wantEnv("unset", "- persist -")
	e.reload()
	e.wantEnv("what was unset has its first value again", "value1 persist -")
}

func suiteOTP2012(k *kit) {
	news := map[string]*Var[string]{"new1": {Name: "new1"}, "new2": {Name: "new2"}, "new3": {Name: "new3"}}
	app := func(name string) *App {
		a := chSup(name)
		a.ConfigChange = func(ctx context.Context, c Change) error {
			show := func(keys []string) (s []string) {
				for _, key := range keys {
					s = append(s, key+"="+news[key].Get(ctx))
				}
				return s
			}
			k.log("%s%v%v%v", name, show(c.Changed), show(c.New), c.Removed)
			return nil
		}
		return a
	}
	app1, app2 := app("app1"), app("app2")
	in1, in2 := In(k.ctx, app1), In(k.ctx, app2)
	k.ok(Start(k.ctx, app1, Permanent))
	k.ok(Reconfigure(k.ctx, func(context.Context) error {
		return errors.Join(news["new1"].Set(in1, "hi"), news["new2"].Set(in1, "moi"))
	}))
	k.want("all is new", "app1[][new1=hi new2=moi][]")
	k.ok(Start(k.ctx, app2, Permanent))
	k.ok(Reconfigure(k.ctx, func(context.Context) error {
		return errors.Join(news["new1"].Set(in1, "hello"), news["new2"].Unset(in1), news["new3"].Set(in1, "mors"),
			news["new1"].Set(in2, "si"), news["new2"].Set(in2, "no"))
	}))
	// OTP tells the latest started first, we the others: what an application
	// needs has its settings before it.
	k.want("each has its own", "app1[new1=hello][new3=mors][new2] app2[][new1=si new2=no][]")
	k.ok(Stop(k.ctx, app1))
	k.ok(Stop(k.ctx, app2))
}
