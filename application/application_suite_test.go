package application

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/trace"
)

// TestApplicationSUITE holds the cases of OTP's application_SUITE that are about
// one node, under their names, each asserting what OTP's does. The others need
// several nodes that share applications.
func TestApplicationSUITE(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(k *kit)
	}{
		{"ensure_started", suiteEnsureStarted},
		{"start_phases", suiteStartPhases},
		{"permit_false_start_local", suitePermitFalseStartLocal},
		{"get_key", suiteGetKey},
		{"get_env", suiteGetEnv},
		{"ensure_all_started", suiteEnsureAllStarted},
		{"set_env", suiteSetEnv},
		{"set_env_persistent", suiteSetEnvPersistent},
		{"set_env_errors", suiteSetEnvErrors},
		{"config_change", suiteConfigChange},
		{"shutdown_timeout", suiteShutdownTimeout},
		{"shutdown_deadlock", suiteShutdownDeadlock},
		{"config_relative_paths", suiteConfigRelativePaths},
		{"optional_applications", suiteOptionalApplications},
		{"persistent_env", suitePersistentEnv},
		{"handle_many_config_files", suiteHandleManyConfigFiles},
		{"format_log_1", suiteFormatLog1},
		{"otp_1586", suiteOTP1586},
		{"otp_2012", suiteOTP2012},
		{"otp_2718", suiteOTP2718},
		{"otp_2973", suiteOTP2973},
		{"otp_4227", suiteOTP4227},
		{"otp_5363", suiteOTP5363},
		{"otp_16504", suiteOTP16504},
	} {
		t.Run(c.name, func(t *testing.T) { inBubble(t, c.run) })
	}
	for _, c := range []struct {
		name string
		run  func(r *runKit)
	}{
		{"shutdown_func", suiteShutdownFunc},
		{"format_log_2", suiteFormatLog2},
		{"otp_3002", suiteOTP3002},
	} {
		t.Run(c.name, func(t *testing.T) { inRun(t, c.run) })
	}
}

// chSup is the application of most cases: a supervisor of one worker.
func chSup(name string, needs ...*App) *App {
	return &App{Name: name, Needs: needs, Start: supervisor.StartFunc(supervisor.Spec{
		Name:     name + "_sup",
		Children: []supervisor.Child{{ID: "ch", Start: supervisor.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })}},
	})}
}

// missing is what comes nearest to an application without a file: in Go there
// is no name without an App, so it is one that cannot be loaded.
func missing() *App {
	return &App{Name: "hopefully_not_an_existing_app", Env: []Setting{nil}}
}

func (k *kit) wantAlreadyStarted(err error, app *App) {
	k.Helper()
	if already, _ := errors.AsType[*AlreadyStartedError](err); already == nil || already.App != app {
		k.Errorf("got %v, want that %s is started already", err, app)
	}
}

// wantMissing checks that a start failed because of what is missing.
func (k *kit) wantMissing(err error) {
	k.Helper()
	if bad, _ := errors.AsType[*SpecError](err); bad == nil || bad.App.Name != missing().Name {
		k.Errorf("got %v, want that %s cannot be loaded", err, missing())
	}
}

func suiteEnsureStarted(k *kit) {
	app1 := chSup("app1")
	k.ok(EnsureStarted(k.ctx, app1, 0))
	k.ok(EnsureStarted(k.ctx, app1, 0))
	k.wantAlreadyStarted(Start(k.ctx, app1, 0), app1)
	k.ok(Stop(k.ctx, app1))
	k.wantMissing(EnsureStarted(k.ctx, missing(), 0))
	k.ok(EnsureStarted(k.ctx, app1, Permanent))
	k.ok(EnsureStarted(k.ctx, app1, Permanent))
	k.ok(Stop(k.ctx, app1))
	k.ok(Unload(k.ctx, app1))
}

func suiteEnsureAllStarted(k *kit) {
	ensure := func(app *App, want string) {
		k.Helper()
		if got := names(k.ensure(0, app)); got != want {
			k.Errorf("EnsureAllStarted(%s) started %q, want %q", app, got, want)
		}
	}
	app1 := chSup("app1")
	ensure(app1, "app1")
	k.wantRunning("app1")
	ensure(app1, "")
	k.ok(Stop(k.ctx, app1))
	k.wantRunning("")
	_, err := EnsureAllStarted(k.ctx, 0, missing())
	k.wantMissing(err)

	app9 := chSup("app9")
	app10 := chSup("app10", app9)
	k.is(Start(k.ctx, app10, 0), ErrNotStarted, "it needs app9")
	ensure(app10, "app9 app10")
	k.wantRunning("app10 app9")
	k.ok(Stop(k.ctx, app10))
	ensure(app10, "app10")
	k.ok(Stop(k.ctx, app9))
	k.ok(Stop(k.ctx, app10))

	chain2 := chSup("app_chain_error2", app10, missing())
	chain := chSup("app_chain_error", chain2)
	_, err = EnsureAllStarted(k.ctx, 0, chain)
	k.wantMissing(err)
	k.wantRunning("")
	ensure(app9, "app9")
	_, err = EnsureAllStarted(k.ctx, 0, chain)
	k.wantMissing(err)
	k.wantRunning("app9") // it ran before; app10, which did not, is gone again
}

func suiteOptionalApplications(k *kit) {
	app9 := chSup("app9")
	app10 := chSup("app10", app9)
	k.is(Start(k.ctx, app10, 0), ErrNotStarted, "it needs app9")
	k.ok(Unload(k.ctx, app10))

	app10 = chSup("app10")
	app10.Optional = []*App{app9}
	k.ok(Start(k.ctx, app10, 0))
	k.wantRunning("app10") // app9 is not there
	k.ok(Stop(k.ctx, app10))
	k.ok(Load(k.ctx, app9))
	k.ok(Start(k.ctx, app10, 0))
	k.wantRunning("app10") // it is there, but a plain start does not need it
	k.ok(Stop(k.ctx, app10))
	if started := k.ensure(0, app10); names(started) != "app9 app10" {
		k.Errorf("EnsureAllStarted started %s, want app9 too: it is there", names(started))
	}
	k.ok(Stop(k.ctx, app9))
	k.ok(Stop(k.ctx, app10))
	k.ok(Unload(k.ctx, app10))

	bad := &App{Name: "app_start_error", Start: func(context.Context) (process.PID, error) { return process.PID{}, errBoom }}
	app10 = chSup("app10")
	app10.Optional = []*App{bad}
	k.ok(Load(k.ctx, bad))
	_, err := EnsureAllStarted(k.ctx, 0, app10)
	k.is(err, errBoom, "app_start_error")
}

// The examples are those of the chapter on included applications in OTP's
// design principles.
func suiteStartPhases(k *kit) {
	app := func(name string, phases []string, included ...*App) *App {
		a := chSup(name)
		a.Included = included
		k.phases(a, phases...)
		return a
	}
	run := func(example string, a *App, want string) {
		k.Helper()
		k.ok(Start(k.ctx, a, Permanent))
		k.wantRunning(a.Name)
		k.want(example, want)
		k.ok(Stop(k.ctx, a))
		k.ok(Unload(k.ctx, a))
		k.set(func() { k.journal = nil })
	}
	two := []string{"init", "go"}
	run("1: phases of its own", app("myApp", two), "myApp.phase(init) myApp.phase(go)")
	// In OTP, phases of included applications run only if mod names
	// application_starter. Here they run whenever there are some.
	run("2: only the primary one has phases", app("topApp", two, app("appinc1", nil), app("appinc2", nil)),
		"topApp.phase(init) topApp.phase(go)")
	run("3: included ones have them too", app("topApp2", two, app("appinc1", []string{"go"}), app("appinc2", two)),
		"topApp2.phase(init) appinc2.phase(init) topApp2.phase(go) appinc1.phase(go) appinc2.phase(go)")
	run("4: and so have those that these include",
		app("topApp3", []string{"top", "init", "some", "spec", "go"},
			app("appinc1x", []string{"spec", "go"}),
			app("appinc2top", []string{"init", "some", "go"}, app("appinc2A", []string{"some", "go"}), app("appinc2B", []string{"init"}))),
		`topApp3.phase(top)
		topApp3.phase(init) appinc2top.phase(init) appinc2B.phase(init)
		topApp3.phase(some) appinc2top.phase(some) appinc2A.phase(some)
		topApp3.phase(spec) appinc1x.phase(spec)
		topApp3.phase(go) appinc1x.phase(go) appinc2top.phase(go) appinc2A.phase(go)`)
}

// OTP says in the configuration of each node that nothing is permitted. Here
// each node is told so after the load.
func suitePermitFalseStartLocal(k *kit) {
	app1, app2, app3, notLoaded := chSup("app1"), chSup("app2"), chSup("app3"), chSup("app_notloaded")
	var nodes []*kit
	for range 3 {
		n := &kit{T: k.T}
		n.node = process.NewNode(process.NodeSpec{Probe: n})
		n.ctx = n.node.Context()
		defer func() { k.ok(n.node.Stop(context.Background())) }()
		nodes = append(nodes, n)
		for _, app := range []*App{app1, app2, app3} {
			k.ok(Load(n.ctx, app))
			k.ok(Permit(n.ctx, app, false))
		}
		k.ok(Start(n.ctx, app1, Permanent))
		k.ok(Start(n.ctx, app2, Permanent))
	}
	step := func(why string, permit error, one, two string) {
		k.Helper()
		if permit != nil {
			k.Errorf("%s: %v", why, permit)
		}
		nodes[0].wantRunning(one)
		nodes[1].wantRunning(two)
		nodes[2].wantRunning("")
	}
	n1, n2 := nodes[0].ctx, nodes[1].ctx
	step("nothing is permitted", nil, "", "")
	step("permit one that is not started", Permit(n1, app3, true), "", "")
	k.is(Permit(n1, notLoaded, true), ErrNotLoaded, "permit app_notloaded")
	step("forbid one that is not started", Permit(n1, app3, false), "", "")
	k.is(Permit(n1, notLoaded, false), ErrNotLoaded, "permit app_notloaded")
	step("permit", Permit(n1, app1, true), "app1", "")
	step("permit again", Permit(n1, app1, true), "app1", "")
	step("permit another", Permit(n1, app2, true), "app2 app1", "")
	step("permit elsewhere", Permit(n2, app1, true), "app2 app1", "app1")
	step("forbid", Permit(n1, app1, false), "app2", "app1")
	step("forbid again", Permit(n1, app1, false), "app2", "app1")
	step("permit once more", Permit(n1, app1, true), "app1 app2", "app1")
	step("forbid once more", Permit(n1, app1, false), "app2", "app1")
	step("forbid elsewhere", Permit(n2, app1, false), "app2", "")
	step("forbid the other", Permit(n1, app2, false), "", "")
}

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

// What the compiler does not refuse comes from files.
func suiteSetEnvErrors(k *kit) {
	foo := chSup("foo")
	oneNode := func(s string) error {
		if s != "" {
			return errors.New("not on one node")
		}
		return nil
	}
	foo.Env = []Setting{&Var[string]{Name: "bar"}, &Var[string]{Name: "distributed", Check: oneNode}}
	k.ok(Load(k.ctx, foo))
	file := filepath.Join(k.TempDir(), "config.json")
	for _, tt := range []struct{ why, text, want string }{
		{"the name of an application is a string", `{1: {}}`, "config.json: line 1: invalid character '1'"},
		{"its settings are an object", `{"foo": "bar"}`, "config.json: foo: want an object of applications or settings"},
		{"so is the whole", `["foo_bar"]`, "config.json: want an object of applications or settings"},
		{"the name of a setting is one of those that there are", `{"foo": {"1": 2}}`, "config.json: foo.1: no such setting; there are bar, distributed"},
		{"a setting has a name", `{"foo": ["config"]}`, "config.json: foo: want an object"},
		{"a value has the setting's type", `{"foo": {"bar": 2}}`, "config.json: foo.bar: json: cannot unmarshal number"},
		{"a value passes the setting's check", `{"foo": {"distributed": "config"}}`, "config.json: foo.distributed: not on one node"},
		{"an application comes once", `{"foo": {}, "foo": {}}`, `config.json: "foo" is there twice`},
		{"a setting comes once", `{"foo": {"bar": "baz", "bar": "bat"}}`, `config.json: foo: "bar" is there twice`},
	} {
		k.ok(os.WriteFile(file, []byte(tt.text), 0o600))
		err := Configure(k.ctx, Config{Files: []string{file}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			k.Errorf("%s: %s gives %v, want %q", tt.why, tt.text, err, tt.want)
		}
	}
}

// files writes configuration files by name and returns their paths in order.
func (k *kit) files(dir string, nameAndText ...string) (paths []string) {
	k.Helper()
	for n := 0; n < len(nameAndText); n += 2 {
		path := filepath.Join(dir, nameAndText[n])
		k.ok(os.MkdirAll(filepath.Dir(path), 0o700))
		k.ok(os.WriteFile(path, []byte(nameAndText[n+1]), 0o600))
		paths = append(paths, path)
	}
	return paths
}

func suiteConfigChange(k *kit) {
	stdlib, app1 := chSup("stdlib"), chSup("app1")
	for n := range 6 {
		stdlib.Env = append(stdlib.Env, &Var[string]{Name: fmt.Sprintf("par%d", n+1)})
	}
	app1.Env = []Setting{&Var[string]{Name: "par1"}}
	k.ok(Load(k.ctx, stdlib))
	k.ok(Configure(k.ctx, Config{Files: k.files(k.TempDir(),
		"sys.json", `{"stdlib": {"par1": "sys", "par2": "sys"}}`,
		"t1.json", `{"stdlib": {"par2": "t1", "par3": "t1"}, "kernel": {"kpar1": "kval1"}}`+"\n",
		"t2.json", `{"stdlib": {"par4": "t2"}}`, // without a newline at its end
		"subdir/t3.json", `{"stdlib": {"par5": "t3", "par6": "t3"}}`+"\n",
		"sys2.json", `{"stdlib": {"par6": "sys"}}`,
		"t4.json", `{"app1": {"par1": "t4"}}`)}))
	wantEnv := func(app *App, want map[string]any) {
		k.Helper()
		if got, err := Environment(In(k.ctx, app)); err != nil || !cmp.Equal(got, want) {
			k.Errorf("settings of %s: %v, %v; want %v", app, got, err, want)
		}
	}
	wantEnv(stdlib, map[string]any{"par1": "sys", "par2": "t1", "par3": "t1", "par4": "t2", "par5": "t3", "par6": "sys"})
	wantEnv(app1, map[string]any{}) // it is not loaded
	k.ok(Load(k.ctx, app1))
	wantEnv(app1, map[string]any{"par1": "t4"})
}

// Files do not include others, as OTP's may; a Config lists them all. A relative
// path means what it means everywhere in Go: below the working directory.
func suiteConfigRelativePaths(k *kit) {
	dir := k.TempDir()
	k.files(dir, "up.json", `{"app1": {"key1": "value"}}`,
		"subdir/current.json", `{"app1": {"key2": "value2"}}`, "current.json", `{"app1": {"key2": "value1"}}`)
	key1, key2 := &Var[string]{Name: "key1"}, &Var[string]{Name: "key2"}
	app1 := chSup("app1")
	app1.Env = []Setting{key1, key2}
	k.Chdir(filepath.Join(dir, "subdir"))
	for _, tt := range []struct{ current, want string }{{"../current.json", "value1"}, {"current.json", "value2"}} {
		k.ok(Configure(k.ctx, Config{Files: []string{"../up.json", tt.current}}))
		k.ok(Load(k.ctx, app1))
		in := In(k.ctx, app1)
		if key1.Get(in) != "value" || key2.Get(in) != tt.want {
			k.Errorf("with %s: %s, %s; want value, %s", tt.current, key1.Get(in), key2.Get(in), tt.want)
		}
		k.ok(Unload(k.ctx, app1))
	}
}

func suiteHandleManyConfigFiles(k *kit) {
	paths := k.files(k.TempDir(), "sys.json", `{}`, "own.json", `{"app1": {"key": "first"}}`, "last.json", `{"app1": {"key": "last"}}`)
	key := &Var[string]{Name: "key"}
	app1 := chSup("app1")
	app1.Env = []Setting{key}
	k.ok(Configure(k.ctx, Config{Files: append(paths, paths[0])}))
	k.ok(Load(k.ctx, app1))
	if got := key.Get(In(k.ctx, app1)); got != "last" {
		k.Errorf("key = %q, want that of the last file that has it", got)
	}
}

// A worker hangs in its restart, and with it its supervisor. The node stops all
// the same.
func suiteShutdownTimeout(k *kit) {
	hang := make(chan struct{})
	defer close(hang)
	restarted := false
	deadlock := &App{Name: "deadlock", TreeTimeout: time.Second, Start: supervisor.StartFunc(supervisor.Spec{
		Children: []supervisor.Child{{ID: "child", Start: server.StartFunc(server.Spec[struct{}]{
			Name: "deadlock_child",
			Init: func(context.Context) (*struct{}, error) {
				if restarted {
					<-hang // and does not look at its ctx
				}
				restarted = true
				return new(struct{}), nil
			},
		})}},
	})}
	k.ok(Start(k.ctx, deadlock, 0))
	k.ok(process.Kill(k.ctx, k.pid("deadlock_child")))
	synctest.Wait()
	begun := time.Now()
	err := k.node.Stop(context.Background())
	if took := time.Since(begun); took > 2*time.Second {
		k.Errorf("the node took %v to stop, the tree's limit is 1s", took)
	}
	k.is(err, nil, "abandoned")
	if hung := k.report(Hung); hung.App != deadlock || !strings.Contains(fmt.Sprint(hung.Left), "child") {
		k.Errorf("the report names %v, want the worker that hangs", hung.Left)
	}
}

// While a stop is under way, others ask about it.
func suiteShutdownDeadlock(k *kit) {
	inTerminate, goOn := make(chan struct{}), make(chan struct{})
	deadlock := &App{Name: "deadlock", Start: supervisor.StartFunc(supervisor.Spec{
		Children: []supervisor.Child{{ID: "child", Start: server.StartFunc(server.Spec[struct{}]{
			TrapExit:  true,
			Terminate: func(context.Context, *struct{}, error) error { close(inTerminate); <-goOn; return nil },
		})}},
	})}
	k.ensure(0, chSup("other"), deadlock)
	stopped := make(chan error, 1)
	go func() { stopped <- Stop(k.ctx, deadlock) }()
	<-inTerminate
	infos, err := Infos(k.ctx)
	if last := infos[len(infos)-1]; err != nil || last.App != deadlock || !last.Top.Alive() || last.Phase != "stopping its tree" {
		k.Errorf("Infos during the stop: %+v, %v; want the top of deadlock, stopping", last, err)
	}
	k.wantRunning("other")
	close(goOn)
	k.ok(<-stopped)
	k.ok(Unload(k.ctx, deadlock))
}

func suiteShutdownFunc(r *runKit) {
	r.options.Stopping = func(ctx context.Context, cause error) {
		r.log("stopping(%v)", cause)
		r.wantRunning("app")
		time.Sleep(time.Second)
		r.log("go on")
	}
	r.run(r.Context(), r.app("app"))
	r.signals <- syscall.SIGTERM
	r.clean()
	r.want("before anything is stopped, and the stop waits for it", `app.start ready stopping(<nil>) go on
		app.prep_stop app_top.down(shutdown) app.stop app:exited(stopped,permanent)+down`)
}

// What a report holds, by key.
func suiteFormatLog1(k *kit) {
	app := &App{Name: "my_application"}
	for _, tt := range []struct {
		r    Report
		want string
	}{
		{Report{What: Exited, App: app, Type: Temporary, Reason: errBoom}, "what=exited application=my_application type=temporary"},
		{Report{What: Started, App: app, Type: Temporary, Took: time.Second}, "what=started application=my_application type=temporary took=1s"},
		{Report{What: StillNeeded, App: app, By: make([]*App, 15)}, "what=still needed application=my_application by=" +
			strings.Repeat("x, ", 9) + "x and 5 more"},
	} {
		for i := range tt.r.By {
			tt.r.By[i] = &App{Name: "x"}
		}
		var got []string
		tt.r.Each(func(key string, value any) { got = append(got, fmt.Sprintf("%s=%v", key, value)) })
		if s := strings.Join(got, " "); s != tt.want {
			k.Errorf("a report of kind %v holds\n\t%s\nwant\n\t%s", tt.r.What, s, tt.want)
		}
	}
}

// What a log shows of an application that starts and is stopped, on a line each.
func suiteFormatLog2(r *runKit) {
	var log bytes.Buffer
	r.options.Node.Probe = nil
	r.options.Reports = trace.Options{Output: &log, Form: trace.JSON, Progress: true}
	r.run(r.Context(), chSup("my_application"))
	r.signals <- syscall.SIGTERM
	r.clean()
	for _, want := range [][]string{
		{`"level":"debug"`, `"application":"my_application"`, `"type":"permanent"`, `application my_application started in`},
		{`"level":"info"`, `"application":"my_application"`, `"type":"permanent"`, `application my_application (permanent) stopped with its node`},
	} {
		if !hasLine(log.String(), want) {
			r.Errorf("no line of the log has all of %q:\n%s", want, log.String())
		}
	}
}

func hasLine(text string, parts []string) bool {
	for line := range strings.Lines(text) {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			return true
		}
	}
	return false
}

func suiteOTP1586(k *kit) {
	app5 := chSup("app5")
	app4 := chSup("app4")
	app4.Included = []*App{app5}
	k.ok(Load(k.ctx, app4))
	if loaded, err := LoadedApplications(k.ctx); err != nil || names(loaded) != "app4 app5" {
		k.Errorf("loaded: %s, %v; want the included one too", names(loaded), err)
	}
	k.ok(Unload(k.ctx, app4))
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

func suiteOTP2718(k *kit) {
	exits := func(name string, reason error) *App {
		return &App{Name: name, Start: func(ctx context.Context) (process.PID, error) {
			process.Exit(ctx, reason)
			return process.PID{}, nil
		}}
	}
	err := Start(k.ctx, exits("trans_normal", nil), Transient)
	k.is(err, nil, "its process ended normally in the middle of it")
	time.Sleep(2 * time.Second)
	k.wantRunning("") // and the node is there to be asked
	k.ok(Start(k.ctx, chSup("other"), 0))

	abnormal := errors.New("abnormal")
	k.is(Start(k.ctx, exits("trans_abnormal", abnormal), Transient), abnormal, "trans_abnormal: Start: its process ended")
	cause, err := Wait(k.ctx)
	k.ok(err)
	k.is(cause, abnormal, "trans_abnormal, which is transient, did not start")
	time.Sleep(3 * time.Second)
	if left := k.node.Processes(); len(left) > 0 {
		k.Errorf("the node should be down, but has %v", left)
	}
}

func suiteOTP2973(k *kit) {
	app0 := chSup("app0")
	bad := &App{Name: "app_start_error", Start: func(context.Context) (process.PID, error) { return process.PID{}, errBoom }}
	for _, tt := range []struct {
		app  *App
		want error
	}{{app0, nil}, {bad, errBoom}} {
		open := gate(tt.app)
		first, second := k.start(tt.app), k.start(tt.app)
		open()
		if err1, err2 := <-first, <-second; !errors.Is(err1, tt.want) || !errors.Is(err2, tt.want) {
			k.Errorf("two starts of %s at once: %v and %v, want %v for both", tt.app, err1, err2, tt.want)
		}
	}
	k.ok(Stop(k.ctx, app0))
}

// OTP's boot fails with a permanent application whose environment on the command
// line is no term.
func suiteOTP3002(r *runKit) {
	sasl := r.app("sasl")
	sasl.Env = []Setting{&Var[[]string]{Name: "dummy"}}
	r.options.Config.Environ = []string{`SASL_DUMMY="missing `}
	r.run(r.Context(), sasl)
	r.ending(FailedStart, "SASL_DUMMY: sasl.dummy: unexpected EOF")
	r.want("nothing was started", "")
}

func suiteOTP4227(k *kit) {
	app9 := chSup("app9")
	app10 := chSup("app10", app9)
	k.ok(Load(k.ctx, app9))
	k.ok(Load(k.ctx, app10))
	k.is(Start(k.ctx, app10, 0), ErrNotStarted, "it needs app9")
	k.ok(Start(k.ctx, app9, 0))
	k.ok(process.Kill(k.ctx, k.pid("app9_sup")))
	synctest.Wait()
	k.is(Start(k.ctx, app10, 0), ErrNotRunning, "it needs app9")
}

func suiteOTP5363(k *kit) {
	app := &App{Name: "group_leader", Start: supervisor.StartFunc(supervisor.Spec{
		Children: []supervisor.Child{{ID: "aa", Start: server.StartFunc(server.Spec[struct{}]{
			TrapExit: true,
			Init: func(ctx context.Context) (*struct{}, error) {
				// Linked to nobody: nothing but the stop of the application ends it.
				_, err := process.Start(ctx, process.Spec{Name: "nisse", Unlinked: true, Behaviour: &top{kit: k, name: "nisse"}})
				return new(struct{}), err
			},
		})}},
	})}
	k.ok(Start(k.ctx, app, 0))
	nisse := k.pid("nisse")
	k.ok(Stop(k.ctx, app))
	if reason, err := process.Wait(k.ctx, nisse); err != nil || !errors.Is(reason, process.ErrKilled) {
		k.Errorf("nisse ended with %v, %v; want it killed", reason, err)
	}
	if pid, is := process.Whereis(k.ctx, "nisse"); is {
		k.Errorf("nisse is still there: %v", pid)
	}
}

func suiteOTP16504(k *kit) {
	called := make(chan struct{})
	app1 := chSup("app1")
	app1.Stop = func(context.Context) error { close(called); return nil }
	k.ok(EnsureStarted(k.ctx, app1, 0))
	infos, err := Infos(k.ctx)
	k.ok(err)
	k.ok(process.Kill(k.ctx, infos[0].PID))
	<-called
	synctest.Wait()
	k.wantRunning("")
}
