package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A pack is a package with benchmarks that are to be run.
type pack struct{ path, dir string }

// find lists the packages that have benchmarks of the name.
func (o options) find(ctx context.Context) ([]pack, error) {
	patterns := o.packages
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	const format = `{{.ImportPath}}|{{.Dir}}{{range .TestGoFiles}}|{{.}}{{end}}{{range .XTestGoFiles}}|{{.}}{{end}}`
	text, err := output(ctx, o.dir, "go", append([]string{"list", "-f", format}, patterns...)...)
	if err != nil {
		return nil, err
	}
	top, _, _ := strings.Cut(o.bench, "/") // the rest is of those below
	name, err := regexp.Compile(top)
	if err != nil {
		return nil, fmt.Errorf("-bench: %w", err)
	}
	var all []pack
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), "|")
		p := pack{path: f[0], dir: f[1]}
		for _, file := range f[2:] {
			has, err := benchmarks(filepath.Join(p.dir, file), name)
			if err != nil {
				return nil, err
			}
			if has {
				all = append(all, p)
				break
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no benchmark matches %q in %s", o.bench, strings.Join(patterns, " "))
	}
	return all, nil
}

var declared = regexp.MustCompile(`(?m)^func (Benchmark\w*)\(`)

// benchmarks reports whether a file has any of the name.
func benchmarks(file string, name *regexp.Regexp) (bool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	for _, m := range declared.FindAllSubmatch(text, -1) {
		if name.Match(m[1]) {
			return true, nil
		}
	}
	return false, nil
}

// A binary is the benchmarks of a package of one side, and where they are run.
type binary struct{ side, path, file, dir string }

// build makes the test binaries of both sides. A package that is not at the base
// is left out, and that is said.
func (o options) build(ctx context.Context, r repo, base, tree string, all []pack) (pairs [][2]binary, err error) {
	for i, p := range all {
		dir, err := filepath.EvalSymlinks(p.dir)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(r.root, dir)
		if err != nil || !filepath.IsLocal(rel) {
			return nil, fmt.Errorf("%s is not in the repository, but in %s", p.path, dir)
		}
		pair := [2]binary{
			{base, p.path, fmt.Sprint(tree, "-", i, ".test"), filepath.Join(tree, rel)},
			{"here", p.path, fmt.Sprint(tree, "-", i, "-here.test"), dir},
		}
		there := true
		for _, b := range pair {
			has, err := b.build(ctx)
			if err != nil {
				return nil, err
			}
			there = there && has
		}
		if !there {
			fmt.Fprintf(o.say, "%s is left out: it has no tests at %s\n", p.path, base)
			continue
		}
		pairs = append(pairs, pair)
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("none of the packages has tests at %s: there is nothing to compare with", base)
	}
	return pairs, nil
}

// build returns false if there is nothing to build.
func (b binary) build(ctx context.Context) (there bool, err error) {
	if tests, err := filepath.Glob(filepath.Join(b.dir, "*_test.go")); err != nil || len(tests) == 0 {
		return false, err
	}
	if _, err := output(ctx, b.dir, "go", "test", "-c", "-o", b.file, "."); err != nil {
		return false, fmt.Errorf("%s, %s, cannot be built: %w", b.path, b.side, err)
	}
	if _, err := os.Stat(b.file); errors.Is(err, os.ErrNotExist) {
		return false, nil // its tests are for other systems
	}
	return true, nil
}

// measure runs both sides in turn, and neither is always the first.
func (o options) measure(ctx context.Context, pairs [][2]binary, into [2]result) error {
	var said [2]strings.Builder
	for i := range o.count {
		for _, pair := range pairs {
			fmt.Fprintf(o.say, "%d/%d  %s\n", i+1, o.count, pair[0].path)
			for k := range pair {
				side := (i + k) % 2
				text, err := o.bencher(ctx, pair[side])
				if err != nil {
					return err
				}
				said[side].WriteString(text + "\n")
			}
		}
	}
	for side, r := range into {
		if err := os.WriteFile(r.file, []byte(said[side].String()), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// bencher runs the benchmarks of one binary once.
func (o options) bencher(ctx context.Context, b binary) (string, error) {
	text, err := output(ctx, b.dir, b.file, "-test.run=^$", "-test.bench="+o.bench, "-test.benchmem", "-test.benchtime="+o.benchtime)
	if err != nil {
		return "", fmt.Errorf("benchmarks of %s, %s: %w", b.path, b.side, err)
	}
	return text, nil
}
