package registry

import (
	"context"
	"slices"
	"sync"

	"github.com/coppice-go/coppice/internal/ordered"
	"github.com/coppice-go/coppice/process"
)

// groups is the table of a scope, and the behaviour of its process.
//
// It is a process.Keeper of everybody who is in it: members, subscribers, and
// its own process, whose end is the table's. So long as mu is held nobody in it
// can be dead and known to be.
type groups[G comparable, R process.Target] struct {
	host
	name string

	mu      sync.RWMutex
	closed  bool
	members map[G]*ordered.Set[*membership[G, R]]
	joined  map[process.PID][]*membership[G, R] // oldest first
	watches map[*Watch]*subscription[G, R]
	// Who is told of what, in the order in which they asked.
	all      ordered.Set[*subscription[G, R]]
	of       map[G]*ordered.Set[*subscription[G, R]]
	watching map[process.PID]*ordered.Set[*Watch]
}

// A membership is one time that a process has joined a group.
type membership[G comparable, R process.Target] struct {
	group G
	pid   process.PID
	ref   R
}

// A subscription is to one group, or to all.
type subscription[G comparable, R process.Target] struct {
	follower[Change[G, R]]
	group *G
}

func newGroups[G comparable, R process.Target](name string) *groups[G, R] {
	return &groups[G, R]{
		name: name, members: map[G]*ordered.Set[*membership[G, R]]{}, joined: map[process.PID][]*membership[G, R]{},
		watches: map[*Watch]*subscription[G, R]{}, of: map[G]*ordered.Set[*subscription[G, R]]{}, watching: map[process.PID]*ordered.Set[*Watch]{},
	}
}

// Init implements process.Behaviour.
func (t *groups[G, R]) Init(ctx context.Context) error {
	if err := t.host.Init(ctx); err != nil {
		return err
	}
	_, err := process.Keep(ctx, t.pid, t)
	return err
}

func (t *groups[G, R]) join(ctx context.Context, group G, refs []R, pids []process.PID) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.keep(ctx, pids...); err != nil || len(pids) == 0 {
		return err
	}
	for i := len(pids) - 1; i >= 0; i-- { // read backwards, the list is as it was given
		m := &membership[G, R]{group, pids[i], refs[i]}
		add(t.members, group, m)
		t.joined[m.pid] = append(t.joined[m.pid], m)
	}
	t.announce(Change[G, R]{Joined, group, slices.Clone(refs)})
	return nil
}

// keep makes sure that t is told of the ends of all of them, or of none that is
// not in it already.
func (t *groups[G, R]) keep(ctx context.Context, pids ...process.PID) error {
	if t.closed {
		return t.pid.Gone(t.name)
	}
	for i, pid := range pids {
		if _, err := process.Keep(ctx, pid, t); err != nil {
			for _, pid := range pids[:i] {
				t.unkeep(pid)
			}
			return err
		}
	}
	return nil
}

// unkeep lets go of a process that is no longer in the table.
func (t *groups[G, R]) unkeep(pid process.PID) {
	if t.joined[pid] == nil && t.watching[pid] == nil && pid != t.pid {
		process.Unkeep(pid, t)
	}
}

func (t *groups[G, R]) leave(group G, pids []process.PID) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return t.pid.Gone(t.name)
	}
	var left []R
	for _, pid := range pids {
		of := t.joined[pid]
		for i := len(of) - 1; i >= 0; i-- {
			if m := of[i]; m.group == group {
				left = append(left, m.ref)
				remove(t.members, group, m)
				t.joined[pid] = slices.Delete(of, i, i+1)
				break
			}
		}
		if len(t.joined[pid]) == 0 {
			delete(t.joined, pid)
			t.unkeep(pid)
		}
	}
	if left == nil && len(pids) > 0 {
		return ErrNotJoined
	}
	if left != nil {
		t.announce(Change[G, R]{Left, group, left})
	}
	return nil
}

// list is who is in a group, newest first. t.mu is held.
func (t *groups[G, R]) list(group G) []R {
	list := all(t.members, group)
	out := make([]R, 0, len(list))
	for _, m := range slices.Backward(list) {
		out = append(out, m.ref)
	}
	return out
}

// Forget implements process.Keeper: a member, a subscriber or the table's own
// process has ended.
func (t *groups[G, R]) Forget(pid process.PID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if pid == t.pid {
		t.close()
		return
	}
	for _, w := range all(t.watching, pid) {
		t.drop(w)
	}
	of := t.joined[pid]
	delete(t.joined, pid)
	for _, m := range slices.Backward(of) {
		remove(t.members, m.group, m)
		t.announce(Change[G, R]{Left, m.group, []R{m.ref}})
	}
}

// close ends the table; t.mu is held. Its subscribers are not told.
func (t *groups[G, R]) close() {
	t.closed = true
	for pid := range t.joined {
		process.Unkeep(pid, t)
	}
	for pid := range t.watching {
		process.Unkeep(pid, t)
	}
	t.members, t.joined, t.watches, t.of, t.watching = nil, nil, nil, nil, nil
	t.all = ordered.Set[*subscription[G, R]]{}
}

// announce tells those who watch the scope and those who watch the group. It is
// done under the lock, so that all of them see the changes in one order, and
// those who come later a picture that the next change continues.
func (t *groups[G, R]) announce(c Change[G, R]) {
	for _, s := range t.all.All() {
		s.tell(t.own, c.clone)
	}
	for _, s := range all(t.of, c.Group) {
		s.tell(t.own, c.clone)
	}
}

// watch enters a subscription; t.mu is held.
func (t *groups[G, R]) watch(ctx context.Context, f follower[Change[G, R]], group *G) error {
	if err := t.keep(ctx, f.PID()); err != nil {
		return err
	}
	s := &subscription[G, R]{f, group}
	t.watches[f.Watch] = s
	add(t.watching, f.PID(), f.Watch)
	if group == nil {
		t.all.Add(s)
	} else {
		add(t.of, *group, s)
	}
	return nil
}

// unwatch ends a subscription and reports whether there was one.
func (t *groups[G, R]) unwatch(w *Watch) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.drop(w) {
		return false
	}
	t.unkeep(w.PID())
	return true
}

// drop is unwatch with t.mu held.
func (t *groups[G, R]) drop(w *Watch) bool {
	s := t.watches[w]
	if s == nil {
		return false
	}
	delete(t.watches, w)
	remove(t.watching, w.PID(), w)
	if s.group == nil {
		t.all.Delete(s)
	} else {
		remove(t.of, *s.group, s)
	}
	return true
}
