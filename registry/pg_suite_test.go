package registry_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/registry"
)

// The cases of OTP's own suite for pg that make sense on one node, under their
// names there.
func TestPgSUITE(t *testing.T) {
	for name, c := range map[string]func(*testing.T, context.Context){
		"pg":                     pgPg,
		"errors":                 pgErrors,
		"leave_exit_race":        pgLeaveExitRace,
		"single":                 pgSingle,
		"process_owner_check":    pgProcessOwnerCheck,
		"double":                 pgDouble,
		"scope_restart":          pgScopeRestart,
		"missing_scope_join":     pgMissingScopeJoin,
		"group_leave":            pgGroupLeave,
		"monitor_nonempty_scope": pgMonitorNonemptyScope,
		"monitor_scope":          pgMonitorScope,
		"monitor":                pgMonitor,
	} {
		t.Run(name, func(t *testing.T) { bubble(t, c) })
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func pgPg(t *testing.T, ctx context.Context) {
	scope := startScope(t, ctx)
	if pid, ok := process.Whereis(ctx, rooms.Name()); !ok || pid != scope {
		t.Errorf("the scope's name leads to %v, want %v", pid, scope)
	}
	a := newAgent(t, ctx)
	must(t, rooms.Join(ctx, "g", a.pid()))
	wantMembers(t, ctx, "g", a)
	wantGroups(t, ctx, "g")
	must(t, rooms.Leave(ctx, "g", a.pid()))
	wantMembers(t, ctx, "g")
	wantGroups(t, ctx)
}

// In OTP a message of garbage ends a scope, and with it all memberships. Ours
// takes no messages, says so, and goes on.
func pgErrors(t *testing.T, _ context.Context) {
	rec := &processtest.Recorder{}
	ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
	scope := startScope(t, ctx)
	a := newAgent(t, ctx)
	must(t, rooms.Join(ctx, "g", a.pid()))
	must(t, process.Send(ctx, scope, "garbage"))
	err := process.Do(process.WithCallTimeout(ctx, 1), scope, &struct{ process.Call }{})
	wantErr(t, err, process.ErrTimeout)
	wantMembers(t, ctx, "g", a)
	if !scope.Alive() {
		t.Error("garbage has ended the scope")
	}
	if n := len(rec.Events(process.Warned)); n != 2 {
		t.Errorf("%d warnings, want one for each message of garbage", n)
	}
}

func pgLeaveExitRace(t *testing.T, ctx context.Context) {
	startScope(t, ctx)
	for range 100 {
		pid, err := process.Go(ctx, func(context.Context) error { return nil })
		must(t, err)
		if err := rooms.Join(ctx, "g", pid); err != nil {
			wantErr(t, err, process.ErrNoProc)
		}
		if err := rooms.Leave(ctx, "g", pid); err != nil {
			wantErr(t, err, registry.ErrNotJoined)
		}
	}
	wantGroups(t, ctx)
}

func pgSingle(t *testing.T, ctx context.Context) {
	startScope(t, ctx)
	a, b := newAgent(t, ctx), newAgent(t, ctx)
	must(t, rooms.Join(ctx, "g", a.pid()))
	must(t, rooms.Join(ctx, "g", a.pid(), a.pid()))
	wantMembers(t, ctx, "g", a, a, a)
	wantErr(t, rooms.Leave(ctx, "missing", a.pid()), registry.ErrNotJoined)
	must(t, rooms.Leave(ctx, "g", a.pid(), a.pid()))
	must(t, rooms.Leave(ctx, "g", a.pid()))
	wantGroups(t, ctx)
	wantMembers(t, ctx, "g")

	must(t, rooms.Join(ctx, "g", a.pid()))
	must(t, rooms.Join(ctx, "g", b.pid()))
	wantMembers(t, ctx, "g", b, a)
	b.end(t, ctx)
	wantMembers(t, ctx, "g", a)
	must(t, rooms.Leave(ctx, "g", a.pid()))
}

func pgProcessOwnerCheck(t *testing.T, ctx context.Context) {
	startScope(t, ctx)
	near := newAgent(t, ctx)
	far := newAgent(t, processtest.Context(t))
	for _, list := range [][]process.PID{{far.pid()}, {far.pid(), far.pid()}, {near.pid(), far.pid()}} {
		wantErr(t, rooms.Join(ctx, "g", list...), registry.ErrOtherNode)
		wantErr(t, rooms.Leave(ctx, "g", list...), registry.ErrOtherNode)
	}
	wantErr(t, rooms.Join(ctx, "g", process.PID{}), process.ErrNoProc)
	wantErr(t, rooms.Join(ctx, "g", near.pid(), process.PID{}), process.ErrNoProc)
	wantGroups(t, ctx)
}

func pgDouble(t *testing.T, ctx context.Context) {
	startScope(t, ctx)
	a := newAgent(t, ctx)
	must(t, rooms.Join(ctx, "g", a.pid()))
	must(t, rooms.Join(ctx, "g", a.pid()))
	wantMembers(t, ctx, "g", a, a)
	a.end(t, ctx)
	wantMembers(t, ctx, "g")
}

func pgScopeRestart(t *testing.T, ctx context.Context) {
	scope := startScope(t, ctx)
	a := newAgent(t, ctx)
	must(t, rooms.Join(ctx, "g", a.pid(), a.pid()))
	must(t, process.Stop(ctx, scope, nil))
	startScope(t, ctx)
	wantMembers(t, ctx, "g")
	must(t, rooms.Join(ctx, "g", a.pid()))
	wantMembers(t, ctx, "g", a)
}

func pgMissingScopeJoin(t *testing.T, ctx context.Context) {
	scope := startScope(t, ctx)
	must(t, process.Stop(ctx, scope, nil))
	a := newAgent(t, ctx)
	wantErr(t, rooms.Join(ctx, "g", a.pid()), process.ErrNoProc)
	wantErr(t, rooms.Leave(ctx, "g", a.pid()), process.ErrNoProc)
	// In OTP members of a missing scope are an empty list.
	_, err := rooms.Members(ctx, "g")
	wantErr(t, err, process.ErrNoProc)
	_, err = rooms.Groups(ctx)
	wantErr(t, err, process.ErrNoProc)
}

func pgGroupLeave(t *testing.T, ctx context.Context) {
	startScope(t, ctx)
	a := newAgent(t, ctx)
	must(t, rooms.Join(ctx, "g", slices.Repeat(pids(a), 16)...))
	must(t, rooms.Leave(ctx, "g", slices.Repeat(pids(a), 4)...))
	if got, err := rooms.Members(ctx, "g"); err != nil || !slices.Equal(got, slices.Repeat(pids(a), 12)) {
		t.Errorf("16 joined and 4 left: %v, %v", got, err)
	}
	a.end(t, ctx)
	wantMembers(t, ctx, "g")
	wantGroups(t, ctx)
}

func pgMonitorNonemptyScope(t *testing.T, ctx context.Context) {
	startScope(t, ctx)
	a, m := newAgent(t, ctx), newAgent(t, ctx)
	must(t, rooms.Join(ctx, "g", a.pid()))
	m.must(t, ctx, func(ctx context.Context) error {
		w, now, err := registry.MonitorScope(ctx, rooms, heard[roomChange]("scope"))
		if err != nil {
			return err
		}
		if len(now) != 1 || !slices.Equal(now["g"], pids(a)) {
			t.Errorf("the scope as it is: %v", now)
		}
		if !w.Stop() {
			t.Error("Stop of a monitor that was going on reports false")
		}
		return nil
	})
}

type roomChange = registry.Change[string, process.PID]

func pgMonitorScope(t *testing.T, ctx context.Context) {
	pgMonitorAny(t, ctx, func(ctx context.Context, name string) (*registry.Watch, []process.PID, error) {
		w, now, err := registry.MonitorScope(ctx, rooms, heard[roomChange](name))
		return w, now["g"], err
	})
}

func pgMonitor(t *testing.T, ctx context.Context) {
	pgMonitorAny(t, ctx, func(ctx context.Context, name string) (*registry.Watch, []process.PID, error) {
		return registry.MonitorGroup(ctx, rooms, "g", heard[roomChange](name))
	})
}

// pgMonitorAny is what OTP's cases for both kinds of monitors have in common.
func pgMonitorAny(t *testing.T, ctx context.Context, monitor func(ctx context.Context, name string) (*registry.Watch, []process.PID, error)) {
	startScope(t, ctx)
	a, first, second := newAgent(t, ctx), newAgent(t, ctx), newAgent(t, ctx)
	watch := func(by *agent, name string, want ...*agent) (w *registry.Watch) {
		by.must(t, ctx, func(ctx context.Context) (err error) {
			var now []process.PID
			if w, now, err = monitor(ctx, name); !slices.Equal(now, pids(want...)) {
				t.Errorf("members as %s begins: %v, want %v", name, now, pids(want...))
			}
			return err
		})
		return w
	}
	w := watch(first, "first")
	must(t, rooms.Join(ctx, "g", a.pid()))
	first.wants(t, ctx, joined("first", "g", a))
	watch(second, "second", a)
	must(t, rooms.Join(ctx, "g", a.pid(), second.pid()))
	must(t, rooms.Leave(ctx, "g", a.pid()))
	want := func(name string) []string { return []string{joined(name, "g", a, second), left(name, "g", a)} }
	first.wants(t, ctx, want("first")...)
	second.wants(t, ctx, want("second")...)

	// A subscriber that ends is forgotten; this one is a member as well.
	second.end(t, ctx)
	first.wants(t, ctx, left("first", "g", second))

	// Stop takes back what waits in the mailbox.
	first.must(t, ctx, func(context.Context) error {
		must(t, rooms.Join(ctx, "g", first.pid()))
		if !w.Stop() || w.Stop() {
			t.Error("Stop must report true once")
		}
		must(t, rooms.Leave(ctx, "g", first.pid()))
		return nil
	})
	first.wants(t, ctx)
}
