package process

import "time"

// Info is what can be seen of a process from outside (OTP: process_info). It is
// for people and tools: by the time it is read it may have changed.
type Info struct {
	PID         PID
	Name        string
	Path        string
	Kind        string
	Status      string // idle, running, waiting, suspended, exiting, dead, abandoned
	Mailbox     int    // what waits in it, signals included
	TrapExit    bool
	Parent      PID
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
	i := Info{PID: pid, Path: p.path(), Kind: p.kind, Parent: pid.Parent(), Spawner: pid.Spawner(), Group: p.group,
		Age: p.node.since() - p.born}
	p.mu.Lock()
	defer p.mu.Unlock()
	i.Name, i.TrapExit, i.Status = p.name, p.trap, p.status()
	if p.state == dead {
		return i
	}
	i.Mailbox = int(p.pushed - p.taken.Load())
	for _, q := range p.links.All() {
		if !q.isRoot() {
			i.Links = append(i.Links, PID{q})
		}
	}
	for _, m := range p.watched.All() {
		if !m.by.isRoot() {
			i.MonitoredBy = append(i.MonitoredBy, PID{m.by})
		}
	}
	if p.x != nil {
		for _, m := range p.x.monitors.All() {
			i.Monitors = append(i.Monitors, PID{m.on})
		}
	}
	return i
}

// status says what the process is doing. p.mu is held.
func (p *proc) status() string {
	switch {
	case p.state == dead && p.x != nil && p.x.abandoned:
		return "abandoned"
	case p.state == dead:
		return "dead"
	case p.doomed:
		return "exiting"
	case p.suspended():
		return "suspended"
	}
	return [...]string{idle: "idle", running: "running", parked: "waiting", dead: "dead"}[p.state]
}
