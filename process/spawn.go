package process

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
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
	pool := starter.node.waiters.of(starter)
	w := pool.get()
	defer pool.put(w)
	p, err := starter.spawn(ctx, &spec, w, m)
	if err != nil {
		return PID{}, err
	}
	return PID{p}, p.awaitInit(starter, w, spec.Timeout)
}

// awaitInit waits until p's Init has ended, in whichever way.
func (p *proc) awaitInit(starter *proc, w *waiter, timeout time.Duration) error {
	if timeout > 0 {
		starter.node.deadlines.arm(w, timeout)
	}
	w.receive()
	starter.dropWait(w)
	p.mu.Lock()
	p.mourners.remove(w, mournerSide)
	var startErr error
	if p.x != nil {
		startErr = p.x.startErr
	}
	p.mu.Unlock()
	switch w.outcome() {
	case replied:
		return startErr
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
	defer p.mu.Unlock()
	if !p.starting {
		return
	}
	p.starting = false
	// The starter came before anybody else could; if it waits no longer, it is
	// not there.
	if w := p.mourners.first; w != nil && w.start {
		w.resolve(replied)
	}
}

// spawn makes a process on behalf of p and sets it going. starter, if any, is
// told when its Init has ended; m, if any, watches it from before its first
// instruction.
func (p *proc) spawn(ctx context.Context, spec *Spec, starter *waiter, m *monitor) (*proc, error) {
	birth := birthOf(ctx)
	c := p.child(birth, spec)
	if starter != nil {
		starter.begin()
		starter.hard, starter.start = true, true
		c.starting = true
		c.mourners.add(starter, mournerSide)
	}
	if err := p.adopt(c, birth, spec, starter); err != nil {
		if starter != nil {
			c.mourners.remove(starter, mournerSide)
		}
		return nil, err
	}
	if m != nil {
		m.on = c
		c.watch(m)
	}
	if p.node.wants(Spawned) {
		c.note(Spawned, p, nil, nil)
	}
	if spec.Name != "" {
		c.named(Registered, spec.Name, p)
	}
	c.launch()
	return c, nil
}

// child fills in a process that nobody knows yet.
func (p *proc) child(birth *Birth, spec *Spec) *proc {
	n := p.node
	c := &proc{node: n, id: n.ids.Add(1), b: spec.Behaviour, label: spec.Name, born: n.since()}
	if birth != nil && birth.ID != "" {
		c.label = birth.ID
	}
	if !spec.Unlinked {
		c.parent, c.up = p, true
	}
	c.state, c.trap = running, spec.TrapExit
	if spec.Limit > 0 {
		c.mark(markLimited)
		c.ext()
	}
	if spec.Name != "" {
		c.setName(spec.Name)
	}
	c.liveFn = c.live
	return c
}

// originFor is the origin of a child of p, made anew only if the one before had
// another. p.mu is held.
func (p *proc) originFor(birth *Birth, spec *Spec) *origin {
	o := shared{values: p.origin.values, group: p.origin.group, kind: spec.Kind, caller: spec.Caller, grace: p.node.grace, limit: spec.Limit}
	_, o.raw = spec.Behaviour.(runner)
	_, o.heeds = spec.Behaviour.(function)
	own := false // values can be of a type that is not comparable
	if birth != nil {
		if birth.Group != nil {
			o.group = birth.Group
		}
		if birth.Grace != 0 {
			o.grace = birth.Grace
		}
		if own = birth.Values != nil; own {
			o.values = birth.Values
		}
	}
	if spec.Grace != 0 {
		o.grace = spec.Grace
	}
	x := p.ext()
	if !own && x.offspring != nil && x.offspring.like(&o) {
		return x.offspring
	}
	made := &origin{shared: o}
	if !own {
		x.offspring = made
	}
	return made
}

// place is "file:line" of the code that started the process. Reports of many
// crashes ask for it again and again, so it is kept.
func (o *origin) place() string {
	if at := o.at.Load(); at != nil {
		return *at
	}
	var at string
	if o.caller != 0 {
		if f, _ := runtime.CallersFrames([]uintptr{o.caller}).Next(); f.File != "" {
			at = f.File + ":" + strconv.Itoa(f.Line)
		}
	}
	o.at.Store(&at)
	return at
}

// like reports whether two origins are equal, if their values are.
func (o *shared) like(p *shared) bool {
	return o.group == p.group && o.kind == p.kind && o.caller == p.caller && o.grace == p.grace &&
		o.limit == p.limit && o.raw == p.raw && o.heeds == p.heeds
}

// adopt gives c its name, its place in the table and its link to p, or refuses
// if p may not act any more. Nothing can come between the three.
func (p *proc) adopt(c *proc, birth *Birth, spec *Spec, starter *waiter) error {
	p.mu.Lock()
	if p.fenced() {
		p.mu.Unlock()
		return p.refusal()
	}
	defer p.mu.Unlock()
	c.origin = p.originFor(birth, spec)
	if spec.Name != "" { // from the moment it has a name others can find it
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := p.node.names.claim(spec.Name, c); err != nil {
			return err
		}
	}
	if starter != nil {
		p.waits.add(starter, callerSide)
	}
	if c.parent != nil {
		p.addLink(c)
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
