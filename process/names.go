package process

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// ErrHasName refuses to register a process that has a name: it has one at most,
// as in OTP.
var ErrHasName = errors.New("process: already has a name")

// names is a node's table of registered names.
type names struct {
	mu   sync.RWMutex
	byID map[string]*proc
	// lost says whose a name was that went away while its group was stopping,
	// so that who asks for it can be told why.
	lost map[string]*Group
}

// claim gives a name to p, or says who has it.
func (t *names) claim(name string, p *proc) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if has := t.byID[name]; has != nil {
		return &AlreadyStartedError{Name: name, PID: PID{has}}
	}
	if t.byID == nil {
		t.byID = make(map[string]*proc)
	}
	t.byID[name] = p
	delete(t.lost, name)
	return nil
}

// release makes p's name free, and reports whether it was still p's.
func (t *names) release(name string, p *proc) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[name] != p {
		return false
	}
	delete(t.byID, name)
	if g := p.origin.group; g != nil && g.stopping.Load() {
		if t.lost == nil {
			t.lost = make(map[string]*Group)
		}
		t.lost[name] = g
	}
	return true
}

func (t *names) find(name string) *proc {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[name]
}

// missing is the error for a name that nobody has.
func (t *names) missing(name string) error {
	t.mu.RLock()
	g := t.lost[name]
	if p := t.byID[name]; p != nil { // it is ending, and has its name to the last
		g = p.origin.group
	}
	t.mu.RUnlock()
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
	for name, of := range t.lost {
		if of == g {
			delete(t.lost, name)
		}
	}
}

// Names returns the registered names in order.
func (n *Node) Names() []string {
	n.names.mu.RLock()
	defer n.names.mu.RUnlock()
	return slices.Sorted(maps.Keys(n.names.byID))
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
