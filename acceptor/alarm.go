package acceptor

import (
	"context"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/process"
)

// An Alarm tells somebody when a listener has many connections. It is set as
// soon as there are Threshold that count (see [Conn.Uncount]), and cleared when
// there have been fewer for Cooldown: process/event/alarm keeps it meanwhile, as
// "listener: Name"; on a node without it the two are warnings in the log.
type Alarm struct {
	Name      string // one of its own
	Threshold int
	// Cooldown is the shortest time between two calls of Callback, and how long
	// the connections must be fewer before the alarm is cleared; 0: 5 s.
	Cooldown time.Duration
	// Callback is called when the alarm is set, and after each further Cooldown
	// for as long as there are so many. It runs in a process of its own, which
	// may take its time: what fails or crashes there is reported and harms
	// nobody, and it is not called again before it has returned. Nil: the alarm
	// is only set and cleared.
	Callback func(ctx context.Context, a Alarmed) error
}

// Alarmed is what an alarm's Callback gets.
type Alarmed struct {
	Alarm       Alarm
	Listener    process.PID
	Name        string // of the listener
	Connections int    // that count, when it was called
}

const defaultCooldown = 5 * time.Second

// faults are those of the alarms of one listener.
func alarmFaults(alarms []Alarm) (faults []error) {
	seen := make(map[string]bool)
	for i, a := range alarms {
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("Alarms[%d] %q: "+format, append([]any{i, a.Name}, args...)...))
		}
		if a.Name == "" {
			fault("Name is missing")
		} else if seen[a.Name] {
			fault("there is another one of that Name")
		}
		seen[a.Name] = true
		if a.Threshold < 1 {
			fault("Threshold is %d: use 1 or more", a.Threshold)
		}
		if a.Cooldown < 0 {
			fault("Cooldown is %v: use a time, or 0 for %v", a.Cooldown, defaultCooldown)
		}
	}
	return faults
}

// A siren is what is remembered of one alarm. It knows no clock.
type siren struct {
	set    bool
	called time.Time // last; zero: never
	below  time.Time // since when there are fewer, while it is set; zero: there are not
}

// A sounding is what is to be done about an alarm.
type sounding struct{ set, clear, call bool }

// look decides, with n connections now.
func (s *siren) look(a Alarm, n int, now time.Time) (do sounding) {
	cool := a.cooldown()
	if n >= a.Threshold {
		s.below = time.Time{}
		do.set = !s.set
		do.call = s.called.IsZero() || now.Sub(s.called) >= cool
		s.set = true
		if do.call {
			s.called = now
		}
		return do
	}
	if s.set && s.below.IsZero() {
		s.below = now
	}
	if s.set && now.Sub(s.below) >= cool {
		*s = siren{called: s.called}
		do.clear = true
	}
	return do
}

// next is when to look again though no connection has come or gone; zero: never.
func (s *siren) next(a Alarm) time.Time {
	switch {
	case !s.set:
		return time.Time{}
	case s.below.IsZero():
		return s.called.Add(a.cooldown())
	}
	return s.below.Add(a.cooldown())
}

func (a *Alarm) cooldown() time.Duration {
	if a.Cooldown == 0 {
		return defaultCooldown
	}
	return a.Cooldown
}
