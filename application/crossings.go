package application

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/coppice-go/coppice/process"
)

// crossings remembers which applications call which, and where each pair was
// first seen to. It costs nothing while nothing new is seen: process tells of a
// pair once.
type crossings struct {
	mu    sync.Mutex
	apps  map[*process.Group]*App
	first map[pair]crossing
}

type pair struct{ from, to *App }

// A crossing is the first call of a process in one application to one in
// another.
type crossing struct {
	caller, callee string // paths
	place          string // file:line
}

func newCrossings() *crossings {
	return &crossings{apps: map[*process.Group]*App{}, first: map[pair]crossing{}}
}

func (s *crossings) appOf(g *process.Group) *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apps[g]
}

// note keeps the first place of a pair and reports whether this is it.
func (s *crossings) note(p pair, x crossing) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, seen := s.first[p]; seen {
		return false
	}
	s.first[p] = x
	return true
}

func (s *crossings) all() map[pair]crossing {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[pair]crossing, len(s.first))
	for p, x := range s.first {
		out[p] = x
	}
	return out
}

// newGroup makes the group that app's processes are born into. It is told of
// calls from outside, and explains those that fail because app is stopping.
func (c *controller) newGroup(app *App) *process.Group {
	g := &process.Group{Name: app.Name}
	g.Crossed = func(from *process.Group, caller, callee process.PID, pcs []uintptr) {
		c.crossed(from, app, caller, callee, pcs)
	}
	g.Explain = func(err error) error { return c.explain(app, err) }
	c.seen.mu.Lock()
	c.seen.apps[g] = app
	c.seen.mu.Unlock()
	return g
}

// crossed runs in the caller. It warns at once: who finds out only when the
// node stops finds out in production.
func (c *controller) crossed(from *process.Group, to *App, caller, callee process.PID, pcs []uintptr) {
	x := c.seen.appOf(from)
	if x == nil {
		return
	}
	at := crossing{caller: caller.Path(), callee: callee.Path(), place: placeOf(pcs)}
	if !c.seen.note(pair{x, to}, at) || !c.isHazard(pair{x, to}) {
		return
	}
	w := Warning{From: x, To: to, Caller: at.caller, Callee: at.callee, Place: at.place}
	r := &Report{What: OrderHazard, App: to, By: []*App{x}, Note: w.String()}
	r.emit(c.node.Context(), caller)
}

// isHazard applies the order check to what runs now. An application whose
// PrepStop takes leave of its callers is not warned of: whether it does is seen
// when it stops.
func (c *controller) isHazard(p pair) bool {
	return p.to.PrepStop == nil && hazard(c.order(), p.from, p.to)
}

// placeOf finds the user's code in the stack of a call.
func placeOf(pcs []uintptr) string {
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		if f.Function != "" && !ownFrame(f.Function) {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !more {
			return ""
		}
	}
}

const module = "github.com/coppice-go/coppice/"

// ownFrame reports whether a function is part of the way from a user's call to
// here.
func ownFrame(function string) bool {
	if strings.HasPrefix(function, "runtime.") {
		return true
	}
	rest, ours := strings.CutPrefix(function, module)
	if !ours {
		return false
	}
	switch pkg, _, _ := strings.Cut(rest, "."); pkg {
	case "process", "process/server", "process/statem", "process/event", "process/system", "registry", "supervisor":
		return true
	}
	return false
}
