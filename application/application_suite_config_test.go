package application

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-cmp/cmp"
)

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
