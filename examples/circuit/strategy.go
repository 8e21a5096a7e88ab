package main

import (
	"time"

	"github.com/coppice-go/coppice/supervisor"
)

// A Circuit is a strategy for a child that needs somebody else's service. It
// gives that service time: before each restart it waits, twice as long as the
// last time; and after so many failures in a row the circuit is open, which
// means that nobody asks at all, but for one attempt every now and then. When an
// attempt succeeds and the child stays up for longer than its supervisor's
// Period, the failures are forgotten, and the circuit is closed again.
//
// It restarts one for one and never gives up, so a fault of the service does not
// climb the tree. The Intensity of its supervisor plays no part.
//
//	closed ── failures ──▶ open ── time ──▶ half-open ── stays up ──▶ closed
//	                        ▲                   │
//	                        └────── fails ──────┘
//
// A Circuit is pure. What it has to remember is the number of failures, and the
// supervisor counts those.
type Circuit struct {
	Backoff  time.Duration // before the first retry
	Failures int           // in a row that open the circuit
	Open     time.Duration // between the attempts of an open circuit
}

// Decide leaves everything to one for one, except when to try again.
func (c Circuit) Decide(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan {
	p := supervisor.OneForOne.Decide(v, e, now)
	restart := p.Start.Len() > 0 || p.End == supervisor.ErrIntensity
	if !restart || e.Kind == supervisor.WaitOver {
		return p
	}
	return supervisor.Plan{Wait: c.pause(v.At(e.Child).Failures)}
}

// pause is how long to wait after so many failures in a row, at least one.
func (c Circuit) pause(failures int) time.Duration {
	if failures >= c.Failures {
		return c.Open
	}
	return c.Backoff << (failures - 1)
}

// State names what the circuit is after so many failures in a row, while it
// waits or while it tries.
func (c Circuit) State(failures int, trying bool) string {
	switch {
	case failures < c.Failures:
		return "closed"
	case trying:
		return "half-open"
	}
	return "open"
}
