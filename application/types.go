package application

import "fmt"

// A Type says what the end of an application means to its node.
type Type uint8

// The types. The zero Type is the usual one of where it is given: Temporary for
// Start, Permanent for Run.
const (
	// Permanent: when the application ends by itself, for whatever reason, or
	// fails to start, the node goes down. A start that is refused does not
	// matter, unless it is for something needed that has ended.
	Permanent Type = iota + 1

	// Transient: as Permanent, but a normal end is tolerated. A supervisor that
	// gives up does not end normally.
	Transient

	// Temporary: the end is reported, and all others go on.
	Temporary
)

func (t Type) String() string {
	switch t {
	case 0:
		return "default"
	case Permanent:
		return "permanent"
	case Transient:
		return "transient"
	case Temporary:
		return "temporary"
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

func (t Type) or(usual Type) Type {
	if t == 0 {
		return usual
	}
	return t
}

// endsNode reports whether an application of this type takes its node down by
// ending, or by failing to start. normal says that its process came to a normal
// end, be it in the middle of its start (APP-22 to APP-25).
func (t Type) endsNode(normal bool) bool {
	switch t {
	case Permanent:
		return true
	case Transient:
		return !normal
	case Temporary:
		return false
	}
	panic("application: no such type: " + t.String())
}

// A phase is where an application stands.
type phase uint8

const (
	phaseNone         phase = iota // loaded, not running
	phaseStart                     // in Start, or in a start phase
	phaseRunning                   // started
	phasePrepStop                  // in PrepStop
	phaseTree                      // its tree is being stopped
	phaseStop                      // in Stop
	phaseStrays                    // what is left of it is being ended
	phaseStopped                   // it has run and is no more
	phaseConfigChange              // runs, and is in ConfigChange; only in reports
)

func (p phase) String() string {
	switch p {
	case phaseNone:
		return "loaded"
	case phaseStart:
		return "starting"
	case phaseRunning:
		return "running"
	case phasePrepStop:
		return "prep_stop"
	case phaseTree:
		return "stopping its tree"
	case phaseStop:
		return "stop"
	case phaseStrays:
		return "ending strays"
	case phaseStopped:
		return "stopped"
	case phaseConfigChange:
		return "config_change"
	}
	return fmt.Sprintf("phase(%d)", uint8(p))
}

// stopping reports whether what the application offers is going, or gone.
func (p phase) stopping() bool { return p >= phasePrepStop && p <= phaseStopped }
