// Command otpdoc checks the phrase book docs/otp.md: that every rule has one row,
// and that every test that a row names exists, runs and passes.
//
//	go run ./internal/cmd/otpdoc
//
// It runs the tests that are named, and no others.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	if err := run("docs/otp.md"); err != nil {
		fmt.Fprintln(os.Stderr, "otpdoc:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	rows, faults := parse(string(text))
	wanted := make(map[string][]string) // package → tests
	for _, r := range rows {
		for _, t := range r.tests {
			if !slices.Contains(wanted[t.pkg], t.name) {
				wanted[t.pkg] = append(wanted[t.pkg], t.name)
			}
		}
	}
	tests := 0
	for _, pkg := range slices.Sorted(maps.Keys(wanted)) {
		results, err := runTests(pkg, wanted[pkg])
		if err != nil {
			faults = append(faults, err)
			continue
		}
		tests += len(wanted[pkg])
		for _, name := range wanted[pkg] {
			if got := results[name]; got != "pass" {
				faults = append(faults, fmt.Errorf("%s: %s: %s", pkg, name, verdict(got)))
			}
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	fmt.Printf("%d rules, %d tests named, all of them ran and passed\n", len(rows), tests)
	return nil
}

func verdict(got string) string {
	switch got {
	case "":
		return "there is no such test"
	case "skip":
		return "is skipped"
	}
	return got
}

// runTests runs tests of one package by their names and returns how each that
// ran came out.
func runTests(pkg string, names []string) (map[string]string, error) {
	var tops []string
	for _, name := range names {
		top, _, _ := strings.Cut(name, "/")
		if !slices.Contains(tops, top) {
			tops = append(tops, top)
		}
	}
	cmd := exec.Command("go", "test", "-json", "-count=1", "-run", "^("+strings.Join(tops, "|")+")$", "./"+pkg)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		return nil, err
	}
	results := make(map[string]string)
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct{ Action, Test string }
		if json.Unmarshal(lines.Bytes(), &e) == nil && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip") {
			results[e.Test] = e.Action
		}
	}
	if results[""] == "" {
		return nil, fmt.Errorf("%s: its tests did not run: %w", pkg, errors.Join(err, lines.Err()))
	}
	return results, nil
}
