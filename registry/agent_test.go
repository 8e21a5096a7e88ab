package registry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/registry"
)

// An agent is a process that does what it is told and keeps what it hears.
type agent struct {
	ref   process.Ref[order]
	heard []string // its own
}

// An order is what an agent is sent: something to do, or something to hear.
type order struct {
	do    func(ctx context.Context) error // an error ends the agent
	heard string
}

// bubble runs f in a bubble of its own, with the ctx of a new node.
func bubble(t *testing.T, f func(t *testing.T, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, processtest.Context(t)) })
}

func newAgent(t testing.TB, ctx context.Context) *agent {
	t.Helper()
	a := &agent{}
	var err error
	a.ref, err = process.Spawn(ctx, func(ctx context.Context, in *process.Inbox[order]) error {
		for {
			m := in.Receive()
			if m.do == nil {
				a.heard = append(a.heard, m.heard)
			} else if err := m.do(ctx); err != nil {
				return err
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *agent) pid() process.PID { return a.ref.PID() }

// do runs f in the agent and waits for it; what f returns is returned.
func (a *agent) do(t testing.TB, ctx context.Context, f func(ctx context.Context) error) error {
	t.Helper()
	err, failed := process.Ask(ctx, a.ref, func(r process.Reply[error]) order {
		return order{do: func(ctx context.Context) error { r.Send(f(ctx)); return nil }}
	})
	if failed != nil {
		t.Errorf("asking %v: %v", a.pid(), failed)
	}
	return err
}

// must is do with an f that must succeed.
func (a *agent) must(t testing.TB, ctx context.Context, f func(ctx context.Context) error) {
	t.Helper()
	if err := a.do(t, ctx, f); err != nil {
		t.Errorf("in %v: %v", a.pid(), err)
	}
}

// wants checks what the agent has heard since the last time.
func (a *agent) wants(t testing.TB, ctx context.Context, want ...string) {
	t.Helper()
	a.must(t, ctx, func(context.Context) error {
		if !slices.Equal(a.heard, want) {
			t.Errorf("heard:\n\t%s\nwant:\n\t%s", strings.Join(a.heard, "\n\t"), strings.Join(want, "\n\t"))
		}
		a.heard = nil
		return nil
	})
}

// end ends the agent and waits for that.
func (a *agent) end(t testing.TB, ctx context.Context) {
	t.Helper()
	if err := process.Stop(ctx, a.pid(), nil); err != nil {
		t.Error(err)
	}
}

// heard makes an agent's message of whatever there is to hear.
func heard[C any](name string) func(C) order {
	return func(c C) order { return order{heard: fmt.Sprintf("%s %v", name, c)} }
}

var rooms = registry.NewScope[string, process.PID]("rooms")

func startScope(t testing.TB, ctx context.Context) process.PID {
	t.Helper()
	pid, err := rooms.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// joined and left are what an agent hears by heard.
func joined(name, group string, who ...*agent) string { return changed(name, "joined", group, who) }

func left(name, group string, who ...*agent) string { return changed(name, "left", group, who) }

func changed(name, how, group string, who []*agent) string {
	return fmt.Sprintf("%s {%s %s %v}", name, how, group, pids(who...))
}

func pids(who ...*agent) []process.PID {
	out := []process.PID{}
	for _, a := range who {
		out = append(out, a.pid())
	}
	return out
}

func wantMembers(t testing.TB, ctx context.Context, group string, want ...*agent) {
	t.Helper()
	got, err := rooms.Members(ctx, group)
	if err != nil || !slices.Equal(got, pids(want...)) {
		t.Errorf("members of %s: %v (%v), want %v", group, got, err, pids(want...))
	}
}

func wantGroups(t testing.TB, ctx context.Context, want ...string) {
	t.Helper()
	got, err := rooms.Groups(ctx)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("groups: %v (%v), want %v", got, err, want)
	}
}
