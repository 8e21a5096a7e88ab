package process

import (
	"fmt"
	"reflect"
	"runtime"
	"time"
)

// Info is what can be seen of a process from outside (OTP: process_info). It is
// for people and tools: by the time it is read it may have changed.
type Info struct {
	PID         PID
	Name        string
	Path        string
	Kind        string
	Runs        string // its function, or the type of its state (OTP: initial call)
	Status      string // idle, running, waiting, suspended, exiting, dead, abandoned
	Mailbox     int    // what waits in it, signals included
	Taken       uint64 // what it has ever taken out of it
	TrapExit    bool
	Sensitive   bool   // see SetSensitive
	Notes       []Note // see Annotate
	Parent      PID
	Ancestors   []PID // its parent first
	Spawner     string
	Group       *Group
	Links       []PID
	Monitors    []PID // whom it monitors
	MonitoredBy []PID
	Age         time.Duration
}

// Info looks at the process. It never waits for it.
func (pid PID) Info() Info {
	p := pid.p
	if p == nil {
		return Info{Status: "dead"}
	}
	i := Info{PID: pid, Path: p.path(), Kind: pid.Kind(), Parent: pid.Parent(), Spawner: pid.Spawner(), Group: pid.Group(),
		Ancestors: pid.Ancestors(), Sensitive: p.marked(markSensitive), Age: p.node.since() - p.born}
	p.mu.Lock()
	defer p.mu.Unlock()
	i.Name, i.TrapExit, i.Status = p.name(), p.trap, p.status()
	left := int(p.left.Load())
	i.Taken = p.taken - uint64(left)
	if p.state == dead {
		return i
	}
	i.Runs, i.Notes = runs(p.b), p.notes()
	i.Mailbox = p.queue.Len() + left
	i.Links = pids(p.linked())
	if p.x != nil {
		for _, m := range p.x.watched.All() {
			if !m.by.isRoot() {
				i.MonitoredBy = append(i.MonitoredBy, PID{m.by})
			}
		}
		for _, m := range p.x.monitors.All() {
			i.Monitors = append(i.Monitors, PID{m.on})
		}
	}
	return i
}

// pids leaves out the node's root, which is nobody.
func pids(procs []*proc) (out []PID) {
	for _, p := range procs {
		if !p.isRoot() {
			out = append(out, PID{p})
		}
	}
	return out
}

// Ancestors are the processes above it in its tree, its parent first.
func (pid PID) Ancestors() (out []PID) {
	if pid.p == nil {
		return nil
	}
	for up := pid.p.parent; up != nil && !up.isRoot(); up = up.parent {
		out = append(out, PID{up})
	}
	return out
}

// notes are those that may be shown. p.mu is held.
func (p *proc) notes() []Note {
	if p.x == nil || p.marked(markSensitive) {
		return nil
	}
	return p.x.notes
}

// runs names what a behaviour was made to run.
func runs(b Behaviour) string {
	switch b := b.(type) {
	case nil:
		return ""
	case function:
		return functionName(b.fn)
	case interface{ runs() string }:
		return b.runs()
	case interface{ Runs() string }:
		return b.Runs()
	}
	return fmt.Sprintf("%T", b)
}

func functionName(f any) string {
	return runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
}

// status says what the process is doing. p.mu is held.
func (p *proc) status() string {
	switch {
	case p.state == dead && p.x != nil && p.x.abandoned:
		return "abandoned"
	case p.state == dead:
		return "dead"
	case p.doomed():
		return "exiting"
	case p.suspended():
		return "suspended"
	}
	return [...]string{idle: "idle", running: "running", parked: "waiting", dead: "dead"}[p.state]
}
