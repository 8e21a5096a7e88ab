package otpscript

import (
	"errors"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// startTerm gives OTP's words for the errors of package supervisor.
func (p *player) startTerm(err error) (Term, bool) {
	switch e := err.(type) {
	case *supervisor.StartError:
		return tuple(Atom("failed_to_start_child"), idTerm(e.ID), p.reasonTerm(e.Err)), true
	case *supervisor.StartPanicError:
		return tuple(Atom("EXIT"), p.reasonTerm(e.Panic)), true
	case *funCrash:
		return tuple(Atom("EXIT"), tuple(e.Term, stack)), true
	}
	for refusal, atom := range map[error]Atom{
		supervisor.ErrIntensity:      "reached_max_restart_intensity",
		supervisor.ErrNotFound:       "not_found",
		supervisor.ErrAlreadyPresent: "already_present",
		supervisor.ErrRunning:        "running",
		supervisor.ErrRestarting:     "restarting",
		supervisor.ErrDynamic:        "simple_one_for_one",
	} {
		if err == refusal {
			return atom, true
		}
	}
	return nil, false
}

// refusedByTypes answers for Go's compiler: values that no Spec can hold, so
// that coppice never sees them. OTP refuses them when it runs.
func (n *Node) refusedByTypes() error {
	if s := n.Strategy.or(Atom("one_for_one")); strategies[word(s)] == nil {
		return &reason{tuple(Atom("supervisor_data"), tuple(Atom("invalid_strategy"), s))}
	}
	for _, c := range n.Children {
		if fault := c.childRefusedByTypes(); fault != nil {
			return &reason{tuple(Atom("start_spec"), fault)}
		}
	}
	return nil
}

func (n *Node) childRefusedByTypes() Term {
	if s := n.Significant.or(no); s != yes && s != no {
		return tuple(Atom("invalid_significant"), s)
	}
	return nil
}

// firstFault is the one that OTP names: it stops at the first that it finds, and
// looks at whether a child may be significant before its shutdown.
func firstFault(e *supervisor.SpecError) supervisor.Fault {
	first := e.Faults[0]
	for _, f := range e.Faults {
		if first.Code == supervisor.InvalidShutdown && f.Code == supervisor.BadCombination && f.Child == first.Child {
			return f
		}
	}
	return first
}

// specTerm gives OTP's words for the faults of a Spec. The codes are the same,
// the values are those of the scenario.
func (n *Node) specTerm(e *supervisor.SpecError) Term {
	f := firstFault(e)
	switch f.Code {
	case supervisor.InvalidIntensity:
		return tuple(Atom("supervisor_data"), tuple(Atom(f.Code), n.Intensity.Term))
	case supervisor.InvalidPeriod:
		return tuple(Atom("supervisor_data"), tuple(Atom(f.Code), n.Period.Term))
	case supervisor.InvalidAutoShutdown:
		return tuple(Atom("supervisor_data"), tuple(Atom(f.Code), n.AutoShutdown.Term))
	case supervisor.BadStartSpec:
		specs := List{}
		for _, c := range n.Children {
			specs = append(specs, c.asMap())
		}
		return tuple(Atom(f.Code), specs)
	}
	for _, c := range n.Children {
		if c.step() == f.Child {
			return tuple(Atom("start_spec"), c.faultTerm(f))
		}
	}
	return Atom(f.Code)
}

// faultTerm gives OTP's words for a fault of a child's specification.
func (n *Node) faultTerm(f supervisor.Fault) Term {
	switch f.Code {
	case supervisor.InvalidRestart:
		return tuple(Atom(f.Code), n.Restart.Term)
	case supervisor.InvalidShutdown:
		return tuple(Atom(f.Code), n.Shutdown.Term)
	case supervisor.DuplicateChild:
		return tuple(Atom(f.Code), n.id())
	case supervisor.BadCombination:
		other := tuple(Atom("restart"), Atom("permanent"))
		if f.Value == supervisor.Never {
			other = tuple(Atom("auto_shutdown"), Atom("never"))
		}
		return tuple(Atom(f.Code), List{other, tuple(Atom("significant"), yes)})
	}
	return Atom(f.Code)
}

// asMap is a child specification as OTP was given it.
func (n *Node) asMap() Term {
	kind := Atom("supervisor")
	if n.isWorker() {
		kind = "worker"
	}
	spec := []Pair{
		{Atom("id"), n.id()},
		{Atom("start"), tuple(Atom("$mfa"), Atom("start_child"))},
		{Atom("type"), kind},
	}
	for key, given := range map[Atom]Lit{"restart": n.Restart, "shutdown": n.Shutdown, "significant": n.Significant} {
		if given.Term != nil {
			spec = append(spec, Pair{key, given.Term})
		}
	}
	return mapOf(spec)
}

// idTerm is the id whose text is an element of a path. No recorded atom looks
// like JSON of something else.
func idTerm(text string) Term {
	if t, err := ParseTerm([]byte(text)); err == nil {
		return t
	}
	return Atom(text)
}

// childSpec is what get_childspec returns.
func (p *player) childSpec(c supervisor.Child, kind Term) Term {
	var stop Term = Int(c.Shutdown.Milliseconds())
	switch c.Shutdown {
	case supervisor.Infinity:
		stop = Atom("infinity")
	case supervisor.BrutalKill:
		stop = Atom("brutal_kill")
	case supervisor.AtOnce:
		stop = Int(0)
	}
	return mapOf([]Pair{
		{Atom("id"), idTerm(c.ID)},
		{Atom("restart"), Atom(c.Restart.String())},
		{Atom("shutdown"), stop},
		{Atom("significant"), boolean(c.Significant)},
		{Atom("type"), kind},
	})
}

// exitOf reports whether a call failed because the other process is gone, and
// why it went.
func exitOf(err error) (why error, gone bool) {
	exit, gone := errors.AsType[*process.ExitError](err)
	if !gone {
		return nil, false
	}
	return exit.Reason, true
}
