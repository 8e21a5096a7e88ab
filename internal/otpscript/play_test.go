package otpscript

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the logs of those in differs.txt to testdata/otp/differs")

// What OTP did, coppice does. Where it does not, differs.txt says why, and what
// it does instead is recorded as well.
func TestReplay(t *testing.T) {
	differs := readDiffers(t)
	for _, file := range scenarioFiles(t, Kinds...) {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			got, golden := replay(t, file), readFile(t, data+"golden/"+name+".jsonl")
			reason, listed := differs[name]
			delete(differs, name)
			switch {
			case !listed:
				diff(t, "OTP", golden, got)
			case got == golden:
				t.Errorf("does not differ any more: take it out of differs.txt (there because: %s)", reason)
			default:
				ours := data + "differs/" + name + ".jsonl"
				if *update {
					if err := os.WriteFile(ours, []byte(got), 0o666); err != nil {
						t.Fatal(err)
					}
				}
				diff(t, "recorded", readFile(t, ours), got)
			}
		})
	}
	for name := range differs {
		t.Errorf("differs.txt lists %s, and there is no such scenario", name)
	}
}

// A log does not depend on scheduling: not on the number of threads, and not on
// luck.
func TestReplayIsStable(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	first := map[string]string{}
	for round := range 20 {
		threads := []int{1, 2, 4, 8}[round%4]
		runtime.GOMAXPROCS(threads)
		for _, file := range scenarioFiles(t, Kinds...) {
			got := replay(t, file)
			if round == 0 {
				first[file] = got
			} else if got != first[file] {
				t.Errorf("%s, round %d, GOMAXPROCS %d:", file, round, threads)
				diff(t, "first round", first[file], got)
			}
		}
	}
}

func replay(t *testing.T, file string) string {
	t.Helper()
	sc, err := Parse([]byte(readFile(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	log, err := Play(sc)
	if err != nil {
		t.Errorf("%s: %v", file, err)
	}
	return string(log)
}

func diff(t *testing.T, who, want, got string) {
	t.Helper()
	if want != got {
		t.Errorf("- %s, + coppice:\n%s", who, cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readDiffers reads differs.txt: names, and why they differ.
func readDiffers(t *testing.T) map[string]string {
	differs := map[string]string{}
	for line := range strings.Lines(readFile(t, data+"differs.txt")) {
		name, reason, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || reason == "" {
			t.Errorf("differs.txt: %q is not name<TAB>reason", line)
		}
		differs[name] = reason
	}
	return differs
}

// A scenario that does not come to rest says so, and the play ends.
func TestPlayGivesUp(t *testing.T) {
	sc, err := Parse([]byte(`{"name":"n","kind":"sup","tree":{"sup":"top","children":[
		{"worker":"a","shutdown":"infinity","on_stop":{"delay":3600000}}]},"steps":[{"op":"stop_top"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	log, err := Play(sc)
	if err != nil || !strings.Contains(string(log), "{\"ev\":\"timeout\"}\n") {
		t.Errorf("got error %v and no line timeout in\n%s", err, log)
	}
}

// Whatever goes wrong in a play is an error of Play, not the end of the
// program; and a play that hangs ends all the same.
func TestBubbleReportsFaults(t *testing.T) {
	for name, f := range map[string]func() error{
		"a panic":            func() error { panic("oops") },
		"an error":           func() error { return fmt.Errorf("oops") },
		"a goroutine behind": func() error { go func() { select {} }(); return nil },
	} {
		if err := bubble(f); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := bubble(func() error { return nil }); err != nil {
		t.Errorf("nothing wrong: %v", err)
	}
}
