package application

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coppice-go/coppice/process"
)

func TestSettings(t *testing.T) {
	inBubble(t, func(k *kit) {
		port := &Var[int]{Name: "port", Default: 1883, Check: func(p int) error {
			if p > 65535 {
				return errors.New("no TCP port")
			}
			return nil
		}}
		secret := &Var[string]{Name: "key", Default: "hunter2", Secret: true}
		a, b := k.app("a"), k.app("b")
		a.Env, b.Env = []Setting{port, secret}, []Setting{port}
		k.ensure(Temporary, a, b)
		k.ok(port.Set(In(k.ctx, b), 99))
		k.ask("a_top", func(ctx context.Context) {
			if got := port.Get(ctx); got != 1883 {
				t.Errorf("a's port = %d, want the default: only b's was set", got)
			}
			k.ok(port.Set(ctx, 80))
			k.is(port.Set(ctx, 70000), nil, `a: setting "port": no TCP port`)
		})
		if got := port.Get(In(k.ctx, a)); got != 80 {
			t.Errorf("seen from outside, a's port = %d, want 80", got)
		}
		values, err := Environment(In(k.ctx, a))
		if want := map[string]any{"port": 80, "key": "(secret)"}; err != nil || !cmp.Equal(values, want) {
			t.Errorf("Environment = %v, %v; want %v", values, err, want)
		}
		k.ok(port.Unset(In(k.ctx, a)))
		if _, set := port.Lookup(In(k.ctx, a)); set || port.Get(In(k.ctx, a)) != 1883 {
			t.Error("after Unset, Get is the default and Lookup says so (APP-42)")
		}
	})
}

func TestSettingOutsideOfAnyApplication(t *testing.T) {
	inBubble(t, func(k *kit) {
		port := &Var[int]{Name: "port"}
		k.is(port.Set(k.ctx, 1), ErrNoApp, `setting "port"`)
		if _, err := Environment(k.ctx); !errors.Is(err, ErrNoApp) {
			t.Errorf("Environment = %v, want ErrNoApp", err)
		}
		defer func() {
			if err, _ := recover().(error); !errors.Is(err, ErrNoApp) {
				t.Errorf("Get panicked with %v, want ErrNoApp", err)
			}
		}()
		port.Get(k.ctx)
	})
}

func TestTwoVarsOfOneName(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.Env = []Setting{&Var[int]{Name: "port", Default: 1}}
		k.ok(Load(k.ctx, a))
		defer func() {
			if text := fmt.Sprint(recover()); !strings.Contains(text, `"port" of a is a int, and this Var's type is string`) {
				t.Errorf("the panic says %q", text)
			}
		}()
		(&Var[string]{Name: "port"}).Get(In(k.ctx, a))
	})
}

func TestSetBeforeLoad(t *testing.T) {
	inBubble(t, func(k *kit) {
		v, stay := &Var[int]{Name: "k", Default: 1}, &Var[int]{Name: "stay", Default: 1}
		unlisted := &Var[any]{Name: "n"}
		a := k.app("a")
		a.Env = []Setting{v, stay}
		ctx := In(k.ctx, a)
		k.ok(v.Set(ctx, 2))
		k.ok(unlisted.Set(ctx, "x"))
		k.ok(stay.Keep(ctx, 2))
		step := func(why string, want map[string]any) {
			t.Helper()
			if got, err := Environment(ctx); err != nil || !cmp.Equal(got, want) {
				t.Errorf("%s: %v, %v; want %v", why, got, err, want)
			}
		}
		step("before", map[string]any{"k": 2, "n": "x", "stay": 2})
		k.ok(Load(k.ctx, a))
		step("loaded", map[string]any{"k": 1, "n": "x", "stay": 2})
		k.ok(Unload(k.ctx, a))
		step("unloaded", map[string]any{"stay": 2})
	})
}

func TestLoadAndUnload(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.is(Unload(k.ctx, a), ErrNotLoaded, "unload a")
		k.ok(Load(k.ctx, a))
		k.is(Load(k.ctx, a), ErrAlreadyLoaded, "load a")
		k.is(Load(k.ctx, k.app("a")), ErrNameTaken, "each needs its own name")
		k.is(Load(k.ctx, &App{}), nil, "Name is empty")
		k.ok(Start(k.ctx, a, Temporary))
		k.is(Unload(k.ctx, a), ErrRunning, "")
		k.ok(Stop(k.ctx, a))
		k.ok(Unload(k.ctx, a))
		k.ok(Load(k.ctx, k.app("a")))
	})
}

func TestNodesAreWorldsOfTheirOwn(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		other := process.NewNode(process.NodeSpec{Probe: k})
		k.ok(Start(k.ctx, a, Temporary))
		k.ok(Start(other.Context(), a, Temporary))
		k.ok(other.Stop(context.Background()))
		k.wantRunning("a")
	})
}

func TestConfigure(t *testing.T) {
	inBubble(t, func(k *kit) {
		file := filepath.Join(t.TempDir(), "config.json")
		write := func(text string) { k.ok(os.WriteFile(file, []byte(text), 0o600)) }
		port := &Var[int]{Name: "port", Default: 1}
		a := k.app("a")
		a.Env = []Setting{port}
		var changes []string
		a.ConfigChange = func(ctx context.Context, c Change) error {
			changes = append(changes, fmt.Sprintf("%v %v %v port=%d", c.Changed, c.New, c.Removed, port.Get(ctx)))
			return nil
		}
		write(`{"a": {"port": 2}}`)
		cfg := Config{Files: []string{file}}
		k.ok(Configure(k.ctx, cfg))
		k.ensure(Temporary, a)
		if got := port.Get(In(k.ctx, a)); got != 2 {
			t.Errorf("port = %d, want that of the file", got)
		}
		write(`{"a": {"port": 3}}`)
		reload := func(ctx context.Context) error { return Configure(ctx, cfg) }
		k.ok(Reconfigure(k.ctx, reload))
		k.ok(Reconfigure(k.ctx, reload)) // nothing differs: nobody is told
		if want := []string{"[port] [] [] port=3"}; !cmp.Equal(changes, want) {
			t.Errorf("told: %q, want %q (APP-45)", changes, want)
		}
		write(`{"a": {"prot": 4}}`)
		err := Reconfigure(k.ctx, reload)
		k.is(err, nil, "a.prot: no such setting; there are port")
		if got := port.Get(In(k.ctx, a)); got != 3 {
			t.Errorf("port = %d after a bad file, want nothing changed", got)
		}
	})
}

func TestReconfigureTellsOnlyThoseConcerned(t *testing.T) {
	inBubble(t, func(k *kit) {
		v, gone, fresh := &Var[int]{Name: "k", Default: 1}, &Var[int]{Name: "gone"}, &Var[int]{Name: "new"}
		told := func(app *App) *App {
			app.Env = []Setting{v, gone}
			app.ConfigChange = func(_ context.Context, c Change) error {
				k.log("%s.change(%v,%v,%v)", app, c.Changed, c.New, c.Removed)
				return nil
			}
			return app
		}
		a, b, idle := told(k.app("a")), told(k.app("b")), told(k.app("idle"))
		k.ensure(Temporary, a, b)
		k.ok(Load(k.ctx, idle))
		k.set(func() { k.journal = nil })
		k.ok(Reconfigure(k.ctx, func(ctx context.Context) error {
			return errors.Join(v.Set(In(ctx, a), 5), fresh.Set(In(ctx, a), 6), gone.Unset(In(ctx, a)), v.Set(In(ctx, idle), 2))
		}))
		k.want("", "a.change([k],[new],[gone])")
	})
}

func TestConfigChangeFails(t *testing.T) {
	inBubble(t, func(k *kit) {
		v := &Var[int]{Name: "k"}
		a := k.app("a")
		a.Env = []Setting{v}
		a.ConfigChange = func(context.Context, Change) error { panic("oops") }
		k.ensure(Temporary, a)
		err := Reconfigure(k.ctx, func(ctx context.Context) error { return v.Set(In(ctx, a), 1) })
		k.is(err, nil, "a: ConfigChange: its process ended: panic: oops")
		k.wantRunning("a") // it does not end of it
	})
}
