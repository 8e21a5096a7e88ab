package application

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

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
