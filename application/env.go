package application

import (
	"maps"
	"reflect"
	"slices"
	"sync"
)

// An environment holds the settings of all applications of a node. It outlives
// the applications and may be read from anywhere, so it has a lock of its own;
// no user code runs under it.
type environment struct {
	mu   sync.RWMutex
	vals map[*App]map[string]envValue // guarded by mu
}

type envValue struct {
	value any
	keep  bool // survives load and unload
}

func newEnvironment() *environment { return &environment{vals: map[*App]map[string]envValue{}} }

func (e *environment) get(app *App, key string) (any, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	v, ok := e.vals[app][key]
	return v.value, ok
}

func (e *environment) set(app *App, key string, value any, keep bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.of(app)[key] = envValue{value, keep}
}

func (e *environment) unset(app *App, key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.of(app), key)
}

// of returns app's values; e.mu is held for writing.
func (e *environment) of(app *App) map[string]envValue {
	if e.vals[app] == nil {
		e.vals[app] = map[string]envValue{}
	}
	return e.vals[app]
}

// load puts the values of a load in place. They overwrite what was set before,
// unless it was set to stay (APP-04).
func (e *environment) load(app *App, values map[string]any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	mine := e.of(app)
	for key, value := range values {
		if !mine[key].keep {
			mine[key] = envValue{value: value}
		}
	}
}

// unload forgets all of app's values but those set to stay.
func (e *environment) unload(app *App) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.vals[app], func(_ string, v envValue) bool { return !v.keep })
}

// snapshot returns a copy of app's values.
func (e *environment) snapshot(app *App) map[string]any {
	e.mu.RLock()
	defer e.mu.RUnlock()
	values := make(map[string]any, len(e.vals[app]))
	for key, v := range e.vals[app] {
		values[key] = v.value
	}
	return values
}

// A Change is the difference between an application's settings before and
// after. The names in each list are sorted.
type Change struct {
	Changed []string // have another value
	New     []string // had none before
	Removed []string // have none now
}

// Empty reports whether nothing differs.
func (c Change) Empty() bool { return len(c.Changed)+len(c.New)+len(c.Removed) == 0 }

// Has reports whether the setting differs in any way.
func (c Change) Has(s Setting) bool {
	key := s.Key()
	return slices.Contains(c.Changed, key) || slices.Contains(c.New, key) || slices.Contains(c.Removed, key)
}

// difference compares two snapshots.
func difference(before, after map[string]any) Change {
	var c Change
	for key, now := range after {
		old, had := before[key]
		switch {
		case !had:
			c.New = append(c.New, key)
		case !reflect.DeepEqual(old, now):
			c.Changed = append(c.Changed, key)
		}
	}
	for key := range before {
		if _, has := after[key]; !has {
			c.Removed = append(c.Removed, key)
		}
	}
	slices.Sort(c.Changed)
	slices.Sort(c.New)
	slices.Sort(c.Removed)
	return c
}
