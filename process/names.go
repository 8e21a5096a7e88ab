package process

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
)

// ErrHasName refuses to register a process that has a name: it has one at most,
// as in OTP.
var ErrHasName = errors.New("process: already has a name")

// names is a node's table of registered names, in a few shards so that those who
// look some up do not all pull at one lock.
type names struct {
	seed   maphash.Seed
	shards [16]nameShard
}

type nameShard struct {
	mu   sync.RWMutex
	byID map[string]*proc
	// lost says whose a name was that went away while its group was stopping,
	// so that who asks for it can be told why.
	lost map[string]*Group
	_    [24]byte // fills the cache line
}

func (t *names) at(name string) *nameShard {
	return &t.shards[maphash.String(t.seed, name)%uint64(len(t.shards))]
}

// claim gives a name to p, or says who has it.
func (t *names) claim(name string, p *proc) error {
	s := t.at(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if has := s.byID[name]; has != nil {
		return &AlreadyStartedError{Name: name, PID: PID{has}}
	}
	if s.byID == nil {
		s.byID = make(map[string]*proc)
	}
	s.byID[name] = p
	delete(s.lost, name)
	return nil
}

// release makes p's name free, and reports whether it was still p's.
func (t *names) release(name string, p *proc) bool {
	s := t.at(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[name] != p {
		return false
	}
	delete(s.byID, name)
	if g := p.origin.group; g != nil && g.stopping.Load() {
		if s.lost == nil {
			s.lost = make(map[string]*Group)
		}
		s.lost[name] = g
	}
	return true
}

func (t *names) find(name string) *proc {
	s := t.at(name)
	s.mu.RLock()
	p := s.byID[name]
	s.mu.RUnlock()
	return p
}

// missing is the error for a name that nobody has.
func (t *names) missing(name string) error {
	s := t.at(name)
	s.mu.RLock()
	g := s.lost[name]
	if p := s.byID[name]; p != nil { // it is ending, and has its name to the last
		g = p.origin.group
	}
	s.mu.RUnlock()
	err := noProc(name)
	if g != nil && g.Explain != nil {
		return g.Explain(err)
	}
	return err
}

// forget drops what was remembered for a group that is no longer stopping.
func (t *names) forget(g *Group) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		maps.DeleteFunc(s.lost, func(_ string, of *Group) bool { return of == g })
		s.mu.Unlock()
	}
}

// Names returns the registered names in order.
func (n *Node) Names() (all []string) {
	for i := range n.names.shards {
		s := &n.names.shards[i]
		s.mu.RLock()
		all = slices.AppendSeq(all, maps.Keys(s.byID))
		s.mu.RUnlock()
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
