package otpscript

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// listedDifference names the entry of differs.txt that explains the first line
// in which the logs of a random scenario differ; "" if none does. What comes
// after that line cannot be compared.
func listedDifference(sc *Scenario, theirs, ours string) string {
	if sc.Kind != "app" {
		return ""
	}
	a, b := strings.SplitAfter(theirs, "\n"), strings.SplitAfter(ours, "\n")
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	for _, app := range sc.Apps {
		for phase, o := range app.PhaseResult {
			begun := fmt.Sprintf(`{"app":%q,"arg":{"t":[%q,`, app.Name, phase)
			if o.Kind != "ok" && slices.ContainsFunc(a[:same], func(line string) bool { return strings.HasPrefix(line, begun) }) {
				return "app_phase_error"
			}
		}
	}
	// The answer that OTP does not give because it goes down.
	if same < len(b) && strings.Contains(b[same], `"ev":"result"`) && slices.Equal(a[same:], b[same+1:]) {
		return "app_top_start_error_permanent"
	}
	return ""
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
	for _, c := range []struct{ theirs, ours, want string }{
		{phase + "x\n", phase + "y\n", "app_phase_error"},
		{"x\n" + phase, "y\n" + phase, ""},
		{"x\n{\"ev\":\"vm_down\"}\n", "x\n{\"ev\":\"result\"}\n{\"ev\":\"vm_down\"}\n", "app_top_start_error_permanent"},
		{"x\nz\n", "x\n{\"ev\":\"result\"}\n{\"ev\":\"vm_down\"}\n", ""},
	} {
		if got := listedDifference(sc, c.theirs, c.ours); got != c.want {
			t.Errorf("OTP %q, coppice %q: %q, want %q", c.theirs, c.ours, got, c.want)
		}
	}
}
