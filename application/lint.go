package application

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A Warning is a call that works now and will fail when the node stops: To
// stops before From, whose processes call it, since it was started later and
// From does not need it; and To has no PrepStop in which it could take leave
// of them.
type Warning struct {
	From, To       *App
	Caller, Callee string // paths of the two processes that were seen first
	Place          string // file:line of that call
}

func (w Warning) String() string {
	at := ""
	if w.Place != "" {
		at = " at " + w.Place
	}
	return fmt.Sprintf("%s (of %s) calls %s (of %s)%s, but %s stops first: %s",
		w.Caller, w.From, w.Callee, w.To, at, w.To, cure(w.From, w.To))
}

// cure is what avoids the hazard of x calling y.
func cure(x, y *App) string {
	return fmt.Sprintf("let %s's PrepStop end those of %s's processes that call it, or let %s need %s", y, x, x, y)
}

// Lint returns the calls seen so far that will fail when the node of ctx stops,
// as things stand. It is meant for tests, at the end, and for consoles; each
// hazard is also reported when it is first seen.
func Lint(ctx context.Context) []Warning {
	c, err := controllerOf(ctx)
	if err != nil {
		return nil
	}
	var warnings []Warning
	for p, x := range c.seen.all() {
		if c.isHazard(p) {
			warnings = append(warnings, Warning{From: p.from, To: p.to, Caller: x.caller, Callee: x.callee, Place: x.place})
		}
	}
	slices.SortFunc(warnings, func(a, b Warning) int { return strings.Compare(a.String(), b.String()) })
	return warnings
}

// checkDrained looks, once PrepStop has run and before the tree goes down, for
// living processes elsewhere that have called this application: they may well
// do it again. None is the proof that nobody will meet a dead one.
func (m *master) checkDrained(ctx context.Context) {
	var callers []process.PID
	for _, pid := range m.node.Processes() {
		if pid.Group() != m.group && pid.HasCalled(m.group) && !pid.Is(kindMaster) && !pid.Is(kindHelper) {
			callers = append(callers, pid)
		}
	}
	if len(callers) == 0 {
		return
	}
	r := &Report{What: NotDrained, App: m.app, Type: m.typ, Note: undrained(m.app, callers)}
	for _, pid := range callers[:min(len(callers), leftShown)] {
		r.Left = append(r.Left, Left{PID: pid, Path: pid.Path(), Spawner: pid.Spawner()})
	}
	r.emit(ctx, process.Self(ctx))
}

const leftShown = 20

// undrained says who calls and where to drain: callers are counted by what they
// hang below, which for connections is their listener.
func undrained(app *App, callers []process.PID) string {
	var homes []string
	count := map[string]int{}
	for _, pid := range callers {
		home := pid.Path()
		if parent := pid.Parent(); !parent.IsZero() && !parent.Is(kindMaster) {
			home = "those below " + parent.Path()
		}
		if count[home]++; count[home] == 1 {
			homes = append(homes, home)
		}
	}
	for n, home := range homes {
		homes[n] = fmt.Sprintf("%s (%d)", home, count[home])
	}
	where := "its PrepStop has not ended them"
	if app.PrepStop == nil {
		where = "give it a PrepStop that ends them"
	}
	return fmt.Sprintf("its tree is about to stop, but %d living processes outside have called it and may do so again: %s; %s",
		len(callers), list(homes, 5), where)
}

// explain amends the error of a call that met a process of app which is gone:
// if app is stopping, that is why.
func (c *controller) explain(app *App, err error) error {
	p, detail, since := c.standing(app)
	if !p.stopping() {
		return err
	}
	return &StoppingError{App: app, Phase: phaseName(p, detail), Since: since, Advice: c.advice(app), Err: err}
}

// standing returns where app stands, or stood last.
func (c *controller) standing(app *App) (phase, string, time.Time) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if place := c.loaded[app]; place != nil && place.last.Load() != nil {
		return place.last.Load().where()
	}
	return phaseNone, "", time.Time{}
}

// advice says what would have kept callers of app from meeting its end.
func (c *controller) advice(app *App) string {
	var from []string
	for p := range c.seen.all() {
		if p.to == app && !needs(p.from, app) {
			from = append(from, cure(p.from, app))
		}
	}
	if len(from) == 0 {
		return fmt.Sprintf("call %s only from applications that need it", app)
	}
	slices.Sort(from)
	return strings.Join(from, "; ")
}
