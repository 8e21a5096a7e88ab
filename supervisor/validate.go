package supervisor

import (
	"fmt"
	"time"
)

// Check returns what [Start] would say of the Spec, a [*SpecError], without
// starting anything (OTP: check_childspecs).
func Check(spec Spec) error { return spec.validate() }

// validate reports every fault of the Spec at once, before any child is
// started. withDefaults has not been called yet.
func (s *Spec) validate() error {
	faults := s.ownFaults()
	seen := make(map[string]int, len(s.Children))
	for i := range s.Children {
		c := &s.Children[i]
		faults = append(faults, c.faults(i, s.AutoShutdown)...)
		if first, ok := seen[c.ID]; ok && c.ID != "" {
			faults = append(faults, Fault{DuplicateChild, c.ID, c.ID,
				fmt.Sprintf("Children[%d] and Children[%d] have this ID: give each its own", first, i)})
		} else {
			seen[c.ID] = i
		}
	}
	return specError(s.Name, faults)
}

// specError makes an error of the faults, if there are any.
func specError(name string, faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &SpecError{name, faults}
}

// ownFaults are those of the supervisor's own fields.
func (s *Spec) ownFaults() (faults []Fault) {
	fault := func(code Code, value any, format string, args ...any) {
		faults = append(faults, Fault{Code: code, Value: value, Text: fmt.Sprintf(format, args...)})
	}
	if s.Intensity < NoRestart {
		fault(InvalidIntensity, s.Intensity, "Intensity is %d: use a number of restarts, or NoRestart", s.Intensity)
	}
	if s.Period < 0 {
		fault(InvalidPeriod, s.Period, "Period is %v: use a time in which restarts are counted, or 0 for %v", s.Period, defaultPeriod)
	}
	if s.AutoShutdown > AllSignificant {
		fault(InvalidAutoShutdown, s.AutoShutdown, "AutoShutdown is %v: use Never, AnySignificant or AllSignificant", s.AutoShutdown)
	}
	if s.Grace < 0 {
		fault(InvalidGrace, s.Grace, "Grace is %v: use a time, or 0 for what it is born with", s.Grace)
	}
	switch dyn, mixed := isDynamic(s.Strategy); {
	case mixed && len(s.Children) > 0:
		fault(BadStartSpec, len(s.Children), "there are %d Children: those of a Mixed supervisor are started with StartChild", len(s.Children))
	case dyn && !mixed && s.Init == nil && len(s.Children) != 1:
		fault(BadStartSpec, len(s.Children), "there are %d Children: a dynamic supervisor has exactly one, the template", len(s.Children))
	case s.MaxChildren < 0:
		fault(InvalidMaxChildren, s.MaxChildren, "MaxChildren is %d: use 0 for no limit", s.MaxChildren)
	case !dyn && s.MaxChildren > 0:
		fault(InvalidMaxChildren, s.MaxChildren, "MaxChildren is %d: it limits a dynamic supervisor, use 0 with this strategy", s.MaxChildren)
	}
	return faults
}

// faults are those of the child at place i, or of one that is being added
// (i < 0).
func (c *Child) faults(i int, auto AutoShutdown) (faults []Fault) {
	where := func() string {
		if i < 0 {
			return "the Child"
		}
		return fmt.Sprintf("Children[%d]", i)
	}
	fault := func(code Code, value any, format string, args ...any) {
		faults = append(faults, Fault{code, c.ID, value, fmt.Sprintf(format, args...)})
	}
	if c.ID == "" {
		fault(MissingID, nil, "%s has no ID: name it", where())
	}
	if c.Start == nil {
		fault(MissingStart, nil, "%s has no Start: give the function that starts its process", where())
	}
	if c.Restart > Temporary {
		fault(InvalidRestart, c.Restart, "Restart is %v: use Permanent, Transient or Temporary", c.Restart)
	}
	if c.Shutdown < AtOnce {
		fault(InvalidShutdown, c.Shutdown, "Shutdown is %v: use a time, BrutalKill, AtOnce or Infinity", c.Shutdown)
	}
	if c.Grace < 0 {
		fault(InvalidGrace, c.Grace, "Grace is %v: use a time, or 0 for the node's", c.Grace)
	}
	if c.StartTimeout < 0 && c.StartTimeout != Infinity {
		fault(InvalidStartTimeout, c.StartTimeout, "StartTimeout is %v: use a time, or 0 for no limit", c.StartTimeout)
	}
	switch {
	case c.Significant && auto == Never:
		fault(BadCombination, auto, "it is Significant, but the supervisor's AutoShutdown is Never: set one, or leave out the other")
	case c.Significant && c.Restart == Permanent:
		fault(BadCombination, c.Restart, "it is Significant and Permanent, but a permanent child never ends for good: make it Transient or Temporary")
	}
	return faults
}

// shutdown is the time that a child of that kind gets.
func (c *Child) shutdown(isSupervisor bool) time.Duration {
	switch {
	case c.Shutdown != 0:
		return c.Shutdown
	case isSupervisor:
		return Infinity
	}
	return defaultShutdown
}
