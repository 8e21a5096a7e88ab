package main

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	rows, faults := parse(`
# A heading

| rule | OTP | ours | verdict | tests |
| --- | --- | --- | --- | --- |
` + "| SUP-41 | one_for_all | `supervisor.OneForAll` | same | `supervisor: TestA`, `supervisor: TestB/c_d` |" + `
| SUP-87 | code_change | - | not: no code is loaded | - |
`)
	if len(faults) != 0 || len(rows) != 2 {
		t.Fatalf("rows %v, faults %v", rows, faults)
	}
	want := []test{{"supervisor", "TestA"}, {"supervisor", "TestB/c_d"}}
	if r := rows[0]; r.id != "SUP-41" || r.verdict != "same" || len(r.tests) != 2 || r.tests[0] != want[0] || r.tests[1] != want[1] {
		t.Errorf("row %+v", r)
	}
	if r := rows[1]; r.verdict != "not" || len(r.tests) != 0 {
		t.Errorf("row %+v", r)
	}
}

func TestParseFaults(t *testing.T) {
	for line, want := range map[string]string{
		"| SUP-01 | a | b | same | - |":           "names no test",
		"| SUP-01 | a | b | maybe | `x: TestA` |": "maybe",
		"| SUP-01 | a | b | same |":               "4 columns",
		"| SUP-01 | a | b | not: why | TestA |":   "not understood",
		"| S-1 | a | b |\n| SUP-01 | a | b | same | `x: TestA` |\n| SUP-01 | a | b | same | `x: TestA` |": "two rows",
	} {
		_, faults := parse(line)
		if len(faults) != 1 || !strings.Contains(faults[0].Error(), want) {
			t.Errorf("%s: %v, want %q", line, faults, want)
		}
	}
}

func TestRunTests(t *testing.T) {
	t.Chdir("../../..")
	got, err := runTests("internal/mailbox", []string{"TestDrop", "TestNoSuch"})
	if err != nil || got["TestDrop"] != "pass" || got["TestNoSuch"] != "" {
		t.Errorf("%v, %v", got, err)
	}
}
