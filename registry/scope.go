package registry

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// ErrNotJoined says that none of the processes that were to leave a group was a
// member of it.
var ErrNotJoined = errors.New("registry: not a member of the group")

// A Scope is a world of process groups (OTP: pg). A G names a group, and an R is
// the reference by which members are known, say a server.Ref[Room] or a
// process.PID. A Scope is an immutable value, good for every node; on each it
// exists while its process runs, see [Scope.Start].
//
// A group exists while it has members. A process may join one several times,
// and is then listed as often, until it has left as often or has ended. Members
// that end have left before anybody learns of their end. One that was killed
// and has not come back from its handler is a member until then.
type Scope[G comparable, R process.Target] struct{ name string }

// NewScope returns the scope with that name, which is also the registered name
// of its process.
func NewScope[G comparable, R process.Target](name string) Scope[G, R] { return Scope[G, R]{name} }

// Name returns the scope's name.
func (s Scope[G, R]) Name() string { return s.name }

// Start starts the scope's process, linked to the calling one: it is the Start
// of a supervisor's child. When the process ends all memberships are lost, and
// nobody is told but those who monitor the process itself; who wants to be a
// member of the next one joins again.
func (s Scope[G, R]) Start(ctx context.Context) (process.PID, error) {
	return start(ctx, s.name, newGroups[G, R](s.name))
}

// Join makes processes members of a group, all or none: one that has ended is
// an error, of kind process.ErrNoProc.
func (s Scope[G, R]) Join(ctx context.Context, group G, members ...R) error {
	t, pids, err := s.resolve(ctx, members)
	if err != nil {
		return err
	}
	return t.join(ctx, group, members, pids)
}

// Leave takes away one membership of the group for each process in the list;
// those that are no members are passed over. If all are, it is [ErrNotJoined].
func (s Scope[G, R]) Leave(ctx context.Context, group G, members ...R) error {
	t, pids, err := s.resolve(ctx, members)
	if err != nil {
		return err
	}
	return t.leave(group, pids)
}

// resolve finds the table and the processes of a list.
func (s Scope[G, R]) resolve(ctx context.Context, members []R) (*groups[G, R], []process.PID, error) {
	t, err := s.find(ctx)
	if err != nil {
		return nil, nil, err
	}
	pids := make([]process.PID, len(members))
	for i, m := range members {
		if pids[i], err = local(ctx, m); err != nil {
			return nil, nil, err
		}
	}
	return t, pids, nil
}

// Members returns who is in a group, newest first; nobody, if there is no such
// group.
func (s Scope[G, R]) Members(ctx context.Context, group G) ([]R, error) {
	t, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.list(group), nil
}

// Groups returns the groups that have members, in no particular order.
func (s Scope[G, R]) Groups(ctx context.Context) ([]G, error) {
	t, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Keys(t.members)), nil
}

func (s Scope[G, R]) find(ctx context.Context) (*groups[G, R], error) {
	return find[*groups[G, R]](ctx, s.name)
}

// A Change tells a subscriber who has joined or left a group. Its Members are
// as many as there were memberships.
type Change[G comparable, R process.Target] struct {
	Kind    ChangeKind
	Group   G
	Members []R
}

// A ChangeKind is what has changed in a group.
type ChangeKind uint8

const (
	Joined ChangeKind = iota
	Left
)

func (k ChangeKind) String() string {
	if k == Joined {
		return "joined"
	}
	return "left"
}

// MonitorGroup returns the members of a group and lets the calling process know
// of every change from there on, by a message of its own that as makes. as runs
// in the calling process. The group need not exist.
//
// Changes come in the order in which they happen, one message for each Join and
// Leave and one for each membership of a process that ends.
func MonitorGroup[G comparable, R process.Target, M any](ctx context.Context, s Scope[G, R], group G, as func(Change[G, R]) M) (*Watch, []R, error) {
	w, now, err := monitor(ctx, s, &group, as, func(t *groups[G, R]) []R { return t.list(group) })
	return w, now, err
}

// MonitorScope is [MonitorGroup] for all groups, those to come included.
func MonitorScope[G comparable, R process.Target, M any](ctx context.Context, s Scope[G, R], as func(Change[G, R]) M) (*Watch, map[G][]R, error) {
	return monitor(ctx, s, nil, as, func(t *groups[G, R]) map[G][]R {
		all := make(map[G][]R, len(t.members))
		for g := range t.members {
			all[g] = t.list(g)
		}
		return all
	})
}

// monitor subscribes the calling process to one group, or all if it is nil, and
// takes a picture of that moment.
func monitor[G comparable, R process.Target, M, P any](ctx context.Context, s Scope[G, R], group *G, as func(Change[G, R]) M, picture func(*groups[G, R]) P) (w *Watch, now P, err error) {
	t, err := s.find(ctx)
	if err != nil {
		return nil, now, err
	}
	f, err := follow(ctx, as, t.unwatch)
	if err != nil {
		return nil, now, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.watch(ctx, f, group); err != nil {
		return nil, now, err
	}
	return f.Watch, picture(t), nil
}

// clone gives each subscriber a list of its own.
func (c Change[G, R]) clone() Change[G, R] {
	c.Members = slices.Clone(c.Members)
	return c
}
