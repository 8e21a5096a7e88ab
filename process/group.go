package process

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A Group is what processes belong to from birth, as their descendants do: an
// application (OTP: the group leader). See [Birth].
type Group struct {
	Name string
	// Crossed is told of the first call from a process of group from to one of
	// this group, once for each pair. pcs is the stack of the call. It runs in
	// the caller and must not block.
	Crossed func(from *Group, caller, callee PID, pcs []uintptr)
	// Explain may amend the error of a call, from outside the group, to one of
	// its processes that has ended, or to a name that went with it.
	Explain func(err error) error

	stopping atomic.Bool
	mu       sync.Mutex
	crossers map[*Group]bool // guarded by mu
}

// SetStopping tells that the group's processes are being stopped: names that
// go away meanwhile are remembered, so that Explain is asked about them.
func (g *Group) SetStopping(n *Node, stopping bool) {
	g.stopping.Store(stopping)
	if !stopping {
		n.names.forget(g)
	}
}

// HasCalled reports whether the process has ever called one of group g.
func (pid PID) HasCalled(g *Group) bool {
	if pid.p == nil {
		return false
	}
	pid.p.mu.Lock()
	defer pid.p.mu.Unlock()
	return pid.p.x != nil && pid.p.x.hasCalled(g)
}

func (x *extension) hasCalled(g *Group) bool {
	for _, c := range x.called {
		if c == g {
			return true
		}
	}
	return false
}

// cross notes a call of p into another group. The common case is a look at a
// list of one or two.
func (p *proc) cross(to *proc) {
	g, own := to.origin.group, p.origin.group
	p.mu.Lock()
	seen := p.ext().hasCalled(g)
	if !seen {
		p.x.called = append(p.x.called, g)
	}
	p.mu.Unlock()
	if seen || own == nil {
		return
	}
	g.mu.Lock()
	first := !g.crossers[own]
	if first {
		if g.crossers == nil {
			g.crossers = make(map[*Group]bool)
		}
		g.crossers[own] = true
	}
	g.mu.Unlock()
	if first && g.Crossed != nil {
		pcs := make([]uintptr, 16)
		g.Crossed(own, PID{p}, PID{to}, pcs[:runtime.Callers(2, pcs)]) // from Do on
	}
}
