package otpscript

import (
	"context"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// supSpec is a scenario's supervisor as coppice describes it.
func (p *player) supSpec(a *actor, path string, n *Node) supervisor.Spec {
	spec := supervisor.Spec{
		Name:         n.Register,
		Strategy:     strategies[word(n.Strategy.or(Atom("one_for_one")))],
		Intensity:    intensity(n.Intensity.or(Int(1))),
		Period:       period(n.Period.or(Int(3600))),
		AutoShutdown: autoShutdown(n.AutoShutdown.or(Atom("never"))),
	}
	for _, c := range n.Children {
		p.setSpec(path+"/"+c.step(), c)
		spec.Children = append(spec.Children, p.child(a, path, c, n.isPool()))
	}
	return spec
}

// child is a scenario's child specification as coppice describes it.
func (p *player) child(over *actor, path string, n *Node, template bool) supervisor.Child {
	id := n.step()
	c := supervisor.Child{
		ID:          id,
		Restart:     restart(n.Restart.or(Atom("permanent"))),
		Shutdown:    stopTime(n.Shutdown.or(n.defaultShutdown())),
		Significant: n.Significant.or(no) == yes,
	}
	switch {
	case n.NoStart:
	case template:
		c.Start = supervisor.Template(func(ctx context.Context, key string) (process.PID, error) {
			return p.start(ctx, over, path+"/"+key, n)
		})
	default:
		c.Start = func(ctx context.Context) (process.PID, error) { return p.start(ctx, over, path+"/"+id, n) }
	}
	return c
}

// defaultShutdown is OTP's, which goes by the type in the specification.
func (n *Node) defaultShutdown() Term {
	if n.isWorker() {
		return Int(5000)
	}
	return Atom("infinity")
}

var strategies = map[Atom]supervisor.Strategy{
	"one_for_one":        supervisor.OneForOne,
	"one_for_all":        supervisor.OneForAll,
	"rest_for_one":       supervisor.RestForOne,
	"simple_one_for_one": supervisor.Dynamic,
}

// What follows makes coppice's values of OTP's. One that OTP refuses becomes one
// that coppice refuses, not one that it would take as its default.

func intensity(t Term) int {
	switch n, isInt := t.(Int); {
	case !isInt || n < 0:
		return supervisor.NoRestart - 1
	case n == 0:
		return supervisor.NoRestart
	default:
		return int(n)
	}
}

func period(t Term) time.Duration {
	if n, isInt := t.(Int); isInt && n > 0 {
		return time.Duration(n) * time.Second
	}
	return -time.Second
}

func autoShutdown(t Term) supervisor.AutoShutdown {
	switch t {
	case Atom("never"):
		return supervisor.Never
	case Atom("any_significant"):
		return supervisor.AnySignificant
	case Atom("all_significant"):
		return supervisor.AllSignificant
	}
	return supervisor.AllSignificant + 1
}

func restart(t Term) supervisor.Restart {
	for _, r := range []supervisor.Restart{supervisor.Permanent, supervisor.Transient, supervisor.Temporary} {
		if t == Atom(r.String()) {
			return r
		}
	}
	return supervisor.Temporary + 1
}

func stopTime(t Term) time.Duration {
	switch t {
	case Atom("infinity"):
		return supervisor.Infinity
	case Atom("brutal_kill"):
		return supervisor.BrutalKill
	case Int(0):
		return supervisor.AtOnce
	}
	if ms, isInt := t.(Int); isInt && ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return supervisor.AtOnce - time.Hour
}
