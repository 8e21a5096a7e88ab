package application

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEnvironmentLoad(t *testing.T) {
	e, app := newEnvironment(), &App{Name: "a"}
	step := func(why string, want map[string]any) {
		t.Helper()
		if got := e.snapshot(app); !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v", why, got, want)
		}
	}
	e.set(app, "k", 2, false)
	e.set(app, "n", 3, false)
	e.set(app, "stay", 4, true)
	step("set before load", map[string]any{"k": 2, "n": 3, "stay": 4})
	e.load(app, map[string]any{"k": 1, "stay": 0})
	step("load overwrites what it has and what was not set to stay (APP-04)", map[string]any{"k": 1, "n": 3, "stay": 4})
	e.unset(app, "k")
	step("unset", map[string]any{"n": 3, "stay": 4})
	e.unload(app)
	step("unload forgets (APP-43)", map[string]any{"stay": 4})
	e.unset(&App{Name: "b"}, "k")
	step("another application's settings are its own", map[string]any{"stay": 4})
}

// The three lists of a Change say all that differs, and nothing else.
func TestDifferenceLaw(t *testing.T) {
	settings := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.IntRange(0, 2))
	rapid.Check(t, func(t *rapid.T) {
		before, after := map[string]any{}, map[string]any{}
		for k, v := range settings.Draw(t, "before") {
			before[k] = v
		}
		for k, v := range settings.Draw(t, "after") {
			after[k] = v
		}
		diff := difference(before, after)
		redone := maps.Clone(before)
		for _, k := range diff.Removed {
			delete(redone, k)
		}
		for _, k := range append(slices.Clone(diff.Changed), diff.New...) {
			if redone[k] == after[k] && slices.Contains(diff.Changed, k) {
				t.Fatalf("%q is called changed and is not", k)
			}
			redone[k] = after[k]
		}
		if !maps.Equal(redone, after) {
			t.Fatalf("%+v makes %v of %v, not %v", diff, redone, before, after)
		}
		if diff.Empty() != maps.Equal(before, after) {
			t.Fatalf("Empty = %v of %v and %v", diff.Empty(), before, after)
		}
	})
}
