package application

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/process"
)

// An App describes an application. It is never changed: what is loaded, running
// or set is kept per node, so one App may run on several nodes of a program at
// once, as tests do.
//
// The callbacks run in processes of the application itself; any of them may
// call any function of this package.
type App struct {
	Name    string
	Doc     string // one line about it, for those who list applications
	Version string // likewise; nothing depends on it

	// Needs must run before this application starts, and are stopped after it.
	// They are started in the order written.
	Needs []*App

	// Optional are needed only where they are there: loaded on the same node.
	// They are started after Needs; one that stands there as well has its place
	// in the order from there. (OTP's applications has them all, and its
	// optional_applications marks some.)
	Optional []*App

	// Included are loaded with this application but never started by
	// themselves: Start puts their trees into its own.
	Included []*App

	// Env are the settings that the application and its tree read.
	Env []Setting

	// Start starts the tree with the ctx it is given and returns its top. An
	// application without Start is a library: it runs nothing, yet others may
	// need it. What the other callbacks should know of this run, Start can Set
	// in a Var, listed in Env or not.
	Start func(context.Context) (process.PID, error)

	// StartPhases run in order once Start has returned, before the application
	// counts as started. Phases of included applications run along with the
	// phase of the same name here.
	StartPhases []Phase

	// PrepStop runs before the tree is stopped: the place to take leave of
	// those outside who still call it. Should the top end by itself, it runs
	// after that.
	PrepStop func(context.Context) error

	// Stop runs once the tree is gone, however it went. It undoes what Start
	// did besides starting the tree.
	Stop func(context.Context) error

	// ConfigChange is told, while the application runs, how its settings
	// differ from before.
	ConfigChange func(context.Context, Change) error

	// MaxTime is how long the application may run, once it has started. Then it
	// is taken down in order, which counts as a normal end of its own; see Type.
	// Zero means for ever.
	MaxTime time.Duration

	// How long each phase may take. Zero means DefaultTimeout, but for
	// StartTimeout: no limit, since a start may be told to stop at any time.
	// process.Infinity means no limit anywhere.
	StartTimeout    time.Duration
	PrepStopTimeout time.Duration
	TreeTimeout     time.Duration
	StopTimeout     time.Duration
}

// DefaultTimeout is what each phase of a stop may take unless its App says
// otherwise. OTP waits for ever, and then nobody learns what hangs.
const DefaultTimeout = 30 * time.Second

// A Phase is one step of a start that comes after the tree is up.
type Phase struct {
	Name string
	Run  func(context.Context) error
}

// String returns the application's name.
func (a *App) String() string {
	if a == nil {
		return "no application"
	}
	return a.Name
}

func (a *App) library() bool { return a.Start == nil }

// limit returns how long a phase may take; process.Infinity means for ever.
func (a *App) limit(p phase) time.Duration {
	d := time.Duration(0)
	switch p {
	case phaseStart:
		if d = a.StartTimeout; d == 0 {
			return process.Infinity
		}
	case phasePrepStop:
		d = a.PrepStopTimeout
	case phaseTree:
		d = a.TreeTimeout
	case phaseStop:
		d = a.StopTimeout
	case phaseConfigChange:
		d = a.StopTimeout
	default:
		panic(fmt.Sprintf("application: phase %v has no limit", p))
	}
	if d == 0 {
		return DefaultTimeout
	}
	return d
}

// validate returns every fault of the description in one error.
func (a *App) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if a.Name == "" {
		fault("Name is empty")
	}
	a.validateOthers(fault)
	phases := map[string]bool{}
	for i, p := range a.StartPhases {
		switch {
		case p.Name == "":
			fault("StartPhases[%d] has no Name", i)
		case phases[p.Name]:
			fault("StartPhases has %q twice", p.Name)
		}
		if p.Run == nil {
			fault("StartPhases[%d] (%s) has no Run", i, p.Name)
		}
		phases[p.Name] = true
	}
	a.validateEnv(fault)
	a.validateLibrary(fault)
	a.validateTimeouts(fault)
	if faults == nil {
		return nil
	}
	return &SpecError{App: a, Faults: errors.Join(faults...)}
}

type faultFunc = func(format string, args ...any)

// validateOthers checks the lists of other applications: each may be in one of
// them, once, but for those of Needs that Optional marks.
func (a *App) validateOthers(fault faultFunc) {
	seen := map[*App]string{}
	for _, list := range []struct {
		name string
		apps []*App
	}{{"Needs", a.Needs}, {"Optional", a.Optional}, {"Included", a.Included}} {
		for i, other := range list.apps {
			if other == nil {
				fault("%s[%d] is nil (a package-level App that is set later? declare it before its users)", list.name, i)
				continue
			}
			if before, ok := seen[other]; ok && !(before == "Needs" && list.name == "Optional") {
				fault("%s is in %s and again in %s", other, before, list.name)
			}
			seen[other] = list.name
		}
	}
}

func (a *App) validateEnv(fault faultFunc) {
	keys := map[string]bool{}
	for i, s := range a.Env {
		if s == nil {
			fault("Env[%d] is nil", i)
			continue
		}
		if s.Key() == "" {
			fault("Env[%d] has no Name", i)
		} else if keys[s.Key()] {
			fault("Env has %q twice", s.Key())
		}
		keys[s.Key()] = true
		if err := s.checkDefault(); err != nil {
			fault("%s: its Default is refused by its Check: %w", s.Key(), err)
		}
	}
}

// validateLibrary refuses what only an application that runs can have.
func (a *App) validateLibrary(fault faultFunc) {
	if !a.library() {
		return
	}
	for _, field := range []struct {
		name string
		set  bool
	}{{"StartPhases", len(a.StartPhases) > 0}, {"PrepStop", a.PrepStop != nil}, {"Stop", a.Stop != nil}, {"ConfigChange", a.ConfigChange != nil}, {"MaxTime", a.MaxTime != 0}} {
		if field.set {
			fault("%s without Start means nothing", field.name)
		}
	}
}

func (a *App) validateTimeouts(fault faultFunc) {
	for _, t := range []struct {
		name string
		d    time.Duration
	}{{"StartTimeout", a.StartTimeout}, {"PrepStopTimeout", a.PrepStopTimeout}, {"TreeTimeout", a.TreeTimeout}, {"StopTimeout", a.StopTimeout}, {"MaxTime", a.MaxTime}} {
		if t.d < 0 && t.d != process.Infinity {
			fault("%s is %v (no limit is process.Infinity)", t.name, t.d)
		}
	}
}
