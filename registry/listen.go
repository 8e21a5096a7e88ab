package registry

import (
	"context"

	"github.com/coppice-go/coppice/process"
)

// An Event tells a listener what has happened to a registry.
type Event[K comparable, V any] struct {
	Kind EventKind
	Entry[K, V]
}

// An EventKind is what has happened.
type EventKind uint8

const (
	Registered   EventKind = iota
	Unregistered           // or the process has ended
)

func (k EventKind) String() string {
	if k == Registered {
		return "registered"
	}
	return "unregistered"
}

// Listen returns what is registered and lets the calling process know of every
// change from there on, by a message of its own that as makes. as runs in the
// calling process. Changes of one key come in the order in which they happen;
// the end of a process comes before its Down. Changed values are no event.
func Listen[K comparable, V, M any](ctx context.Context, r Registry[K, V], as func(Event[K, V]) M) (*Watch, []Entry[K, V], error) {
	t, err := r.find(ctx)
	if err != nil {
		return nil, nil, err
	}
	f, err := follow(ctx, as, t.unlisten)
	if err != nil {
		return nil, nil, err
	}
	t.lock()
	defer t.unlock()
	if t.closed {
		return nil, nil, t.pid.Gone(t.name)
	}
	if _, err := process.Keep(ctx, f.PID(), t); err != nil {
		return nil, nil, err
	}
	t.listeners.Add(f.Watch)
	t.ears[f.Watch] = f
	var now []Entry[K, V]
	for i := range t.parts {
		now = append(now, values(t.parts[i].everything())...)
	}
	return f.Watch, now, nil
}

// announce tells the listeners. A part is locked.
func (t *table[K, V]) announce(kind EventKind, e *Entry[K, V]) {
	if t.listeners.Len() == 0 {
		return
	}
	ev := Event[K, V]{kind, *e}
	for _, w := range t.listeners.All() {
		t.ears[w].tell(t.own, func() Event[K, V] { return ev })
	}
}

func (t *table[K, V]) unlisten(w *Watch) bool {
	t.lock()
	defer t.unlock()
	if !t.deafen(w) {
		return false
	}
	for _, other := range t.listeners.All() {
		if other.PID() == w.PID() {
			return true
		}
	}
	if w.PID() != t.pid {
		process.Unkeep(w.PID(), t)
	}
	return true
}

// deafen takes a listener out; everything is locked.
func (t *table[K, V]) deafen(w *Watch) bool {
	delete(t.ears, w)
	return t.listeners.Delete(w)
}
