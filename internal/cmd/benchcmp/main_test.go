package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A fake is a small module in a repository of its own. Its last commit has made
// a benchmark twice as dear, and a package.
type fake struct {
	t    *testing.T
	dir  string
	said bytes.Buffer
	got  [2]string // what benchstat would be given
	name [2]string
}

func newFake(t *testing.T) *fake {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("did not run: there is no git on this machine")
	}
	t.Setenv("GOWORK", "")
	t.Setenv("GOFLAGS", "")
	t.Setenv("TMPDIR", t.TempDir()) // where nothing is to be left
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+who+"_NAME", "somebody")
		t.Setenv("GIT_"+who+"_EMAIL", "somebody@example.com")
	}
	f := &fake{t: t, dir: t.TempDir()}
	f.git("init", "--quiet")
	f.write("go.mod", "module example.com/m\n\ngo 1.26\n")
	f.write("a/a_test.go", dear("a"))
	f.write("a/marks", "1")
	f.write("idle/idle_test.go", "package idle\n")
	f.commit()
	f.write("a/marks", "2")
	f.write("b/b_test.go", dear("b"))
	f.write("b/marks", "7")
	f.commit()
	return f
}

// dear is a test file with a benchmark that reports what the file beside it says.
func dear(pkg string) string {
	return "package " + pkg + `

import (
	"os"
	"strconv"
	"testing"
)

func BenchmarkDear(b *testing.B) {
	text, err := os.ReadFile("marks")
	if err != nil {
		b.Fatal(err)
	}
	x, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
	}
	b.ReportMetric(x, "marks")
}

func BenchmarkOther(b *testing.B) {
	for b.Loop() {
	}
}
`
}

func (f *fake) write(name, text string) {
	f.t.Helper()
	file := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fake) git(args ...string) string {
	f.t.Helper()
	out, err := output(f.t.Context(), f.dir, "git", args...)
	if err != nil {
		f.t.Fatalf("git %s: %v", args, err)
	}
	return out
}

func (f *fake) commit() {
	f.t.Helper()
	f.git("add", "-A")
	f.git("commit", "--quiet", "-m", "a commit")
}

// run compares, and finds fault with whatever is left behind.
func (f *fake) run(ctx context.Context, o options) error {
	f.t.Helper()
	if o.dir == "" {
		o.dir = f.dir
	}
	if o.bench == "" {
		o.bench = "Dear"
	}
	if o.count == 0 {
		o.count = 1
	}
	if o.say == nil {
		o.say = &f.said
	}
	o.benchtime = "1x"
	o.compare = func(_ context.Context, base, here result) error {
		for i, r := range []result{base, here} {
			text, err := os.ReadFile(r.file)
			if err != nil {
				return err
			}
			f.name[i], f.got[i] = r.name, string(text)
		}
		return nil
	}
	err := o.run(ctx)
	if trees := f.git("worktree", "list"); strings.Contains(trees, "\n") {
		f.t.Errorf("a worktree is left:\n%s", trees)
	}
	left, globErr := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "benchcmp*"))
	if globErr != nil || len(left) > 0 {
		f.t.Errorf("left behind: %q, %v", left, globErr)
	}
	return err
}

// marks are the costs that a side reported, in order.
func marks(text string) (out string) {
	for _, m := range regexp.MustCompile(`(\S+) marks`).FindAllStringSubmatch(text, -1) {
		out += m[1] + " "
	}
	return out
}

func TestCompare(t *testing.T) {
	f := newFake(t)
	if err := f.run(t.Context(), options{count: 3}); err != nil {
		t.Fatal(err)
	}
	if got := [2]string{marks(f.got[0]), marks(f.got[1])}; got != [2]string{"1.000 1.000 1.000 ", "2.000 2.000 2.000 "} {
		t.Errorf("the sides say %q", got)
	}
	if f.name[0] != f.git("rev-parse", "--short", "HEAD~1") || f.name[1] != "here" {
		t.Errorf("the sides are called %q", f.name)
	}
	if strings.Contains(f.got[0]+f.got[1], "Other") || !strings.Contains(f.got[0], "allocs/op") {
		t.Errorf("what was run is\n%s", f.got[0])
	}
	want := "example.com/m/b is left out: it has no tests at " + f.name[0] + "\n1/3  example.com/m/a\n2/3  example.com/m/a\n3/3  example.com/m/a\n"
	if got := f.said.String(); got != want {
		t.Errorf("it said\n%s\nwant\n%s", got, want)
	}
}

// With changes that are not committed, the last commit is the base; from a folder
// further down it is as from the top.
func TestCompareChanges(t *testing.T) {
	f := newFake(t)
	f.write("a/marks", "3")
	if err := f.run(t.Context(), options{dir: filepath.Join(f.dir, "a"), packages: []string{".", "../b"}}); err != nil {
		t.Fatal(err)
	}
	if got := [2]string{marks(f.got[0]), marks(f.got[1])}; got != [2]string{"2.000 7.000 ", "3.000 7.000 "} {
		t.Errorf("the sides say %q", got)
	}
}

func TestErrors(t *testing.T) {
	f := newFake(t)
	f.git("clone", "--quiet", "--depth", "1", "file://"+f.dir, filepath.Join(f.dir, "shallow"))
	f.write("c/c_test.go", strings.ReplaceAll(dear("c"), "b.Fatal(err)", "broken"))
	f.commit()
	f.write("c/c_test.go", dear("c"))
	f.write("a/marks", "it is broken")
	for _, tt := range []struct {
		o    options
		want []string
	}{
		{options{base: "nowhere"}, []string{"there is no commit nowhere here: name another with -base"}},
		{options{dir: filepath.Join(f.dir, "shallow")}, []string{"there is no commit HEAD~1 here: this clone is shallow, and git fetch --unshallow"}},
		{options{dir: os.TempDir()}, []string{"is in no git repository"}},
		{options{bench: "Nothing"}, []string{`no benchmark matches "Nothing" in ./...`}},
		{options{packages: []string{"./nowhere"}}, []string{"nowhere"}},
		{options{bench: "(", count: -1}, []string{"-count -1: it takes one run at least", "-bench: error parsing regexp"}},
		{options{packages: []string{"./c"}}, []string{"example.com/m/c, ", "cannot be built", "undefined: broken"}},
		{options{packages: []string{"./b"}, base: "HEAD~2"}, []string{"none of the packages has tests at", "nothing to compare with"}},
		{options{packages: []string{"./a"}}, []string{"benchmarks of example.com/m/a, here: ", "it is broken"}},
	} {
		err := f.run(t.Context(), tt.o)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: got %v, want %q in it", tt.o, err, want)
			}
		}
	}
	t.Setenv("GOWORK", "/somewhere/go.work")
	if err := f.run(t.Context(), options{}); err == nil || !strings.Contains(err.Error(), "GOWORK is /somewhere/go.work") {
		t.Errorf("with a GOWORK: %v", err)
	}
}

// Who is interrupted leaves nothing behind either.
func TestInterrupted(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("interrupted")
	err := f.run(ctx, options{count: 1000, packages: []string{"./a"}, say: writer(func() { cancel(stop) })})
	if !errors.Is(err, stop) {
		t.Errorf("got %v, want %v", err, stop)
	}
}

// A writer does something when something is said.
type writer func()

func (w writer) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}
