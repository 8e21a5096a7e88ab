package process

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrHasName refuses to register a process that has a name: it has one at most,
// as in OTP.
var ErrHasName = errors.New("process: already has a name")

// names is a node's table of registered names. Who looks one up takes no lock.
type names struct {
	byName sync.Map // of string to *proc
	// lost says whose a name was that went away while its group was stopping,
	// so that who asks for it can be told why.
	mu   sync.Mutex
	lost map[string]*Group
	some atomic.Bool // there are lost ones
}

// claim gives a name to p, or says who has it.
func (t *names) claim(name string, p *proc) error {
	if has, taken := t.byName.LoadOrStore(name, p); taken {
		return &AlreadyStartedError{Name: name, PID: PID{has.(*proc)}}
	}
	if t.some.Load() {
		t.mu.Lock()
		delete(t.lost, name)
		t.mu.Unlock()
	}
	return nil
}

// release makes p's name free, and reports whether it was still p's.
func (t *names) release(name string, p *proc) bool {
	if g := p.origin.group; g != nil && g.stopping.Load() && t.find(name) == p {
		t.mu.Lock()
		if t.lost == nil {
			t.lost = make(map[string]*Group)
		}
		t.lost[name] = g
		t.some.Store(true)
		t.mu.Unlock()
	}
	return t.byName.CompareAndDelete(name, p)
}

// pass gives a name from one to another.
func (t *names) pass(name string, from, to *proc) bool {
	return t.byName.CompareAndSwap(name, from, to)
}

func (t *names) find(name string) *proc {
	p, _ := t.byName.Load(name)
	has, _ := p.(*proc)
	return has
}

// missing is the error for a name that nobody has. What is lost is looked at last:
// it is noted before the name is free.
func (t *names) missing(name string) error {
	var g *Group
	if p := t.find(name); p != nil { // it is ending, and has its name to the last
		g = p.origin.group
	} else {
		t.mu.Lock()
		g = t.lost[name]
		t.mu.Unlock()
	}
	err := noProc(name)
	if g != nil && g.Explain != nil {
		return g.Explain(err)
	}
	return err
}

// forget drops what was remembered for a group that is no longer stopping.
func (t *names) forget(g *Group) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.lost, func(_ string, of *Group) bool { return of == g })
	t.some.Store(len(t.lost) > 0)
}

// Names returns the registered names in order.
func (n *Node) Names() (all []string) {
	for name := range n.names.byName.Range {
		all = append(all, name.(string))
	}
	slices.Sort(all)
	return all
}

// Register gives a name to a living process that has none. The name is free
// again as soon as the process ends, before anybody learns of that.
func Register(ctx context.Context, name string, to Target) error {
	self, p, err := pair(ctx, to)
	if err != nil {
		return fmt.Errorf("process: register %q: %w", name, err)
	}
	if name == "" {
		return fmt.Errorf("process: register %v: the name is empty", PID{p})
	}
	if self.fenced() {
		return fmt.Errorf("process: register %q: %w", name, self.refusal())
	}
	if err := p.register(name); err != nil {
		return err
	}
	p.named(Registered, name, self)
	return nil
}

func (p *proc) register(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.fenced() || p.state == dead:
		return fmt.Errorf("process: register %q: %w", name, &ExitError{PID: PID{p}, Reason: ErrNoProc})
	case p.marked(markNamed):
		return fmt.Errorf("process: register %q: %v is called %q: %w", name, PID{p}, p.name(), ErrHasName)
	}
	if err := p.node.names.claim(name, p); err != nil {
		return err
	}
	p.setName(name)
	return nil
}

// Unregister takes a name away.
func Unregister(ctx context.Context, name string) error {
	self, err := actor(ctx)
	if err != nil {
		return err
	}
	if self.fenced() {
		return self.refusal()
	}
	n := self.node
	p := n.names.find(name)
	if p == nil {
		return n.names.missing(name)
	}
	if !p.unregister(name) {
		return noProc(name)
	}
	p.named(Unregistered, name, self)
	return nil
}

// unregister takes the name away from p, if it is still p's.
func (p *proc) unregister(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.name() != name {
		return false
	}
	p.node.names.release(name, p)
	p.setName("")
	return true
}

// Whereis returns the process that has the name.
func Whereis(ctx context.Context, name string) (PID, bool) {
	n, err := NodeOf(ctx)
	if err != nil {
		return PID{}, false
	}
	p := n.names.find(name)
	if p == nil || p.ending() {
		return PID{}, false
	}
	return PID{p}, true
}
