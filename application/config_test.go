package application

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type level int

func (l *level) UnmarshalText(text []byte) error {
	switch string(text) {
	case "low":
		*l = 1
	case "high":
		*l = 2
	default:
		return fmt.Errorf("%q is neither low nor high", text)
	}
	return nil
}

type limits struct {
	Rate  int
	Burst int
}

// brokerApp has a setting of every sort.
func brokerApp() *App {
	return &App{Name: "broker", Env: []Setting{
		&Var[int]{Name: "port", Default: 1883, Check: func(p int) error {
			if p < 0 || p > 65535 {
				return errors.New("no TCP port")
			}
			return nil
		}},
		&Var[string]{Name: "data_dir", Default: "/var/broker"},
		&Var[time.Duration]{Name: "keep-alive", Default: time.Minute},
		&Var[level]{Name: "level"},
		&Var[limits]{Name: "limits", Default: limits{10, 20}},
		&Var[[]string]{Name: "peers"},
		&Var[bool]{Name: "anonymous", Default: true},
	}}
}

func sourcesOf(t *testing.T, environ []string, files ...string) sources {
	t.Helper()
	s, err := Config{Environ: environ}.read()
	for i, text := range files {
		src, perr := parseSource(fmt.Sprintf("file%d.json", i+1), []byte(text))
		err = errors.Join(err, perr)
		s.files = append(s.files, src)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestValuesPrecedence(t *testing.T) {
	s := sourcesOf(t, []string{"BROKER_PORT=9", "BROKER_KEEP_ALIVE=3s", "BROKER_LEVEL=high", "BROKER_ANONYMOUS=false", "OTHER=1"},
		`{"broker": {"port": 7, "keep-alive": "5s", "data_dir": "/one", "limits": {"Rate": 1, "Burst": 2}}, "other": {"x": 1}}`,
		`{"broker": {"data_dir": "/two", "peers": ["a", "b"]}}`,
		`{"broker": {"peers": null}}`)
	got, err := s.values(brokerApp())
	want := map[string]any{
		"port":       9,               // the variable, over both files
		"keep-alive": 3 * time.Second, // dashes are underscores in variables
		"data_dir":   "/two",          // the later file
		"level":      level(2),
		"limits":     limits{1, 2},
		"peers":      []string(nil), // null is a value of a type that has nil
		"anonymous":  false,
	}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("values: %v, difference (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	if s := s.strangers(func(name string) bool { return name == "broker" }); len(s) != 1 || s[0] != "file1.json: other" {
		t.Errorf("strangers = %q, want the application that nobody loads", s)
	}
}

func TestValuesFaults(t *testing.T) {
	s := sourcesOf(t, []string{"BROKER_PORT=70000"},
		`{"broker": {"prot": 7, "keep-alive": 5, "limits": {"rat": 1}, "level": "middling", "anonymous": null}}`)
	_, err := s.values(brokerApp())
	if err == nil {
		t.Fatal("no fault found in a file full of them")
	}
	for _, want := range []string{
		"file1.json: broker.prot: no such setting; there are anonymous, data_dir",
		`file1.json: broker.keep-alive: want a duration in quotes, like "5s"`,
		`file1.json: broker.limits: json: unknown field "rat"`,
		`file1.json: broker.level: "middling" is neither low nor high`,
		"file1.json: broker.anonymous: null is no value; leave the setting out for its default",
		"BROKER_PORT: broker.port: no TCP port",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the faults are\n%v\nand lack: %s", err, want)
		}
	}
}

func TestConfigFiles(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte("{\n\"broker\": {\n\"port\" 7}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Config{Files: []string{filepath.Join(dir, "gone.json"), bad}}.read()
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(fmt.Sprint(err), "bad.json: line 3: invalid character") {
		t.Errorf("read = %v, want both faults, the second with its line", err)
	}
}

func TestConfigPrefix(t *testing.T) {
	s, err := Config{Prefix: "acme", Environ: []string{"ACME_BROKER_PORT=7", "BROKER_PORT=8"}}.read()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.values(brokerApp()); err != nil || got["port"] != 7 {
		t.Errorf("port = %v, %v, want 7: only variables with the prefix count", got["port"], err)
	}
}

// What encoding/json writes of a value must be read back as that value, from a
// file and from a variable.
func TestValuesRoundTrip(t *testing.T) {
	v := &Var[limits]{Name: "limits"}
	rapid.Check(t, func(t *rapid.T) {
		want := limits{rapid.Int().Draw(t, "rate"), rapid.Int().Draw(t, "burst")}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		fromFile, err1 := v.fromJSON(text)
		fromVariable, err2 := v.fromText(string(text))
		if err1 != nil || err2 != nil || fromFile != want || fromVariable != want {
			t.Fatalf("%s is read as %v (%v) and %v (%v)", text, fromFile, err1, fromVariable, err2)
		}
	})
}
