package registry

import (
	"context"
	"fmt"
	"hash/maphash"
	"runtime"
	"sync"

	"github.com/coppice-go/coppice/internal/ordered"
	"github.com/coppice-go/coppice/process"
)

// An Entry is one thing that a registry knows: a process is registered under a
// key, with a value.
type Entry[K comparable, V any] struct {
	Key   K
	PID   process.PID
	Value V
}

// table is what a registry consists of, and the behaviour of its process.
//
// It is cut into parts, so that those who register do not all wait for one
// lock; a key belongs to one of them for good. What concerns all of it (its
// end, its listeners) is changed with all parts locked, in their order, and may
// be read with any of them locked.
type table[K comparable, V any] struct {
	host
	name   string
	unique bool
	seed   maphash.Seed
	parts  []part[K, V]

	closed    bool
	listeners ordered.Set[*Watch]
	ears      map[*Watch]follower[Event[K, V]]

	meta sync.Map // of properties, see Meta
}

// A part is the keeper of those registered in it.
type part[K comparable, V any] struct {
	of    *table[K, V]
	mu    sync.RWMutex
	byKey map[K]*ordered.Set[*Entry[K, V]]
	byPID map[process.PID]*ordered.Set[*Entry[K, V]]
	_     [64]byte // keeps the locks on lines of their own
}

func newTable[K comparable, V any](name string, unique bool) *table[K, V] {
	t := &table[K, V]{
		name: name, unique: unique, seed: maphash.MakeSeed(), parts: make([]part[K, V], runtime.GOMAXPROCS(0)),
		ears: map[*Watch]follower[Event[K, V]]{},
	}
	for i := range t.parts {
		t.parts[i].of = t
		t.parts[i].byKey = map[K]*ordered.Set[*Entry[K, V]]{}
		t.parts[i].byPID = map[process.PID]*ordered.Set[*Entry[K, V]]{}
	}
	return t
}

// Init implements process.Behaviour.
func (t *table[K, V]) Init(ctx context.Context) error {
	if err := t.host.Init(ctx); err != nil {
		return err
	}
	_, err := process.Keep(ctx, t.pid, t)
	return err
}

// part returns the part that a key belongs to.
func (t *table[K, V]) part(key K) *part[K, V] {
	return &t.parts[maphash.Comparable(t.seed, key)%uint64(len(t.parts))]
}

func (t *table[K, V]) lock() {
	for i := range t.parts {
		t.parts[i].mu.Lock()
	}
}

func (t *table[K, V]) unlock() {
	for i := range t.parts {
		t.parts[i].mu.Unlock()
	}
}

// register enters the process of ctx under a key.
func (t *table[K, V]) register(ctx context.Context, key K, value V) error {
	pid, err := self(ctx)
	if err != nil {
		return err
	}
	if _, err := local(ctx, pid); err != nil {
		return err
	}
	p := t.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.closed {
		return t.pid.Gone(t.name)
	}
	if t.unique && p.byKey[key] != nil {
		return &process.AlreadyStartedError{Name: t.title(key), PID: all(p.byKey, key)[0].PID}
	}
	if _, err := process.Keep(ctx, pid, p); err != nil {
		return err
	}
	e := &Entry[K, V]{key, pid, value}
	add(p.byKey, key, e)
	add(p.byPID, pid, e)
	t.announce(Registered, e)
	return nil
}

// title is how errors name a key.
func (t *table[K, V]) title(key K) string { return fmt.Sprintf("%s[%v]", t.name, key) }

// unregister takes away those entries of the process of ctx under a key that
// match, and returns how many there were.
func (t *table[K, V]) unregister(ctx context.Context, key K, match func(V) bool) (n int, err error) {
	pid, err := self(ctx)
	if err != nil {
		return 0, err
	}
	p := t.part(key)
	for _, e := range p.own(pid, key) {
		if match == nil || match(e.Value) {
			n += p.unregister(e)
		}
	}
	return n, nil
}

// own returns a process's entries under a key. There may be very many of that
// key, or very many of that process.
func (p *part[K, V]) own(pid process.PID, key K) (own []*Entry[K, V]) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	its, others := p.byPID[pid], p.byKey[key]
	if its == nil || others == nil {
		return nil
	}
	if others.Len() < its.Len() {
		its = others
	}
	for _, e := range its.All() {
		if e.PID == pid && e.Key == key {
			own = append(own, e)
		}
	}
	return own
}

// unregister takes one entry out, and returns how many that were.
func (p *part[K, V]) unregister(e *Entry[K, V]) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if set := p.byPID[e.PID]; set == nil || !set.Has(e) {
		return 0
	}
	remove(p.byKey, e.Key, e)
	remove(p.byPID, e.PID, e)
	if p.byPID[e.PID] == nil {
		process.Unkeep(e.PID, p)
	}
	p.of.announce(Unregistered, e)
	return 1
}

// update replaces the value of an entry by what f makes of it. f runs without
// the lock, and once more if somebody came between.
func (t *table[K, V]) update(ctx context.Context, key K, f func(V) V) (now V, err error) {
	pid, err := self(ctx)
	if err != nil {
		return now, err
	}
	p := t.part(key)
	for {
		own := p.own(pid, key)
		if len(own) == 0 {
			return now, &process.ExitError{PID: pid, Name: t.title(key), Reason: ErrNotRegistered}
		}
		now = f(own[0].Value)
		if p.replace(own[0], &Entry[K, V]{key, pid, now}) {
			return now, nil
		}
	}
}

// replace puts an entry into another's place, unless that is gone.
func (p *part[K, V]) replace(old, by *Entry[K, V]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if set := p.byPID[old.PID]; set == nil || !set.Has(old) {
		return false
	}
	add(p.byKey, by.Key, by)
	add(p.byPID, by.PID, by)
	remove(p.byKey, old.Key, old)
	remove(p.byPID, old.PID, old)
	return true
}

// lookup returns what is registered under a key, oldest first.
func (t *table[K, V]) lookup(key K) []Entry[K, V] {
	p := t.part(key)
	p.mu.RLock()
	defer p.mu.RUnlock()
	return values(all(p.byKey, key))
}

// entries returns what f picks of each part, one part after the other.
func (t *table[K, V]) entries(pick func(*part[K, V]) []*Entry[K, V]) (out []Entry[K, V]) {
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.RLock()
		out = append(out, values(pick(p))...)
		p.mu.RUnlock()
	}
	return out
}

// everything is a pick of entries.
func (p *part[K, V]) everything() (out []*Entry[K, V]) {
	for _, set := range p.byKey {
		out = append(out, set.All()...)
	}
	return out
}

func (p *part[K, V]) len() (n int) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, set := range p.byPID {
		n += set.Len()
	}
	return n
}

func values[T any](list []*T) []T {
	out := make([]T, len(list))
	for i, e := range list {
		out[i] = *e
	}
	return out
}

// Forget implements process.Keeper: one that is registered here has ended.
func (p *part[K, V]) Forget(pid process.PID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := all(p.byPID, pid)
	delete(p.byPID, pid)
	for _, e := range own {
		remove(p.byKey, e.Key, e)
		p.of.announce(Unregistered, e)
	}
}

// Forget implements process.Keeper: a listener or the table's own process has
// ended.
func (t *table[K, V]) Forget(pid process.PID) {
	t.lock()
	defer t.unlock()
	if pid != t.pid {
		for _, w := range t.listeners.All() {
			if w.PID() == pid {
				t.deafen(w)
			}
		}
		return
	}
	t.closed = true
	for i := range t.parts {
		p := &t.parts[i]
		for pid := range p.byPID {
			process.Unkeep(pid, p)
		}
		p.byKey, p.byPID = nil, nil
	}
	for _, w := range t.listeners.All() {
		process.Unkeep(w.PID(), t)
	}
	t.listeners, t.ears = ordered.Set[*Watch]{}, nil
}
