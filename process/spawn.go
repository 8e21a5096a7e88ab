package process

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Infinity, where a duration is asked for, means without limit.
const Infinity time.Duration = -1

// A Spec says how to start a [Behaviour].
type Spec struct {
	Name     string        // registered before Init runs; "": none
	TrapExit bool          // exit signals become *ExitSignal messages
	Limit    int           // of user messages in the mailbox; 0: none
	Grace    time.Duration // how long a dead process may sit in a handler; 0: the node's
	Timeout  time.Duration // of Init; 0: none
	Kind     string        // what it is: "server", "supervisor"
	Unlinked bool          // OTP's start rather than start_link
	Caller   uintptr       // pc of the code that starts it; 0: the caller of Start
	Behaviour
}

func (s *Spec) validate() error {
	switch {
	case s.Behaviour == nil:
		return fmt.Errorf("process: Spec of %q has no Behaviour: there is nothing to run", s.Name)
	case s.Limit < 0:
		return fmt.Errorf("process: Spec of %q has Limit %d: use 0 for a mailbox without limit", s.Name, s.Limit)
	}
	return nil
}

// Start makes a process, links it to the one that ctx belongs to, and returns
// when its Init has succeeded, or with Init's error once the process is gone
// and its name is free again. Making, linking and naming are one step that
// nobody can come between.
func Start(ctx context.Context, spec Spec) (PID, error) {
	if spec.Caller == 0 {
		spec.Caller = CallerPC(1)
	}
	return startWatched(ctx, spec, nil)
}

// StartMonitor is Start and [Monitor] in one step, so that the Down has the
// true reason however early it comes. A failed start gives its error only.
func StartMonitor(ctx context.Context, spec Spec, tag any) (PID, MonitorRef, error) {
	if spec.Caller == 0 {
		spec.Caller = CallerPC(1)
	}
	self, err := actor(ctx)
	if err != nil {
		return PID{}, MonitorRef{}, err
	}
	m := self.newMonitor(tag)
	pid, err := startWatched(ctx, spec, m)
	if err != nil {
		m.drop()
		return pid, MonitorRef{}, err
	}
	return pid, MonitorRef{m}, nil
}

func startWatched(ctx context.Context, spec Spec, m *monitor) (PID, error) {
	if err := spec.validate(); err != nil {
		return PID{}, err
	}
	starter, err := actor(ctx)
	if err != nil {
		return PID{}, err
	}
	w := starter.node.waiters.get()
	defer starter.node.waiters.put(w)
	p, err := starter.spawn(ctx, &spec, w, m)
	if err != nil {
		return PID{}, err
	}
	return PID{p}, p.awaitInit(starter, w, spec.Timeout)
}

// awaitInit waits until p's Init has ended, in whichever way.
func (p *proc) awaitInit(starter *proc, w *waiter, timeout time.Duration) error {
	defer starter.dropWait(w)
	if timeout > 0 {
		starter.node.deadlines.arm(w, timeout)
	}
	w.receive()
	switch w.outcome() {
	case replied:
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.x == nil {
			return nil
		}
		return p.x.startErr
	case timedOut:
		unlink(starter, p, always)
		p.doom(ErrKilled)
		p.awaitDeath()
		return fmt.Errorf("process: Init of %v did not return within %v: %w", PID{p}, timeout, ErrTimeout)
	default: // the starter itself was ended
		return starter.refusal()
	}
}

// began marks the end of a successful Init and lets the starter go on.
func (p *proc) began() {
	p.inited = true
	p.mu.Lock()
	var w *waiter
	var use uint64
	if p.x != nil {
		w, use, p.x.starter = p.x.starter, p.x.startUse, nil
	}
	p.mu.Unlock()
	if w != nil {
		w.resolveUse(use, replied)
	}
}

// spawn makes a process on behalf of p and sets it going. starter, if any, is
// told when its Init has ended; m, if any, watches it from before its first
// instruction.
func (p *proc) spawn(ctx context.Context, spec *Spec, starter *waiter, m *monitor) (*proc, error) {
	c := p.child(ctx, spec)
	if starter != nil {
		c.ext().starter = starter
		c.x.startUse = starter.begin()
	}
	if err := p.adopt(c, spec, starter); err != nil {
		return nil, err
	}
	if m != nil {
		m.on = c
		c.watch(m)
	}
	if p.node.wants(Spawned) {
		c.emit(Event{Kind: Spawned, Peer: PID{p}})
	}
	if spec.Name != "" {
		c.named(Registered, spec.Name, p)
	}
	launch(c.runFn)
	return c, nil
}

// child fills in a process that nobody knows yet.
func (p *proc) child(ctx context.Context, spec *Spec) *proc {
	birth := birthOf(ctx)
	n := p.node
	c := &proc{
		node: n, id: n.ids.Add(1), b: spec.Behaviour, kind: spec.Kind, caller: spec.Caller,
		label: birth.ID, group: p.group, grace: n.grace, born: n.since(),
		values: p.values, limit: spec.Limit, trap: spec.TrapExit, state: running,
	}
	if c.label == "" {
		c.label = spec.Name
	}
	if birth.Group != nil {
		c.group = birth.Group
	}
	if birth.Values != nil {
		c.values = birth.Values
	}
	if birth.Grace != 0 {
		c.grace = birth.Grace
	}
	if spec.Grace != 0 {
		c.grace = spec.Grace
	}
	if !spec.Unlinked {
		c.parent = p
	}
	_, c.raw = spec.Behaviour.(runner)
	_, c.heeds = spec.Behaviour.(function)
	c.runFn = c.run
	return c
}

// adopt gives c its name, its place in the table and its link to p, or refuses
// if p may not act any more. Nothing can come between the three.
func (p *proc) adopt(c *proc, spec *Spec, starter *waiter) error {
	p.mu.Lock()
	if p.fenced.Load() {
		p.mu.Unlock()
		return p.refusal()
	}
	defer p.mu.Unlock()
	c.mu.Lock() // from the moment it has a name others can find it
	defer c.mu.Unlock()
	if c.name = spec.Name; c.name != "" {
		if err := p.node.names.claim(c.name, c); err != nil {
			return err
		}
	}
	if starter != nil {
		starter.hard = true
		p.waits.add(starter, callerSide)
	}
	if c.parent != nil {
		p.links.Add(c)
		c.links.Add(p)
	}
	p.node.table.add(c)
	return nil
}

// CallerPC is for those who wrap a start function in one of their own: called
// there with 1, it returns the pc of the code that called that function, for the
// Caller of a [Spec]; with more, that of one further up. Reports name its line as
// the place that started a process.
func CallerPC(skip int) uintptr {
	var pc [1]uintptr
	runtime.Callers(skip+2, pc[:])
	return pc[0]
}
