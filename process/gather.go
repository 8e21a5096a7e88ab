package process

import (
	"context"
	"sync"
)

// A Gather hands out requests under way in the order in which they end (OTP:
// request collections). The zero value is empty. It may be used by several.
type Gather struct {
	mu       sync.Mutex
	open     map[*Pending]bool
	ready    []*Pending
	sleepers sleepers
}

// Add makes p one of those that Next hands out. To add it twice changes nothing.
func (g *Gather) Add(p *Pending) {
	g.mu.Lock()
	if g.open == nil {
		g.open = make(map[*Pending]bool)
	}
	has := g.open[p]
	g.open[p] = true
	g.mu.Unlock()
	if !has {
		p.Then(func() { g.arrived(p) })
	}
}

// Len is how many have not been handed out.
func (g *Gather) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.open)
}

// Next waits, as long as [Do] would, until one has ended, and hands it out; nil
// if there is none left. On an error all stay.
func (g *Gather) Next(ctx context.Context) (*Pending, error) {
	self, err := actor(ctx)
	if err != nil {
		return nil, err
	}
	for {
		if p, ok := g.take(); ok {
			return p, nil
		}
		if err := self.sleep(ctx, g.listen, g.leave); err != nil {
			return nil, err
		}
	}
}

// take hands out one that has ended, or nil if there is none left to wait for.
func (g *Gather) take() (p *Pending, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ready) > 0 {
		p, g.ready = g.ready[0], g.ready[1:]
		delete(g.open, p)
	}
	if len(g.open) == 0 {
		g.wake() // whoever else waits here has nothing to wait for
		return p, true
	}
	return p, p != nil
}

// Abandon gives up all that have not been handed out.
func (g *Gather) Abandon() {
	g.mu.Lock()
	open := g.open
	g.open, g.ready = nil, nil
	g.wake()
	g.mu.Unlock()
	for p := range open {
		p.Abandon()
	}
}

func (g *Gather) arrived(p *Pending) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open[p] {
		g.ready = append(g.ready, p)
		g.wake()
	}
}

// wake lets those who wait look again. g.mu is held.
func (g *Gather) wake() {
	g.sleepers.wake()
	g.sleepers = nil
}

func (g *Gather) listen(s sleeper) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ready) > 0 || len(g.open) == 0 {
		return false
	}
	g.sleepers.add(s)
	return true
}

func (g *Gather) leave(s sleeper) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sleepers.remove(s)
}
