package application

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/process"
)

// What a Report is about.
type What uint8

// The reports, in the order in which an application may give rise to them.
const (
	Withheld       What = iota // it was to start, but may not: see Permit
	PhaseBegan                 // it has entered Phase
	Started                    // it is up
	Exited                     // it has ended, or has failed to start, with Reason
	CallbackFailed             // PrepStop, Stop or ConfigChange failed with Reason; things go on
	Hung                       // a phase took too long; what hung (Left) was killed
	StraysEnded                // Left were alive when all of its tree was gone, and were killed
	StillNeeded                // it is being stopped though By run and need it
	OrderHazard                // By called it, and will go on when it has stopped
	NotDrained                 // its tree goes down while processes outside (Left) that call it live
	NodeGoesDown               // the node stops because of it
)

func (w What) String() string {
	return [...]string{"withheld", "phase", "started", "exited", "callback failed", "hung", "strays ended",
		"still needed", "order hazard", "not drained", "node goes down"}[w]
}

// A Report is the Detail of the events of kind process.Application.
type Report struct {
	What   What
	App    *App
	Type   Type
	Phase  string
	Reason error // Exited: ErrStopped if it was asked to stop, *CallbackError if it did not start
	Down   bool  // Exited: it was stopped because its node goes down
	Took   time.Duration
	By     []*App
	Left   []Left
	Note   string
}

// Each makes a Report a process.Detail.
func (r *Report) Each(yield func(key string, value any)) {
	yield("what", r.What.String())
	yield("application", r.App.Name)
	if r.Type != 0 {
		yield("type", r.Type.String())
	}
	if r.Phase != "" {
		yield("phase", r.Phase)
	}
	if r.Took > 0 {
		yield("took", r.Took)
	}
	if len(r.By) > 0 {
		yield("by", appNames(r.By))
	}
	for i, l := range r.Left {
		yield(fmt.Sprintf("left.%d", i), l.String())
		if l.Stack != "" {
			yield(fmt.Sprintf("left.%d.stack", i), l.Stack)
		}
	}
}

// emit gives the report to the node's probe; about is the process it is about.
func (r *Report) emit(ctx context.Context, about process.PID) {
	if !process.Wants(ctx, process.Application, r.level()) {
		return
	}
	e := process.Event{Kind: process.Application, Level: r.level(), Text: r.text(), PID: about, Reason: r.Reason, Detail: r}
	if r.Reason == ErrStopped {
		e.Reason = nil // the text says it
	}
	process.Emit(ctx, e)
}

// level is the one place that says how much each report matters.
func (r *Report) level() process.Level {
	switch r.What {
	case PhaseBegan:
		return process.LevelQuiet
	case Started:
		return process.LevelDebug
	case Withheld:
		return process.LevelInfo
	case Exited:
		switch {
		case r.Reason == ErrStopped:
			return process.LevelInfo
		case process.Clean(r.Reason) && r.Type == Temporary:
			return process.LevelWarn
		}
		return process.LevelError
	case StraysEnded, StillNeeded, OrderHazard:
		return process.LevelWarn
	case CallbackFailed, Hung, NotDrained, NodeGoesDown:
		return process.LevelError
	}
	panic("application: no such report: " + r.What.String())
}

func (r *Report) text() string {
	app := "application " + r.App.Name
	switch r.What {
	case PhaseBegan:
		return app + ": " + r.Phase
	case Started:
		return fmt.Sprintf("%s started in %v", app, r.Took)
	case Exited:
		return app + " (" + r.Type.String() + ") " + r.howEnded()
	case CallbackFailed:
		return app + ": a callback failed"
	case Hung:
		return fmt.Sprintf("%s: %s took too long; killed what was left", app, r.Phase)
	case StraysEnded:
		return fmt.Sprintf("%s: %d processes were left when its tree was gone, and were killed: %s", app, len(r.Left), leftNames(r.Left))
	case StillNeeded:
		return fmt.Sprintf("%s is being stopped though others run that need it: %s", app, appNames(r.By))
	case OrderHazard, NotDrained:
		return app + ": " + r.Note
	case NodeGoesDown:
		return app + " takes its node down"
	case Withheld:
		return app + " does not start: it is not permitted to run on this node"
	}
	panic("application: no such report: " + r.What.String())
}

func (r *Report) howEnded() string {
	_, callback := errors.AsType[*CallbackError](r.Reason)
	switch {
	case r.Reason == ErrStopped && r.Down:
		return "stopped with its node"
	case r.Reason == ErrStopped:
		return "stopped"
	case r.Reason == nil:
		return "ended normally"
	case callback:
		return "did not start"
	}
	return "ended"
}

// A Left is a process that should have been gone.
type Left struct {
	PID     process.PID
	Path    string
	Spawner string // file:line of who started it
	Stack   string // where its goroutine stands; "" if it has none
}

// Each makes a Left a process.Detail.
func (l Left) Each(yield func(key string, value any)) {
	yield("left", l.String())
	if l.Stack != "" {
		yield("stack", l.Stack)
	}
}

func (l Left) String() string {
	if l.Spawner == "" {
		return l.PID.String()
	}
	return fmt.Sprintf("%s (started at %s)", l.PID, l.Spawner)
}

// stacksShown bounds how many goroutines a report looks for: each look stops
// the world.
const stacksShown = 8

// lookAt describes processes, youngest first, since those hang by their own
// doing and the older ones wait for them.
func lookAt(pids []process.PID) []Left {
	left := make([]Left, 0, len(pids))
	for n := len(pids) - 1; n >= 0; n-- {
		pid := pids[n]
		l := Left{PID: pid, Path: pid.Path(), Spawner: pid.Spawner()}
		if len(left) < stacksShown {
			l.Stack = pid.Stack()
		}
		left = append(left, l)
	}
	return left
}

func leftNames(left []Left) string {
	names := make([]string, len(left))
	for i, l := range left {
		names[i] = l.String()
	}
	return list(names, 5)
}

func appNames(apps []*App) string {
	names := make([]string, len(apps))
	for i, a := range apps {
		names[i] = a.Name
	}
	return list(names, 10)
}
