package otpscript

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/registry"
)

// Groups are known by the JSON text of their names, which can be compared.
type group = string

func scope(name string) registry.Scope[group, process.PID] {
	return registry.NewScope[group, process.PID](name)
}

func (p *player) startScope(ctx context.Context, proc *Proc) (process.PID, error) {
	pid, err := scope(proc.Scope).Start(ctx)
	return p.begun(pid, &actor{name: proc.Name}, err)
}

// A groupChange is what the monitor of a group is told.
type groupChange struct {
	*player
	label string
	registry.Change[group, process.PID]
}

func (c groupChange) seen() Term {
	what := Atom("join")
	if c.Kind == registry.Left {
		what = "leave"
	}
	return tuple(Ref(c.label), what, idTerm(c.Group), c.byName(c.Members))
}

// byName lists processes, sorted by name.
func (p *player) byName(pids []process.PID) List {
	l := List{}
	for _, pid := range pids {
		l = append(l, p.pid(pid))
	}
	slices.SortFunc(l, func(a, b Term) int { return cmp.Compare(a.(Pid), b.(Pid)) })
	return l
}

var groupOps = map[string]op{
	"join": func(p *player, ctx context.Context, _ process.PID, a *Act) (Term, error) {
		return ok, scope(a.Scope).Join(ctx, groupOf(a), p.members(a)...)
	},
	"leave": func(p *player, ctx context.Context, _ process.PID, a *Act) (Term, error) {
		err := scope(a.Scope).Leave(ctx, groupOf(a), p.members(a)...)
		if errors.Is(err, registry.ErrNotJoined) {
			return Atom("not_joined"), nil
		}
		return ok, err
	},
	"members":       (*player).groupMembers,
	"local_members": (*player).groupMembers,
	"groups":        (*player).groups,
	"local_groups":  (*player).groups,
	"pg_monitor":    (*player).groupMonitor,
	"pg_demonitor": func(p *player, ctx context.Context, _ process.PID, a *Act) (Term, error) {
		// OTP asks the scope, which may be gone. A Watch knows without.
		if _, err := scope(a.Scope).Groups(ctx); err != nil {
			return nil, err
		}
		p.mu.Lock()
		w := p.watches[a.Label]
		p.mu.Unlock()
		if w == nil || !w.Stop() {
			return no, nil
		}
		return ok, nil
	},
}

func groupOf(a *Act) group { return string(MarshalTerm(a.Group.Term)) }

func (p *player) members(a *Act) (pids []process.PID) {
	for _, name := range a.names() {
		pids = append(pids, p.at(name))
	}
	return pids
}

// groupMembers is empty for a scope that is not there, as OTP's is; coppice says
// that there is none.
func (p *player) groupMembers(ctx context.Context, _ process.PID, a *Act) (Term, error) {
	pids, err := scope(a.Scope).Members(ctx, groupOf(a))
	if errors.Is(err, process.ErrNoProc) {
		err = nil
	}
	return p.byName(pids), err
}

func (p *player) groups(ctx context.Context, _ process.PID, a *Act) (Term, error) {
	names, err := scope(a.Scope).Groups(ctx)
	if errors.Is(err, process.ErrNoProc) {
		err = errBadarg // OTP reads a table that is not there
	}
	l := List{}
	for _, name := range names {
		l = append(l, idTerm(name))
	}
	return sorted(l), err
}

func (p *player) groupMonitor(ctx context.Context, _ process.PID, a *Act) (Term, error) {
	as := func(c registry.Change[group, process.PID]) groupChange { return groupChange{p, a.Label, c} }
	var w *registry.Watch
	var now Term
	var err error
	if a.Group.Term != nil {
		var pids []process.PID
		w, pids, err = registry.MonitorGroup(ctx, scope(a.Scope), groupOf(a), as)
		now = p.byName(pids)
	} else {
		var all map[group][]process.PID
		w, all, err = registry.MonitorScope(ctx, scope(a.Scope), as)
		var pairs []Pair
		for name, pids := range all {
			pairs = append(pairs, Pair{idTerm(name), p.byName(pids)})
		}
		now = mapOf(pairs)
	}
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watches[a.Label] = w
	return tuple(Ref(a.Label), now), nil
}
