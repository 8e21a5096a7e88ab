package application

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// world makes applications from lines like "b: a, c?, (d)": b needs a, needs c
// where present, includes d.
func world(lines ...string) map[string]*App {
	apps := map[string]*App{}
	get := func(name string) *App {
		if apps[name] == nil {
			apps[name] = &App{Name: name}
		}
		return apps[name]
	}
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, ":")
		app := get(name)
		for other := range strings.SplitSeq(strings.ReplaceAll(rest, " ", ""), ",") {
			switch {
			case other == "":
			case strings.HasSuffix(other, "?"):
				app.Optional = append(app.Optional, get(strings.TrimSuffix(other, "?")))
			case strings.HasPrefix(other, "("):
				app.Included = append(app.Included, get(strings.Trim(other, "()")))
			default:
				app.Needs = append(app.Needs, get(other))
			}
		}
	}
	return apps
}

func names(apps []*App) string {
	s := make([]string, len(apps))
	for i, a := range apps {
		s[i] = a.Name
	}
	return strings.Join(s, " ")
}

func TestStartOrder(t *testing.T) {
	for _, tt := range []struct {
		why     string
		world   []string
		roots   string
		present string
		want    string
	}{
		{"alone", []string{"a:"}, "a", "", "a"},
		{"needs first", []string{"b: a"}, "b", "", "a b"},
		{"a diamond starts its base once, sides as written", []string{"d: b, c", "b: a", "c: a"}, "d", "", "a b c d"},
		{"several roots share", []string{"b: a", "c: a"}, "b c", "", "a b c"},
		{"an optional one that is not there is left out", []string{"b: a, m?"}, "b", "", "a b"},
		{"an optional one that is there comes first", []string{"b: a, m?", "m: n"}, "b", "m", "a n m b"},
		{"an optional one that is needed as well has its place there", []string{"b: m, a, m?"}, "b", "m", "m a b"},
		{"an optional one that is needed as well may be missing", []string{"b: m, a, m?"}, "b", "", "a b"},
		{"what is included is not started", []string{"b: (i)"}, "b", "", "b"},
		{"what an included one needs is needed", []string{"b: (i)", "i: a, (j)", "j: k"}, "b", "", "a k b"},
		{"what an included one needs of its includer is there", []string{"b: (i)", "i: b"}, "b", "", "b"},
	} {
		apps := world(tt.world...)
		var roots []*App
		for _, name := range strings.Fields(tt.roots) {
			roots = append(roots, apps[name])
		}
		present := func(a *App) bool { return slices.Contains(strings.Fields(tt.present), a.Name) }
		got, err := startOrder(roots, present, nil)
		if err != nil || names(got) != tt.want {
			t.Errorf("%s: startOrder(%s) of %q = %s, %v; want %s", tt.why, tt.roots, tt.world, names(got), err, tt.want)
		}
	}
}

func TestCycles(t *testing.T) {
	for _, tt := range []struct {
		why   string
		world []string
		want  string
	}{
		{"none", []string{"a: b", "b: c"}, ""},
		{"of one", []string{"a: a"}, "a needs a"},
		{"of two", []string{"a: b", "b: a"}, "a needs b needs a"},
		{"below the root: the way to it is not part of it", []string{"a: b", "b: c", "c: d", "d: b"}, "b needs c needs d needs b"},
		{"through an optional one that is not loaded", []string{"a: b", "b: a?"}, "a needs b needs a"},
		{"through an included one", []string{"a: (i)", "i: b", "b: a"}, "a needs b needs a"},
		{"of inclusion", []string{"a: (i)", "i: (j)", "j: (i)"}, "i includes j includes i"},
	} {
		err := findCycle(world(tt.world...)["a"])
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v, want no cycle", tt.why, err)
			}
			continue
		}
		var cycle *CycleError
		if !errors.As(err, &cycle) || err.Error() != "application: cycle: "+tt.want {
			t.Errorf("%s: findCycle = %v, want cycle %s", tt.why, err, tt.want)
		}
	}
}

func TestHazard(t *testing.T) {
	// broker needs sockets, sockets' connections call broker: the famous one.
	apps := world("broker: sockets", "plugin: broker", "other:")
	a := func(name string) *App { return apps[name] }
	running := []*App{a("sockets"), a("broker"), a("plugin"), a("other")}
	for _, tt := range []struct {
		x, y string
		want bool
		why  string
	}{
		{"sockets", "broker", true, "broker stops first and sockets does not need it"},
		{"broker", "sockets", false, "sockets stops after"},
		{"plugin", "broker", false, "it needs it, so it stops first"},
		{"plugin", "sockets", false, "needed by way of broker"},
		{"sockets", "other", true, "unrelated, but started later"},
		{"other", "sockets", false, "unrelated, stops after"},
		{"broker", "broker", false, "one's own"},
	} {
		if got := hazard(running, a(tt.x), a(tt.y)); got != tt.want {
			t.Errorf("hazard(%s calls %s) = %v, want %v: %s", tt.x, tt.y, got, tt.want, tt.why)
		}
	}
	if hazard(running[:1], a("sockets"), a("broker")) {
		t.Error("hazard of one that does not run: its calls fail already now")
	}
}

func TestPhasePlan(t *testing.T) {
	apps := world("top: (in), (out)", "in: (deep)")
	set := func(name string, phases ...string) {
		for _, p := range phases {
			apps[name].StartPhases = append(apps[name].StartPhases, Phase{Name: p})
		}
	}
	set("top", "p1", "p2", "p3")
	set("in", "p2", "only-in")
	set("deep", "p3", "p2")
	set("out", "p2")
	var got []string
	for _, step := range phasePlan(apps["top"]) {
		got = append(got, step.phase.Name+"/"+step.app.Name)
	}
	want := "p1/top p2/top p2/in p2/deep p2/out p3/top p3/deep"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("phasePlan = %s, want %s", s, want)
	}
}

// randomWorld draws up to eight applications with any edges, cycles included.
func randomWorld(t *rapid.T) []*App {
	apps := make([]*App, rapid.IntRange(1, 8).Draw(t, "apps"))
	for i := range apps {
		apps[i] = &App{Name: string(rune('a' + i))}
	}
	for _, app := range apps {
		for _, other := range apps {
			switch rapid.IntRange(0, 15).Draw(t, app.Name+"->"+other.Name) {
			case 0, 1:
				app.Needs = append(app.Needs, other)
			case 2:
				app.Optional = append(app.Optional, other)
			case 3:
				app.Needs, app.Optional = append(app.Needs, other), append(app.Optional, other)
			}
		}
	}
	return apps
}

func TestOrderLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		apps := randomWorld(t)
		there := map[*App]bool{}
		for _, app := range apps {
			there[app] = rapid.Bool().Draw(t, app.Name+" present")
		}
		present := func(a *App) bool { return there[a] }
		order, err := startOrder(apps, present, nil)
		var cycle *CycleError
		if errors.As(err, &cycle) {
			for i, app := range cycle.Path[1:] {
				if !slices.Contains(needsOf(cycle.Path[i], present), app) {
					t.Fatalf("%v, but %s does not need %s", cycle, cycle.Path[i], app)
				}
			}
			if cycle.Path[0] != cycle.Path[len(cycle.Path)-1] {
				t.Fatalf("%v does not end where it began", cycle)
			}
			return
		}
		if len(order) != len(apps) {
			t.Fatalf("order %s has not all of %s once", names(order), names(apps))
		}
		for i, app := range order {
			for _, n := range needsOf(app, present) {
				if at := slices.Index(order, n); at < 0 || at >= i {
					t.Fatalf("%s: %s comes before %s, which it needs", names(order), app, n)
				}
			}
		}
		holdStopLaws(t, order)
	})
}

// holdStopLaws checks what must be true of applications that started in order.
func holdStopLaws(t *rapid.T, order []*App) {
	plan := stopPlan(order)
	for i, app := range plan {
		for _, user := range dependents(app, order) {
			if findCycle(user) == nil && slices.Index(plan, user) > i && slices.Contains(user.Needs, app) && !slices.Contains(user.Optional, app) {
				t.Fatalf("%s stops before %s, which needs it", app, user)
			}
		}
		for _, other := range order {
			if hazard(order, app, other) && (needs(app, other) || slices.Index(plan, other) > i) {
				t.Fatalf("%s calling %s is called a hazard in %s", app, other, names(order))
			}
		}
	}
}

func TestEndsNode(t *testing.T) {
	for _, tt := range []struct {
		typ    Type
		normal bool
		want   bool
		why    string
	}{
		{Permanent, true, true, "any end of a permanent one (APP-22)"},
		{Permanent, false, true, "its failed start too (APP-25)"},
		{Transient, true, false, "a normal end is tolerated (APP-23)"},
		{Transient, false, true, "nothing else is, a failed start neither"},
		{Temporary, false, false, "never (APP-24)"},
	} {
		if got := tt.typ.endsNode(tt.normal); got != tt.want {
			t.Errorf("%v.endsNode(%v) = %v, want %v: %s", tt.typ, tt.normal, got, tt.want, tt.why)
		}
	}
}
