// Benchcmp compares the benchmarks of the tree as it is with those of a commit
// before, in one run, and prints what benchstat makes of them.
//
//	go run ./internal/cmd/benchcmp                       # with the last commit
//	go run ./internal/cmd/benchcmp -base main -count 10 ./process/... ./supervisor
//	go run ./internal/cmd/benchcmp -bench 'Send|Call' ./process
//
// The base is checked out into a worktree of its own for the while. The test
// binaries of both sides are built once and run in turn, again and again: what
// disturbs the machine for a while disturbs both. Six times tell more than one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
)

const benchstat = "golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da"

func main() {
	o := options{dir: ".", say: os.Stderr, compare: runBenchstat}
	flag.StringVar(&o.base, "base", "", "the `COMMIT` to compare with; none: the last, or the one before it if nothing has changed since")
	flag.StringVar(&o.bench, "bench", ".", "the benchmarks to run, a `REGEX` as for go test")
	flag.StringVar(&o.benchtime, "benchtime", "1s", "how long, or with an x how often, each is run: as for go test")
	flag.IntVar(&o.count, "count", 6, "how often each side is run")
	flag.Parse()
	o.packages = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "benchcmp:", err)
		os.Exit(1)
	}
}

type options struct {
	base, bench, benchtime string
	count                  int
	packages               []string // patterns of the go tool; none: ./...
	dir                    string   // where to run the go tool
	say                    io.Writer
	// compare is given the files with the results of both sides.
	compare func(ctx context.Context, base, here result) error
}

// A result is what a side is called, and the file with what its benchmarks said.
type result struct{ name, file string }

func (o options) validate() error {
	var faults []error
	if o.count < 1 {
		faults = append(faults, fmt.Errorf("-count %d: it takes one run at least", o.count))
	}
	if _, err := regexp.Compile(o.bench); err != nil {
		faults = append(faults, fmt.Errorf("-bench: %w", err))
	}
	if w := os.Getenv("GOWORK"); w != "" && w != "off" {
		faults = append(faults, fmt.Errorf("GOWORK is %s: both sides would be built with it; unset it, or set it to off", w))
	}
	return errors.Join(faults...)
}

func (o options) run(ctx context.Context) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	r, err := openRepo(ctx, o.dir)
	if err != nil {
		return err
	}
	base, err := r.commit(ctx, o.base)
	if err != nil {
		return err
	}
	all, err := o.find(ctx)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "benchcmp")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	tree := filepath.Join(tmp, "tree")
	defer func() { err = errors.Join(err, r.remove(tree)) }()
	if err := r.checkout(ctx, base, tree); err != nil {
		return err
	}
	pairs, err := o.build(ctx, r, base, tree, all)
	if err != nil {
		return err
	}
	results := [2]result{{base, filepath.Join(tmp, "base.txt")}, {"here", filepath.Join(tmp, "here.txt")}}
	if err := o.measure(ctx, pairs, results); err != nil {
		return err
	}
	return o.compare(ctx, results[0], results[1])
}

func runBenchstat(ctx context.Context, base, here result) error {
	cmd := exec.CommandContext(ctx, "go", "run", benchstat, base.name+"="+base.file, here.name+"="+here.file)
	cmd.Dir = filepath.Dir(base.file) // in no module
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	return nil
}
