package statem_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The machines of these tests have the states a, b and c, and strings as
// events. What they do is given by a script; everything else keeps the state.

type turn = statem.Turn[string]

type script struct {
	log   journal
	on    map[string]func(*turn) (string, error) // by "a go": event go in state a
	enter map[string]func(*turn) error           // by state
	gate  chan struct{}                          // the event "hold" waits here
}

// A journal is written by a machine and read by the test.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

func (s *script) handle(state string, t *turn, ev string) (string, error) {
	if ev == "hold" {
		<-s.gate
		return state, nil
	}
	s.log.add("%s %s", state, ev)
	if f := s.on[state+" "+ev]; f != nil {
		return f(t)
	}
	return state, nil
}

// machine makes the script a machine. Its states all lead to each other.
func (s *script) machine(t *testing.T, edit ...func(*spec)) *statem.Machine[string, string, script] {
	t.Helper()
	s.gate = make(chan struct{})
	sp := spec{
		First:  []string{"a"},
		Init:   func(*turn) (string, *script, error) { return "a", s, nil },
		States: map[string]statem.State[string, string, script]{},
	}
	for _, state := range []string{"a", "b", "c"} {
		row := statem.State[string, string, script]{
			On: func(d *script, t *turn, ev string) (string, error) { return d.handle(state, t, ev) },
			To: []string{"a", "b", "c"},
		}
		if s.enter != nil {
			row.Enter = func(d *script, t *turn, from string) error {
				d.log.add("%s enter from %s", state, from)
				if f := d.enter[state]; f != nil {
					return f(t)
				}
				return nil
			}
		}
		sp.States[state] = row
	}
	for _, f := range edit {
		f(&sp)
	}
	m, err := statem.New(sp)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type spec = statem.Spec[string, string, script]

// withTerminate logs the end.
func withTerminate(s *spec) {
	s.TrapExit = true
	s.Terminate = func(d *script, _ *turn, in string, reason error) error {
		d.log.add("terminate in %s: %v", in, reason)
		return nil
	}
}

// newNode starts a node that lives as long as the test.
func newNode(t *testing.T) context.Context {
	n := process.NewNode(process.NodeSpec{Name: "test", Probe: quiet{}})
	t.Cleanup(func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n.Context()
}

// quiet keeps reports out of the tests' output; their reasons are checked.
type quiet struct{}

func (quiet) Wants() process.Kind { return 0 }
func (quiet) Event(process.Event) {}

// run plays steps: events joined by spaces are in the mailbox together before
// the first is handled; a duration lets time pass.
func (s *script) run(ctx context.Context, t *testing.T, m *statem.Machine[string, string, script], steps []string) statem.Ref[string] {
	t.Helper()
	ref, err := m.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	for _, step := range steps {
		if d, err := time.ParseDuration(step); err == nil {
			time.Sleep(d)
			synctest.Wait()
			continue
		}
		for _, ev := range append([]string{"hold"}, strings.Fields(step)...) {
			if err := ref.Cast(ctx, ev); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if ref.PID().Alive() {
			s.gate <- struct{}{}
		}
		synctest.Wait()
	}
	return ref
}

func wantLines(t *testing.T, why string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s\ngot  %s\nwant %s", why, strings.Join(got, " · "), strings.Join(want, " · "))
	}
}

// wantEnd checks the reason of a process that has ended.
func wantEnd(ctx context.Context, t *testing.T, ref statem.Ref[string], want error) {
	t.Helper()
	got, err := process.Wait(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	if got != want && !errors.Is(got, want) {
		t.Errorf("the process ended with %v, want %v", got, want)
	}
}
