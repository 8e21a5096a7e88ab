package otpscript

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// listedDifference names what explains the first line in which the logs of a
// random scenario differ, an entry of differs.txt or what the README beside it
// says; "" if nothing does. What comes
// after that line cannot be compared.
func listedDifference(sc *Scenario, theirs, ours string) string {
	a, b := strings.SplitAfter(theirs, "\n"), strings.SplitAfter(ours, "\n")
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	if sc.Tree != nil && same < len(a) && inHastyPool(sc.Tree, a[same]) {
		return "a pool with shutdown 0"
	}
	for _, app := range sc.Apps {
		for phase, o := range app.PhaseResult {
			begun := fmt.Sprintf(`{"app":%q,"arg":{"t":[%q,`, app.Name, phase)
			if o.Kind != "ok" && slices.ContainsFunc(a[:same], func(line string) bool { return strings.HasPrefix(line, begun) }) {
				return "app_phase_error"
			}
		}
	}
	if sc.Kind == "app" && refusedOnly(a[same:], b[same:]) {
		return "a start that is refused"
	}
	// The answer that OTP does not give because it goes down.
	if sc.Kind == "app" && same < len(b) && strings.Contains(b[same], `"ev":"result"`) && slices.Equal(a[same:], b[same+1:]) {
		return "app_top_start_error_permanent"
	}
	return ""
}

// refusedOnly reports whether an application that matters to its node was not
// started because one that it needs has ended. To OTP that start has failed, and
// the system goes down; coppice refuses it, and goes on.
func refusedOnly(theirs, ours []string) bool {
	return slices.Contains(theirs, "{\"ev\":\"vm_down\"}\n") &&
		!slices.ContainsFunc(theirs, func(line string) bool { return strings.HasPrefix(line, `{"ev":"step"`) }) &&
		len(ours) > 0 && (strings.Contains(ours[0], `["not_running",`) || strings.HasPrefix(ours[0], `{"ev":"step"`))
}

// inHastyPool reports whether a line is about a child of a pool whose children
// are given no time to stop. OTP's timer of 0 ms leaves them the moment that a
// quick one needs; coppice's AtOnce is at once.
func inHastyPool(n *Node, line string) bool {
	if n.isPool() && len(n.Children) == 1 && n.Children[0].Shutdown.Term == Int(0) && strings.Contains(line, n.step()+"/") {
		return true
	}
	return slices.ContainsFunc(n.Children, func(c *Node) bool { return inHastyPool(c, line) })
}

// comparable leaves out of a log what OTP does the same each time only because
// its scheduler does: in a signals scenario, whether a process that is ended in
// a step still takes what it was sent in that step by others.
func comparable(sc *Scenario, log string) string {
	if sc.Kind != "signals" {
		return log
	}
	var kept strings.Builder
	for _, step := range strings.SplitAfter(log, "\n{\"ev\":\"step\"") {
		for line := range strings.Lines(step) {
			var rec struct{ Ev, ID string }
			// The first line of a step has lost its head and is no JSON.
			if json.Unmarshal([]byte(line), &rec) == nil && rec.Ev == "recv" && strings.Contains(step, fmt.Sprintf(`{"ev":"exit","id":%q,`, rec.ID)) {
				continue
			}
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func TestComparable(t *testing.T) {
	const step, a, b, exit = `{"ev":"step","i":1}` + "\n", `{"ev":"recv","id":"a"}` + "\n", `{"ev":"recv","id":"b"}` + "\n", `{"ev":"exit","id":"a","reason":"x"}` + "\n"
	log := "x\n" + step + a + b + step + a + b + exit + step + a
	want := "x\n" + step + a + b + step + b + exit + step + a
	if got := comparable(&Scenario{Kind: "signals"}, log); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := comparable(&Scenario{Kind: "sup"}, log); got != log {
		t.Errorf("of another kind:\n%s\nwant all of it", got)
	}
}

func TestListedDifference(t *testing.T) {
	sc := &Scenario{Kind: "app", Apps: []App{{Name: "a", PhaseResult: map[string]*Outcome{"p1": {Kind: "error"}}}}}
	const phase = `{"app":"a","arg":{"t":["p1","normal",1]},"cb":"start_phase","ev":"app"}` + "\n"
	pool := &Scenario{Kind: "sup", Tree: &Node{Sup: Lit{Atom("top")}, Children: []*Node{{Sup: Lit{Atom("c1")},
		Strategy: Lit{Atom("simple_one_for_one")}, Children: []*Node{{Worker: Lit{Atom("w")}, Shutdown: Lit{Int(0)}}}}}}}
	for line, want := range map[string]string{"top/c1/k1#1\n": "a pool with shutdown 0", "top/c2#1\n": ""} {
		if got := listedDifference(pool, line, "x\n"); got != want {
			t.Errorf("of %q: %q, want %q", line, got, want)
		}
	}
	for _, c := range []struct{ theirs, ours, want string }{
		{phase + "x\n", phase + "y\n", "app_phase_error"},
		{"x\n" + phase, "y\n" + phase, ""},
		{"x\n{\"ev\":\"vm_down\"}\n", "x\n{\"ev\":\"result\"}\n{\"ev\":\"vm_down\"}\n", "app_top_start_error_permanent"},
		{"x\n{\"ev\":\"vm_down\"}\n", "x\n{\"ev\":\"step\",\"i\":4}\n", "a start that is refused"},
		{"x\nz\n", "x\n{\"ev\":\"result\"}\n{\"ev\":\"vm_down\"}\n", ""},
	} {
		if got := listedDifference(sc, c.theirs, c.ours); got != c.want {
			t.Errorf("OTP %q, coppice %q: %q, want %q", c.theirs, c.ours, got, c.want)
		}
	}
}
