package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The stories of docs/stories are told by commands and what these print. A reader can
// follow them, and so does this test.
func TestStories(t *testing.T) {
	pages, err := filepath.Glob("../../docs/stories/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, ".", "../mqttload").CombinedOutput(); err != nil {
		t.Fatalf("building what the stories use: %v\n%s", err, out)
	}
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			follow(t, bin, string(text))
		})
	}
}

// follow runs the commands of a page, all in one shell, in an empty folder.
func follow(t *testing.T, bin, page string) {
	steps := stepsOf(page)
	if len(steps) == 0 {
		t.Fatal("a story without a command")
	}
	for _, program := range []string{"bash", "openssl", "curl"} {
		if _, err := exec.LookPath(program); err != nil && strings.Contains(page, program) {
			t.Logf("NOT RUN: %v", err)
			return
		}
	}
	ports := freePorts(t, page)
	var script strings.Builder
	for i, s := range steps {
		// What a command prints ends at a line of ours, that of one in the background too.
		fmt.Fprintf(&script, "%s\necho '%s' %d\n", ports.Replace(s.command), endOfStep, i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with what runs in the background
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("the shell: %v", err)
	}
	rest := out.String()
	for i, s := range steps {
		got, after, _ := strings.Cut(rest, fmt.Sprintf("%s %d\n", endOfStep, i))
		rest = after
		if want := ports.Replace(s.want); !like(want).MatchString(got) {
			t.Errorf("$ %s\ngot:\n%s\nwant:\n%s", s.command, got, want)
		}
	}
	if t.Failed() {
		logs, _ := filepath.Glob(filepath.Join(cmd.Dir, "*.log")) // the pattern is good
		for _, log := range logs {
			text, err := os.ReadFile(log)
			t.Logf("%s (%v):\n%s", filepath.Base(log), err, text)
		}
	}
}

const endOfStep = "~~~ end of step"

// A step is a command and what it prints.
type step struct{ command, want string }

var console = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

// stepsOf finds the commands of a page: lines that begin with a dollar sign. What
// follows each is what it prints.
func stepsOf(page string) (steps []step) {
	for _, block := range console.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				steps = append(steps, step{command: strings.TrimSuffix(command, "\n")})
			} else if len(steps) > 0 {
				steps[len(steps)-1].want += line
			}
		}
	}
	return steps
}

// like matches a text in which three dots stand for anything within a line.
func like(text string) *regexp.Regexp {
	return regexp.MustCompile(`\A` + strings.ReplaceAll(regexp.QuoteMeta(text), `\.\.\.`, `[^\n]*`) + `\z`)
}

var address = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// freePorts replaces the addresses of a page by ones that nobody else has.
func freePorts(t *testing.T, page string) *strings.Replacer {
	var pairs []string
	for _, a := range address.FindAllString(page, -1) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // held until all are chosen
		pairs = append(pairs, a, l.Addr().String())
	}
	return strings.NewReplacer(pairs...)
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		want, got string
		ok        bool
	}{
		{"a ... b\n", "a 17 b\n", true},
		{"a ... b\n", "a 17\n b\n", false},
		{"a.b\n", "axb\n", false},
		{"", "noise\n", false},
		{"a\n", "a\na\n", false},
	} {
		if like(c.want).MatchString(c.got) != c.ok {
			t.Errorf("%q like %q: want %v", c.got, c.want, c.ok)
		}
	}
}
