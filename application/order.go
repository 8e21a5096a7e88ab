package application

import "slices"

// This file holds the rules about who starts and stops when. Nothing in it
// starts, stops, waits or writes: it turns descriptions and lists into lists.

// startOrder returns roots and all they need, in an order in which they can
// start: depth first, in the order written, each once. An optional application
// counts where present says so. What is running is left out, and what it needs
// is not looked at (APP-12).
func startOrder(roots []*App, present func(*App) bool, running []*App) ([]*App, error) {
	w := walk{present: present, state: map[*App]visit{}}
	for _, app := range running {
		w.state[app] = done
	}
	for _, app := range roots {
		if err := w.visit(app); err != nil {
			return nil, err
		}
	}
	return w.order, nil
}

// findCycle looks for a cycle among all that app may ever need, optional or
// not. A cycle through an optional application is one even where that is not
// loaded: it would show only on the day that it is.
func findCycle(app *App) error {
	if _, err := startOrder([]*App{app}, func(*App) bool { return true }, nil); err != nil {
		return err
	}
	return inclusionCycle(app, nil)
}

func inclusionCycle(app *App, path []*App) error {
	if from := slices.Index(path, app); from >= 0 {
		return &CycleError{Path: append(slices.Clone(path[from:]), app), Included: true}
	}
	path = append(path, app)
	for _, in := range app.Included {
		if err := inclusionCycle(in, path); err != nil {
			return err
		}
	}
	return nil
}

type visit uint8

const (
	unseen visit = iota
	open         // on the path from a root to here
	done         // in the order
)

// A walk is one depth-first pass.
type walk struct {
	present func(*App) bool
	state   map[*App]visit
	path    []*App // the open ones, outermost first
	order   []*App
}

func (w *walk) visit(app *App) error {
	switch w.state[app] {
	case done:
		return nil
	case open:
		from := slices.Index(w.path, app)
		return &CycleError{Path: append(slices.Clone(w.path[from:]), app)}
	}
	w.state[app] = open
	w.path = append(w.path, app)
	for _, need := range needsOf(app, w.present) {
		if err := w.visit(need); err != nil {
			return err
		}
	}
	w.path = w.path[:len(w.path)-1]
	w.state[app] = done
	w.order = append(w.order, app)
	return nil
}

// needsOf returns what must run before app does, in the order of start: what it
// needs, what it needs where present, and what the applications it includes
// need, since their trees are parts of its own. Those it includes itself are
// never among them.
func needsOf(app *App, present func(*App) bool) []*App {
	var needs []*App
	inside := withIncluded(app)
	for _, part := range inside {
		for _, other := range slices.Concat(part.Needs, part.Optional) {
			itself := other == app && part == app // a cycle of one, kept to be found
			if other == nil || slices.Contains(part.Optional, other) && !present(other) {
				continue // nil is refused when part is loaded
			}
			if itself || !slices.Contains(inside, other) && !slices.Contains(needs, other) {
				needs = append(needs, other)
			}
		}
	}
	return needs
}

// withIncluded returns app and all it includes, at any depth, each once.
func withIncluded(app *App) []*App {
	all := []*App{app}
	for i := 0; i < len(all); i++ {
		for _, in := range all[i].Included {
			if in != nil && !slices.Contains(all, in) { // nil is refused by validate
				all = append(all, in)
			}
		}
	}
	return all
}

// stopPlan returns the order in which running applications, oldest first, are
// stopped: the latest started first. It is the order of start that counts, not
// that of Needs (APP-36).
func stopPlan(running []*App) []*App {
	plan := slices.Clone(running)
	slices.Reverse(plan)
	return plan
}

// dependents returns those of running that need app, directly or not.
func dependents(app *App, running []*App) []*App {
	var users []*App
	for _, other := range running {
		if needs(other, app) {
			users = append(users, other)
		}
	}
	return users
}

// needs reports whether x needs y, directly or not. Whoever may need y where it
// is present does need it: this is asked about running applications.
func needs(x, y *App) bool {
	reached := []*App{x}
	for i := 0; i < len(reached); i++ {
		for _, n := range needsOf(reached[i], func(*App) bool { return true }) {
			if n == y {
				return x != y
			}
			if !slices.Contains(reached, n) {
				reached = append(reached, n)
			}
		}
	}
	return false
}

// hazard reports whether a call from x's tree into y's may meet a y that is no
// more: y stops before x, as it started after it, and x does not need y. (If x
// needs y, then y started first.) The running applications are given oldest
// first. This is the trap of the broker whose listeners belong to another
// application: orderly by the letter, and still every connection crashes.
func hazard(running []*App, x, y *App) bool {
	xAt, yAt := slices.Index(running, x), slices.Index(running, y)
	return xAt >= 0 && yAt > xAt && !needs(x, y)
}

// A phaseStep is one start phase of one application.
type phaseStep struct {
	app   *App
	phase Phase
}

// phasePlan returns the phases of a start of app in order. Its own list
// decides: each phase runs in app, then in every included application that has
// one of that name, outer before inner. Phases that only an included
// application has are not run.
func phasePlan(app *App) []phaseStep {
	var plan []phaseStep
	for _, p := range app.StartPhases {
		for _, part := range includedDepthFirst(app, nil) {
			i := slices.IndexFunc(part.StartPhases, func(q Phase) bool { return q.Name == p.Name })
			if i >= 0 {
				plan = append(plan, phaseStep{part, part.StartPhases[i]})
			}
		}
	}
	return plan
}

func includedDepthFirst(app *App, seen []*App) []*App {
	if slices.Contains(seen, app) {
		return seen
	}
	seen = append(seen, app)
	for _, in := range app.Included {
		seen = includedDepthFirst(in, seen)
	}
	return seen
}
