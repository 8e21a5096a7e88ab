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
// says; "" if nothing does. What comes after that line cannot be compared.
func listedDifference(sc *Scenario, theirs, ours string) string {
	a, b, same := sideBySide(theirs, ours)
	if restlessWhileSuspended(sc, theirs) && strings.ReplaceAll(theirs, timeoutLine, "") == ours {
		return "a manager that hibernates and is suspended"
	}
	if sc.Kind != "app" {
		return ""
	}
	if same > 0 && same < len(b) && failedPhase(sc, a[same-1], b[same]) {
		return phaseError
	}
	if same < len(b) && unheardFailure(sc, b[same]) && slices.Equal(a[same:], b[same+1:]) && strings.HasSuffix(theirs, vmDown) {
		return "app_top_start_error_permanent"
	}
	return ""
}

// sideBySide returns the lines of two logs, and how many they have in common
// before they part.
func sideBySide(theirs, ours string) (a, b []string, same int) {
	a, b = strings.SplitAfter(theirs, "\n"), strings.SplitAfter(ours, "\n")
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	return a, b, same
}

func firstDifference(theirs, ours string) string {
	a, b, same := sideBySide(theirs, ours)
	at := func(lines []string) string {
		if same < len(lines) {
			return strings.TrimSpace(lines[same])
		}
		return "(nothing)"
	}
	return fmt.Sprintf("line %d: OTP %s, coppice %s", same+1, at(a), at(b))
}

const (
	vmDown     = "{\"ev\":\"vm_down\"}\n"
	phaseError = "app_phase_error"
)

// failedPhase reports whether a start phase that fails has begun in a line, and
// in the next coppice takes down what OTP leaves running.
func failedPhase(sc *Scenario, line, ours string) bool {
	var next struct{ App, Cb, Ev string }
	if json.Unmarshal([]byte(ours), &next) != nil || next.Ev != "app" || next.Cb != "prep_stop" {
		return false
	}
	for _, app := range sc.Apps {
		of := app.Name == next.App || includes(sc, next.App, app.Name)
		for phase, o := range app.PhaseResult {
			if of && o.Kind != "ok" && strings.HasPrefix(line, fmt.Sprintf(`{"app":%q,"arg":{"t":[%q,`, app.Name, phase)) {
				return true
			}
		}
	}
	return false
}

func includes(sc *Scenario, app, other string) bool {
	return slices.ContainsFunc(sc.Apps, func(a App) bool { return a.Name == app && slices.Contains(a.Included, other) })
}

// unheardFailure reports whether a line is the answer that OTP does not give
// since it goes down: that an ensure_all_started has failed.
func unheardFailure(sc *Scenario, line string) bool {
	var result struct {
		Ev    string
		Step  int
		Value struct{ T []json.RawMessage }
	}
	if json.Unmarshal([]byte(line), &result) != nil || result.Ev != "result" || len(result.Value.T) != 2 {
		return false
	}
	i := result.Step - 1
	return i >= 0 && i < len(sc.Steps) && sc.Steps[i].Op == "ensure_all_started" && string(result.Value.T[0]) == `"error"`
}

// restlessWhileSuspended reports whether OTP found no rest only while an event
// manager was suspended, one that hibernates: every message then wakes it, and
// it goes to sleep again at once, until it is resumed.
func restlessWhileSuspended(sc *Scenario, log string) bool {
	suspended := false
	for line := range strings.Lines(log) {
		var rec struct{ Ev, Op string }
		if json.Unmarshal([]byte(line), &rec) != nil {
			return false
		}
		switch {
		case rec.Op == "suspend":
			suspended = true
		case rec.Op == "resume":
			suspended = false
		case rec.Ev == "timeout" && !suspended:
			return false
		}
	}
	return slices.ContainsFunc(sc.Acts, func(a Act) bool { return hibernates(a.Spec) })
}

func hibernates(spec *HandlerSpec) bool {
	if spec == nil {
		return false
	}
	return spec.Init != nil && spec.Init.Kind == "hibernate" ||
		slices.ContainsFunc(spec.Rules, func(r Rule) bool { return r.Hibernate || r.Swap != nil && hibernates(r.Swap.Spec) })
}

// withoutFailedPhases returns a scenario in which all start phases succeed.
func withoutFailedPhases(text []byte) ([]byte, error) {
	var sc map[string]any
	if err := json.Unmarshal(text, &sc); err != nil {
		return nil, err
	}
	for _, app := range sc["apps"].([]any) {
		delete(app.(map[string]any), "phase_result")
	}
	return json.Marshal(sc)
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

func TestRestlessWhileSuspended(t *testing.T) {
	const step, suspend, resume = `{"ev":"step","i":1,"op":"notify"}` + "\n", `{"ev":"step","i":1,"op":"suspend"}` + "\n", `{"ev":"step","i":1,"op":"resume"}` + "\n"
	const restless = timeoutLine
	sleepy := &Scenario{Kind: "event", Acts: []Act{{Op: "add", Spec: &HandlerSpec{Rules: []Rule{{Swap: &Swap{Spec: &HandlerSpec{Init: &Outcome{Kind: "hibernate"}}}}}}}}}
	for _, c := range []struct {
		sc   *Scenario
		log  string
		want bool
	}{
		{sleepy, suspend + step + restless + resume, true},
		{sleepy, suspend + resume + step + restless, false},
		{&Scenario{Kind: "event", Acts: []Act{{Op: "add", Spec: &HandlerSpec{}}}}, suspend + step + restless, false},
	} {
		if got := listedDifference(c.sc, c.log, strings.ReplaceAll(c.log, restless, "")); (got != "") != c.want {
			t.Errorf("%q: %q, want it listed: %v", c.log, got, c.want)
		}
		if got := listedDifference(c.sc, c.log, "x\n"); got != "" {
			t.Errorf("%q and quite another log: %q, want none", c.log, got)
		}
	}
}

func TestListedDifference(t *testing.T) {
	sc := &Scenario{Kind: "app", Apps: []App{{Name: "a", PhaseResult: map[string]*Outcome{"p1": {Kind: "error"}}}}}
	sc.Steps = []Step{{Op: "ensure_all_started"}, {Op: "app_start"}}
	const (
		phase    = `{"app":"a","arg":{"t":["p1","normal",1]},"cb":"start_phase","ev":"app"}` + "\n"
		other    = `{"app":"a","arg":{"t":["p2","normal",1]},"cb":"start_phase","ev":"app"}` + "\n"
		prepStop = `{"app":"a","arg":"none","cb":"prep_stop","ev":"app"}` + "\n"
		answer   = `{"ev":"result","step":1,"value":{"t":["error",{"t":["a","x"]}]}}` + "\n"
	)
	for _, c := range []struct{ theirs, ours, want string }{
		{phase + "x\n", phase + prepStop, "app_phase_error"},
		{phase + "x\n", phase + "y\n", ""},                                      // not what follows from it
		{other + "x\n", other + prepStop, ""},                                   // a phase that does not fail
		{phase + "x\n", phase + strings.Replace(prepStop, `"a"`, `"b"`, 1), ""}, // another application
		{phase + "x\nz\n", phase + "x\n" + prepStop, ""},                        // later
		{"x\n" + phase, "y\n" + phase, ""},                                      // before
		{"x\n" + vmDown, "x\n" + answer + vmDown, "app_top_start_error_permanent"},
		{"x\n", "x\n" + answer, ""},                                                 // the system has not gone down
		{"x\n" + vmDown, "x\n" + answer + "y\n" + vmDown, ""},                       // and something else
		{"x\n" + vmDown, "x\n" + strings.Replace(answer, "1", "2", 1) + vmDown, ""}, // of another call
		{"x\n" + vmDown, "x\n" + strings.Replace(answer, "error", "ok", 1) + vmDown, ""},
		{"x\n" + vmDown, "x\n{\"ev\":\"step\",\"i\":4}\n", ""},
	} {
		if got := listedDifference(sc, c.theirs, c.ours); got != c.want {
			t.Errorf("OTP %q, coppice %q: %q, want %q", c.theirs, c.ours, got, c.want)
		}
	}
}

func TestFirstDifference(t *testing.T) {
	for _, c := range []struct{ theirs, ours, want string }{
		{"x\ny\n", "x\nz\n", "line 2: OTP y, coppice z"},
		{"x\n", "x\nz\n", "line 2: OTP , coppice z"},
		{"x", "x", "line 2: OTP (nothing), coppice (nothing)"},
	} {
		if got := firstDifference(c.theirs, c.ours); got != c.want {
			t.Errorf("OTP %q, coppice %q: %q, want %q", c.theirs, c.ours, got, c.want)
		}
	}
}

func TestWithoutFailedPhases(t *testing.T) {
	got, err := withoutFailedPhases([]byte(`{"apps":[{"app":"a","phase_result":{"p1":{"error":"e"}},"start_phases":[["p1",1]]},{"app":"b"}],"kind":"app"}`))
	want := `{"apps":[{"app":"a","start_phases":[["p1",1]]},{"app":"b"}],"kind":"app"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
