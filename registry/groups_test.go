package registry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
)

// In OTP the message about a list that left names the strangers in it, too.
func TestLeaveNamesThoseWhoLeft(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startScope(t, ctx)
		a, b, m := newAgent(t, ctx), newAgent(t, ctx), newAgent(t, ctx)
		m.must(t, ctx, func(ctx context.Context) error {
			_, _, err := registry.MonitorScope(ctx, rooms, heard[roomChange]("scope"))
			return err
		})
		must(t, rooms.Join(ctx, "g", a.pid()))
		must(t, rooms.Leave(ctx, "g", b.pid(), a.pid(), a.pid()))
		must(t, rooms.Join(ctx, "g"))  // nobody
		must(t, rooms.Leave(ctx, "g")) // nobody
		m.wants(t, ctx, joined("scope", "g", a), left("scope", "g", a))
	})
}

// A process that monitors a group it is in does not take the scope along when
// it ends, as it did in OTP 25.
func TestMemberThatMonitorsItself(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		scope := startScope(t, ctx)
		a, m := newAgent(t, ctx), newAgent(t, ctx)
		must(t, rooms.Join(ctx, "g", a.pid(), m.pid()))
		watch := func(ctx context.Context) error {
			_, _, err := registry.MonitorGroup(ctx, rooms, "g", heard[roomChange]("g"))
			return err
		}
		a.must(t, ctx, watch)
		m.must(t, ctx, watch)
		m.end(t, ctx)
		a.wants(t, ctx, left("g", "g", m))
		wantMembers(t, ctx, "g", a)
		if !scope.Alive() {
			t.Error("the scope has ended")
		}
	})
}

// Each membership of the dead is a change of its own, the latest first.
func TestDeathOfAManifoldMember(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startScope(t, ctx)
		a, m := newAgent(t, ctx), newAgent(t, ctx)
		must(t, rooms.Join(ctx, "g", a.pid(), a.pid()))
		must(t, rooms.Join(ctx, "h", a.pid()))
		m.must(t, ctx, func(ctx context.Context) error {
			_, _, err := registry.MonitorScope(ctx, rooms, heard[roomChange]("scope"))
			return err
		})
		a.end(t, ctx)
		m.wants(t, ctx, left("scope", "h", a), left("scope", "g", a), left("scope", "g", a))
	})
}

// When a scope ends, its memberships and its monitors do, and nobody else.
func TestEndOfAScope(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		scope := startScope(t, ctx)
		if _, err := rooms.Start(ctx); !errors.Is(err, process.ErrNameTaken) {
			t.Errorf("a second scope of that name: %v", err)
		}
		a, m := newAgent(t, ctx), newAgent(t, ctx)
		must(t, rooms.Join(ctx, "g", a.pid(), m.pid()))
		var w *registry.Watch
		m.must(t, ctx, func(ctx context.Context) (err error) {
			w, _, err = registry.MonitorScope(ctx, rooms, heard[roomChange]("scope"))
			return err
		})
		if w.PID() != m.pid() {
			t.Errorf("a watch of %v, want %v", w.PID(), m.pid())
		}
		must(t, process.Kill(ctx, scope))
		if _, err := process.Wait(ctx, scope); err != nil {
			t.Fatal(err)
		}
		startScope(t, ctx)
		must(t, rooms.Join(ctx, "g", a.pid()))
		a.end(t, ctx)
		if w.Stop() {
			t.Error("a monitor of a scope that has ended is still going on")
		}
		m.wants(t, ctx)
	})
}

// What still holds the ctx of the dead joins nothing to anything.
func TestJoinBehindTheFence(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startScope(t, ctx)
		a, b := newAgent(t, ctx), newAgent(t, ctx)
		var own context.Context
		a.must(t, ctx, func(ctx context.Context) error { own = ctx; return nil })
		must(t, process.Kill(ctx, a.ref))
		wantErr(t, rooms.Join(own, "g", b.pid()), process.ErrKilled)
		wantErr(t, rooms.Join(ctx, "g", b.pid(), a.pid()), process.ErrNoProc)
		wantErr(t, rooms.Join(context.Background(), "g", b.pid()), process.ErrNoNode)
		_, _, err := registry.MonitorScope(own, rooms, heard[roomChange]("scope"))
		wantErr(t, err, process.ErrKilled)
		_, _, err = registry.MonitorScope(ctx, rooms, heard[roomChange]("scope"))
		wantErr(t, err, process.ErrNoSelf)
		wantGroups(t, ctx)
	})
}

func TestScopeOfAnotherType(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startScope(t, ctx)
		_, err := registry.NewScope[int, process.PID]("rooms").Groups(ctx)
		for _, want := range []string{`"rooms"`, "groups[string", "groups[int"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("a scope of the wrong type: %v, want %s in it", err, want)
			}
		}
	})
}

// The life of a few agents that join, leave, end and let each other do so, all
// at once.
type life struct {
	agents []*agent
	groups []string
	faults []string
}

func (l *life) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

// mourn watches over the scope and everybody in it. It knows the groups only by
// what it was told.
func (l *life) mourn(ctx context.Context, in *process.Inbox[mourned], ready chan<- struct{}) error {
	_, picture, err := registry.MonitorScope(ctx, rooms, func(c roomChange) mourned { return mourned{change: &c} })
	if err != nil {
		return err
	}
	for _, a := range l.agents {
		if _, err := in.Monitor(a.ref, func(d process.Down) mourned { return mourned{down: d.PID} }); err != nil {
			return err
		}
	}
	close(ready)
	dead := map[process.PID]int{}
	for {
		m := in.Receive()
		switch {
		case m.change != nil:
			if fault := replay(picture, *m.change); fault != "" {
				l.fault("%s", fault)
			}
		case m.compare != nil:
			m.compare(picture, dead)
		default:
			dead[m.down]++
			for _, g := range l.groups {
				now, err := rooms.Members(ctx, g)
				if err != nil || slices.Contains(now, m.down) || slices.Contains(picture[g], m.down) {
					l.fault("at the Down of %v it is in %s: %v (%v), and as we were told: %v", m.down, g, now, err, picture[g])
				}
			}
		}
	}
}

type mourned struct {
	change  *roomChange
	down    process.PID
	compare func(picture map[string][]process.PID, dead map[process.PID]int)
}

// replay does to a picture of the groups what a change says.
func replay(picture map[string][]process.PID, c roomChange) (fault string) {
	now := picture[c.Group]
	if c.Kind == registry.Joined {
		picture[c.Group] = append(slices.Clone(c.Members), now...)
		return ""
	}
	for _, pid := range c.Members {
		i := slices.Index(now, pid)
		if i < 0 {
			return fmt.Sprintf("told that %v left %s, which it had not joined: %v", pid, c.Group, now)
		}
		now = slices.Delete(now, i, i+1)
	}
	picture[c.Group] = now
	return ""
}

func (l *life) live(t *testing.T, ops []int) {
	ctx := processtest.Context(t)
	startScope(t, ctx)
	for range 4 {
		l.agents = append(l.agents, newAgent(t, ctx))
	}
	ready := make(chan struct{})
	mourner, err := process.Spawn(ctx, func(ctx context.Context, in *process.Inbox[mourned]) error { return l.mourn(ctx, in, ready) })
	if err != nil {
		t.Fatal(err)
	}
	<-ready
	ended := map[process.PID]bool{}
	for _, op := range ops {
		by, on, group := l.agents[op%4], l.agents[op/4%4].pid(), l.groups[op/16%3]
		what := op / 48 % 8
		ended[on] = ended[on] || what == 0
		must(t, by.ref.Send(ctx, order{do: func(ctx context.Context) error {
			switch what {
			case 0:
				return process.Kill(ctx, on)
			case 1, 2, 3:
				_ = rooms.Leave(ctx, group, on) // it may not be in there
			case 4:
				_ = rooms.Join(ctx, group, on, on, process.Self(ctx)) // one may have ended
			default:
				_ = rooms.Join(ctx, group, on) // it may have ended
			}
			return nil
		}}))
	}
	synctest.Wait()
	must(t, mourner.Send(ctx, mourned{compare: func(picture map[string][]process.PID, dead map[process.PID]int) {
		for _, g := range l.groups {
			if now, err := rooms.Members(ctx, g); err != nil || !slices.Equal(now, picture[g]) {
				l.fault("members of %s: %v (%v); as we were told: %v", g, now, err, picture[g])
			}
		}
		for pid, n := range dead {
			if n != 1 || !ended[pid] {
				l.fault("%d Downs of %v", n, pid)
			}
		}
	}}))
	synctest.Wait()
	must(t, process.Kill(ctx, mourner))
}

// Whatever happens at the same time: nobody who has ended is a member of
// anything once that is known, and what subscribers are told adds up to what is.
func TestMembershipsEndWithTheirProcess(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := &life{groups: []string{"g", "h", "i"}}
		ops := rapid.SliceOfN(rapid.IntRange(0, 48*8-1), 0, 60).Draw(rt, "ops")
		synctest.Test(t, func(t *testing.T) { l.live(t, ops) })
		if l.faults != nil {
			rt.Fatal(strings.Join(l.faults, "\n"))
		}
	})
}

// A thousand members end at once; a subscriber with a full mailbox hears of all.
func TestThousandDeaths(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startScope(t, ctx)
		var all []process.PID
		for range 1000 {
			all = append(all, newAgent(t, ctx).pid())
		}
		must(t, rooms.Join(ctx, "g", all...))
		heard := make(chan process.PID, len(all))
		gate := make(chan struct{})
		_, err := process.SpawnRaw(ctx, process.Raw[roomChange]{Limit: 1, Run: func(ctx context.Context, in *process.Inbox[roomChange]) error {
			if _, _, err := registry.MonitorGroup(ctx, rooms, "g", func(c roomChange) roomChange { return c }); err != nil {
				return err
			}
			<-gate
			for range all {
				heard <- in.Receive().Members[0]
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, pid := range all {
			must(t, process.Kill(ctx, pid))
		}
		close(gate)
		synctest.Wait()
		got := map[process.PID]bool{}
		for range len(heard) {
			got[<-heard] = true
		}
		if len(got) != len(all) {
			t.Errorf("heard of %d of %d", len(got), len(all))
		}
		wantGroups(t, ctx)
	})
}

// A Hall is a server that counts who is in its room.
type Hall struct{ in, out int }

// Moved is the Hall's own message.
type Moved struct {
	registry.Change[string, server.Ref[Lamp]]
}

// Handle implements server.Notice.
func (m Moved) Handle(_ context.Context, h *Hall) error {
	if m.Kind == registry.Joined {
		h.in += len(m.Members)
	} else {
		h.out += len(m.Members)
	}
	return nil
}

// Seen asks a Hall what it has counted.
type Seen struct{}

// Handle implements server.Request.
func (Seen) Handle(_ context.Context, h *Hall) ([2]int, error) { return [2]int{h.in, h.out}, nil }

var lamps = registry.NewScope[string, server.Ref[Lamp]]("lamps")

// A message that the subscriber does not take is refused when it subscribes.
func TestForeignMessage(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startScope(t, ctx)
		a := newAgent(t, ctx)
		if err := a.do(t, ctx, func(ctx context.Context) error {
			_, _, err := registry.MonitorScope(ctx, rooms, func(roomChange) int { return 0 })
			return err
		}); err == nil || !strings.Contains(err.Error(), "int") {
			t.Errorf("an agent that wants ints: %v", err)
		}
	})
}

// Scopes know nothing of each other.
func TestScopesAreSeparate(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		startScope(t, ctx)
		other := registry.NewScope[string, process.PID]("other")
		if _, err := other.Start(ctx); err != nil {
			t.Fatal(err)
		}
		a, m := newAgent(t, ctx), newAgent(t, ctx)
		m.must(t, ctx, func(ctx context.Context) error {
			_, _, err := registry.MonitorScope(ctx, other, heard[roomChange]("other"))
			return err
		})
		must(t, rooms.Join(ctx, "g", a.pid()))
		must(t, other.Join(ctx, "h", a.pid()))
		must(t, rooms.Leave(ctx, "g", a.pid()))
		wantErr(t, rooms.Leave(ctx, "h", a.pid()), registry.ErrNotJoined)
		a.end(t, ctx)
		m.wants(t, ctx, joined("other", "h", a), left("other", "h", a))
	})
}

// Members are typed references, and changes reach a server as its own messages.
func TestTypedGroup(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		if _, err := lamps.Start(ctx); err != nil {
			t.Fatal(err)
		}
		hall, err := server.Start(ctx, server.Spec[Hall]{Init: func(ctx context.Context) (*Hall, error) {
			_, now, err := registry.MonitorGroup(ctx, lamps, "hall", func(c registry.Change[string, server.Ref[Lamp]]) Moved { return Moved{c} })
			return &Hall{in: len(now)}, err
		}})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			l, err := server.Start(ctx, server.Spec[Lamp]{})
			if err != nil {
				t.Fatal(err)
			}
			must(t, lamps.Join(ctx, "hall", l))
		}
		all, err := lamps.Members(ctx, "hall")
		must(t, err)
		for _, l := range all {
			if _, err := server.Call(ctx, l, Switch{On: true}); err != nil {
				t.Error(err)
			}
		}
		must(t, process.Stop(ctx, all[0], nil))
		if got, err := server.Call(ctx, hall, Seen{}); err != nil || got != [2]int{3, 1} {
			t.Errorf("counted %v (%v), want 3 in and 1 out", got, err)
		}
	})
}
