package application

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A Config says where settings get their values from when an application is
// loaded. Later ones win: an App's defaults, the files in order, environment
// variables. The zero Config leaves the defaults.
type Config struct {
	// Files are JSON files of the form {"broker": {"port": 1884}}.
	Files []string

	// Environ is a program's environment, as os.Environ returns it. The setting
	// max_clients of broker is read from BROKER_MAX_CLIENTS.
	Environ []string

	// Prefix comes before the names of environment variables, if not empty.
	Prefix string
}

// A ConfigError is a fault in a file or in the environment.
type ConfigError struct {
	Source  string // file name, or name of the variable
	App     string // "" where the whole source is bad
	Setting string
	Err     error
}

func (e *ConfigError) Error() string {
	at := e.Source
	if e.App != "" {
		at += ": " + e.App
	}
	if e.Setting != "" {
		at += "." + e.Setting
	}
	return fmt.Sprintf("application: %s: %v", at, e.Err)
}
func (e *ConfigError) Unwrap() error { return e.Err }

// A source is one file, read but not understood: what a value means is known
// only to its Var.
type source struct {
	name string
	apps map[string]map[string]json.RawMessage
}

// sources is a Config whose files have been read.
type sources struct {
	files   []source
	environ map[string]string
	prefix  string
}

// read reads the files, all of them even if one is bad.
func (c Config) read() (sources, error) {
	s := sources{prefix: c.Prefix, environ: map[string]string{}}
	var faults []error
	for _, name := range c.Files {
		text, err := os.ReadFile(name)
		if err != nil {
			faults = append(faults, &ConfigError{Source: name, Err: err})
			continue
		}
		src, err := parseSource(name, text)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		s.files = append(s.files, src)
	}
	for _, line := range c.Environ {
		if name, value, ok := strings.Cut(line, "="); ok {
			s.environ[name] = value
		}
	}
	return s, errors.Join(faults...)
}

func parseSource(name string, text []byte) (source, error) {
	src := source{name: name, apps: map[string]map[string]json.RawMessage{}}
	if err := json.Unmarshal(text, new(json.RawMessage)); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line := 1 + strings.Count(string(text[:syntax.Offset]), "\n")
			err = fmt.Errorf("line %d: %w", line, err)
		}
		return source{}, &ConfigError{Source: name, Err: err}
	}
	apps, err := object(text)
	if err != nil {
		return source{}, &ConfigError{Source: name, Err: err}
	}
	var faults []error
	for app, raw := range apps {
		if src.apps[app], err = object(raw); err != nil {
			faults = append(faults, &ConfigError{Source: name, App: app, Err: err})
		}
	}
	return src, joinSorted(faults)
}

// object reads a JSON object. Package json would take the last of two values of
// one name, and nobody would learn why the first has no effect.
func object(text []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if begin, err := dec.Token(); err != nil || begin != json.Delim('{') {
		return nil, errors.New(`want an object of applications or settings, like {"broker": {"port": 1884}}`)
	}
	values := map[string]json.RawMessage{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name := key.(string) // of a text that was parsed before
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		values[name] = value
	}
	return values, nil
}

// joinSorted joins faults found in no particular order.
func joinSorted(faults []error) error {
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(faults...)
}

// values returns what app's settings are when it is loaded, or all faults.
func (s sources) values(app *App) (map[string]any, error) {
	values := map[string]any{}
	known := map[string]Setting{}
	for _, setting := range app.Env {
		known[setting.Key()] = setting
		values[setting.Key()] = setting.initial()
	}
	var faults []error
	for _, file := range s.files {
		for key, raw := range file.apps[app.Name] {
			setting := known[key]
			if setting == nil {
				faults = append(faults, &ConfigError{file.name, app.Name, key, unknownSetting(app)})
				continue
			}
			v, err := setting.fromJSON(raw)
			if err != nil {
				faults = append(faults, &ConfigError{file.name, app.Name, key, err})
				continue
			}
			values[key] = v
		}
	}
	for key, setting := range known {
		text, ok := s.environ[s.variable(app, key)]
		if !ok {
			continue
		}
		v, err := setting.fromText(text)
		if err != nil {
			faults = append(faults, &ConfigError{s.variable(app, key), app.Name, key, err})
			continue
		}
		values[key] = v
	}
	return values, joinSorted(faults)
}

func unknownSetting(app *App) error {
	keys := make([]string, len(app.Env))
	for i, s := range app.Env {
		keys[i] = s.Key()
	}
	if len(keys) == 0 {
		return errors.New("no such setting; the application has none")
	}
	slices.Sort(keys)
	return fmt.Errorf("no such setting; there are %s", strings.Join(keys, ", "))
}

// variable returns the name of the environment variable of a setting.
func (s sources) variable(app *App, key string) string {
	name := app.Name + "_" + key
	if s.prefix != "" {
		name = s.prefix + "_" + name
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
}

// strangers returns the applications that the files configure and loaded does
// not have: a misspelt name, most often.
func (s sources) strangers(loaded func(name string) bool) []string {
	var names []string
	for _, file := range s.files {
		for name := range file.apps {
			if !loaded(name) {
				names = append(names, file.name+": "+name)
			}
		}
	}
	slices.Sort(names)
	return names
}
