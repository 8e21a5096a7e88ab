package supervisor

import (
	"time"

	"github.com/coppice-go/coppice/process"
)

// OTP's strategies. They differ only in who is restarted along with the child
// that ended; restart types, intensity and auto-shutdown are common to all.
var (
	// OneForOne restarts the child that ended, and nobody else.
	OneForOne Strategy = &rule{func(_ View, i int) Span { return One(i) }}

	// OneForAll stops all the others too and starts all of them: for children
	// that cannot live without each other.
	//
	// All means all: a transient child that had finished, one that was
	// terminated on purpose and one that had declined to start are started as
	// well. Only temporary children never come back.
	OneForAll Strategy = &rule{func(v View, _ int) Span { return Span{0, v.Len()} }}

	// RestForOne does the same to the children that started after the one that
	// ended: for children that need the earlier ones.
	RestForOne Strategy = &rule{func(v View, i int) Span { return Span{i, v.Len()} }}

	// Dynamic is for any number of children of one kind, started while the
	// supervisor runs: OTP's simple_one_for_one. See [StartOne].
	Dynamic Strategy = Dynamically(OneForOne)

	// Mixed is Dynamic without a template, for children of all kinds: each brings
	// its own [Child] to [StartChild] (Elixir: DynamicSupervisor). It is known by
	// its PID; its ID only names it, and need not be its alone.
	Mixed Strategy = dynamic{OneForOne, true}
)

// Dynamically makes a supervisor dynamic, as [Dynamic] does, with a strategy of
// your own. Children of a dynamic supervisor have no order, so the plans may
// only speak of the child that the event is about.
func Dynamically(s Strategy) Strategy { return dynamic{s, false} }

type dynamic struct {
	Strategy
	mixed bool // there is no template
}

// Decide forgets a child that is not started again, of whatever restart type:
// it has no ID by which anybody could ask for it.
func (d dynamic) Decide(v View, e Event, now time.Time) Plan {
	p := d.Strategy.Decide(v, e, now)
	p.Drop = p.Drop || p.Start.Len() == 0 && p.Wait == 0
	return p
}

// isDynamic reports whether a supervisor with this strategy is dynamic, and if
// it is, whether its children are of all kinds.
func isDynamic(s Strategy) (is, mixed bool) {
	d, ok := s.(dynamic)
	return ok, d.mixed
}

// A rule says who is restarted when the child at place i has to be.
// It is a pointer, so strategies can be compared.
type rule struct{ who func(v View, i int) Span }

// Decide is the part that the strategies have in common.
//
// A restart that failed is a restart again: it counts again, and it is the
// failed child from which the rule goes on. So under RestForOne those before
// it, which are up again, are left alone, and under OneForAll they are stopped
// once more.
func (r *rule) Decide(v View, e Event, now time.Time) Plan {
	c := v.At(e.Child)
	if e.Kind == Exited && !c.Restart.Wants(e.Reason) {
		return Plan{Drop: c.Restart == Temporary, End: autoShutdown(v, c)}
	}
	p := Plan{Count: e.Kind != WaitOver}
	if n, limit := v.Restarts(now); p.Count && n >= limit {
		return Plan{End: ErrIntensity}
	}
	p.Stop = r.who(v, e.Child)
	p.Start = p.Stop
	return p
}

// autoShutdown decides whether a child that has ended for good takes the
// supervisor with it. Only the last rule looks at all the children, and it
// stops at the first that is still significant.
func autoShutdown(v View, ended ChildView) error {
	if !ended.Significant {
		return nil
	}
	switch v.AutoShutdown() {
	case AnySignificant:
		return process.ErrShutdown
	case AllSignificant:
		for i := range v.Len() {
			if c := v.At(i); c.Significant && c.Status != Down {
				return nil
			}
		}
		return process.ErrShutdown
	case Never:
	}
	return nil
}
