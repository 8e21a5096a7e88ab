package main

import (
	"fmt"
	"regexp"
	"strings"
)

// A row is what the phrase book says of one rule.
type row struct {
	id      string // SUP-41
	verdict string // same, different, not, later
	tests   []test
}

// A test is named "package: Test/subtest".
type test struct{ pkg, name string }

var (
	ruleID = regexp.MustCompile(`^[A-Z]{3}-\d\d[a-z]?$|^PG-\d\d$`)
	cited  = regexp.MustCompile("`([a-z0-9/]+): ((?:Test|Fuzz|Example)[^`]*)`")
)

// parse reads the rows of all tables whose first column is a rule, and says what
// is wrong with them.
func parse(text string) (rows []row, faults []error) {
	seen := make(map[string]bool)
	for n, line := range strings.Split(text, "\n") {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		id := strings.TrimSpace(cells[0])
		if !ruleID.MatchString(id) {
			continue
		}
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("line %d: %s: %s", n+1, id, fmt.Sprintf(format, args...)))
		}
		if len(cells) != 5 {
			fault("has %d columns, want 5: rule, OTP, ours, same or different, tests", len(cells))
			continue
		}
		if seen[id] {
			fault("has two rows")
		}
		seen[id] = true
		r := row{id: id, verdict: verdictOf(cells[3])}
		for _, m := range cited.FindAllStringSubmatch(cells[4], -1) {
			r.tests = append(r.tests, test{m[1], strings.TrimSpace(m[2])})
		}
		switch {
		case r.verdict == "":
			fault("begins with %q, want same, different, not or later", cells[3])
		case len(r.tests) == 0 && (r.verdict == "same" || r.verdict == "different"):
			fault("names no test")
		case len(r.tests) == 0 && strings.Contains(cells[4], "Test"):
			fault("names tests in a way that is not understood: %s", cells[4])
		}
		rows = append(rows, r)
	}
	return rows, faults
}

func verdictOf(cell string) string {
	for _, v := range []string{"same", "different", "not", "later"} {
		if strings.HasPrefix(strings.TrimSpace(cell), v) {
			return v
		}
	}
	return ""
}
