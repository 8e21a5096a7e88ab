package statem_test

import (
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

type table = map[string]statem.State[string, string, script]

// Every fault of a table is found before a process runs it.
func TestFaults(t *testing.T) {
	row := func(to ...string) statem.State[string, string, script] {
		return statem.State[string, string, script]{On: func(*script, *turn, string) (string, error) { return "", nil }, To: to}
	}
	timed := func(d time.Duration, expired func(*script, *turn) (string, error)) statem.State[string, string, script] {
		r := row()
		r.Timeout, r.Expired = d, expired
		return r
	}
	stay := func(*script, *turn) (string, error) { return "a", nil }
	for name, c := range map[string]struct {
		spec spec
		want []string
	}{
		"nothing at all":  {spec{}, []string{`first state  is not in the table`}},
		"first":           {spec{First: []string{"x"}, States: table{"a": row()}}, []string{"first state x", "state a is never reached"}},
		"undeclared":      {spec{States: table{"a": row("b")}}, []string{"state a: To lists b, which is not in the table"}},
		"twice":           {spec{States: table{"a": row("b", "b"), "b": row()}}, []string{"state a: To lists b twice"}},
		"unreachable":     {spec{States: table{"a": row("b"), "b": row(), "c": row("b")}}, []string{"state c is never reached"}},
		"no handler":      {spec{States: table{"a": {}}}, []string{"state a: On is missing"}},
		"no Expired":      {spec{States: table{"a": timed(time.Second, nil)}}, []string{"set Expired"}},
		"no Timeout":      {spec{States: table{"a": timed(0, stay)}}, []string{"set Timeout"}},
		"below zero":      {spec{States: table{"a": timed(process.Infinity, stay)}}, []string{"Timeout is -1ns"}},
		"Terminate":       {spec{States: table{"a": row()}, Terminate: func(*script, *turn, string, error) error { return nil }}, []string{"TrapExit"}},
		"Exit":            {spec{States: table{"a": row()}, Exit: func(process.ExitSignal) string { return "" }}, []string{"TrapExit"}},
		"Limit":           {spec{States: table{"a": row()}, Limit: -1}, []string{"Limit is -1"}},
		"several at once": {spec{Name: "m", States: table{"a": row("x"), "c": {}}}, []string{`machine "m"`, "To lists x", "never reached", "On is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.spec.First == nil && c.spec.States != nil {
				c.spec.First = []string{"a"}
			}
			_, err := statem.New(c.spec)
			if err == nil {
				t.Fatal("New found nothing")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("New says\n%v\nand not %q", err, want)
				}
			}
		})
	}
}

func TestMust(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Must let a faulty machine through")
		}
	}()
	statem.Must(statem.New(spec{}))
}

func TestDOT(t *testing.T) {
	const want = `digraph "machine" {
	start [shape=point]
	s0 [label="locked"]
	s1 [label="open\nat most 10s"]
	start -> s0
	s0 -> s1
	s1 -> s0
}
`
	if got := door.DOT(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := door.States(); len(got) != 2 || got[0] != locked || got[1] != open {
		t.Errorf("States = %v, want the order in which they are reached", got)
	}
}

// GST-37: a state in which a machine would be stuck is seen in its picture: only
// the end of the process leads out of it.
func TestSinksAreDrawn(t *testing.T) {
	m := statem.Must(statem.New(spec{
		First: []string{"open"},
		States: map[string]statem.State[string, string, script]{
			"open":   {On: ignoring, To: []string{"closed"}},
			"closed": {On: ignoring},
		},
	}))
	if got := m.Mermaid(); !strings.Contains(got, "    s1 --> [*]\n") || strings.Contains(got, "s0 --> [*]") {
		t.Errorf("closed is not seen to be the last state:\n%s", got)
	}
	if got := m.DOT(); !strings.Contains(got, "\ts1 -> end\n") {
		t.Errorf("closed is not seen to be the last state:\n%s", got)
	}
}

func ignoring(*script, *turn, string) (string, error) { return "", nil }
