package otpscript

import (
	"slices"

	"github.com/coppice-go/coppice/process"
)

// enroll makes a process known under an actor. A supervisor is enrolled by the
// first of its children, which starts before the supervisor's own start is
// done.
func (p *player) enroll(pid process.PID, a *actor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.actors[pid] = a
}

// started makes an instance the latest of its path.
func (p *player) started(pid process.PID, path string, a *actor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.started = true
	p.actors[pid] = a
	p.latest[path] = pid
}

// who is the actor of a process; nobody, if it is none of the scenario's.
func (p *player) who(pid process.PID) *actor {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.actors[pid]; a != nil {
		return a
	}
	return nobody
}

// pid is a process as a term.
func (p *player) pid(pid process.PID) Term { return Pid(p.who(pid).name) }

// at returns the latest instance of a path. A path that never started stands
// for some dead process.
func (p *player) at(path string) process.PID {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pid, started := p.latest[path]; started {
		return pid
	}
	return p.dead
}

// resolve puts names in the place of paths: {"p":path} in a scenario means the
// latest instance.
func (p *player) resolve(t Term) Term {
	switch t := t.(type) {
	case Pid:
		return p.pid(p.at(string(t)))
	case Tuple:
		return Tuple(p.resolveAll(t))
	case List:
		return List(p.resolveAll(t))
	case Map:
		m := make(Map, len(t))
		for i, pair := range t {
			m[i] = Pair{p.resolve(pair.Key), p.resolve(pair.Value)}
		}
		return m
	}
	return t
}

func (p *player) resolveAll(ts []Term) []Term {
	out := make([]Term, len(ts))
	for i, t := range ts {
		out[i] = p.resolve(t)
	}
	return out
}

// named is the process that a term names, as a scenario or a log would.
func (p *player) named(t Term) process.PID {
	name, _ := t.(Pid)
	p.mu.Lock()
	defer p.mu.Unlock()
	for pid, a := range p.actors {
		if a.name == string(name) {
			return pid
		}
	}
	return process.PID{}
}

// attempt counts an attempt to start a path.
func (p *player) attempt(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempts[path]++
	return p.attempts[path]
}

// setSpec remembers how a child was specified.
func (p *player) setSpec(path string, n *Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.specs[path] = n
}

// spec is how the latest child with that path was specified; nil: none was.
func (p *player) spec(path string) *Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.specs[path]
}

// alive names the processes that started and still live.
func (p *player) alive() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := []string{}
	for pid, a := range p.actors {
		if a.started && pid.Alive() {
			names = append(names, a.name)
		}
	}
	slices.Sort(names)
	return names
}
