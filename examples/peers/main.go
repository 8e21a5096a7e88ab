// Peers measures this module and others side by side, with the same workloads.
//
//	go run . -size tiny                                   # does it work?
//	go run . -size two -out ../../docs/performance.json   # the page, in some two minutes
//	go run . -size night -out night.json                  # more rounds, a million processes on all
//	go run . -from ../../docs/performance.json            # the page anew, nothing measured
//	go run . -conns -size two -out ../../docs/connections.json  # what connections cost, in some two minutes
//
// Or our own alone, at growing sizes and on 1, 2, 4 ... processors:
//
//	go run . -growth -size tiny
//	go run . -growth -size four -out ../../docs/growth.json   # the page, in some four minutes
//	go run . -growth -from ../../docs/growth.json
//
// A peer's own program runs one workload, and tells where the time goes:
//
//	go run ./peer/coppice -work call -k 1000000 -profile call.prof
//	go run ./peer/coppice -work "send 2-8" -k 1000000 -contention locks.prof
//
// It is run in its own folder with GOWORK=off: it is no part of the workspace,
// and what it requires is nobody else's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

type options struct {
	size, out, from string
	peers, work     string
	rounds, procs   int
	growth          bool
	conns           bool
	profile         string
}

func main() {
	var o options
	flag.BoolVar(&o.growth, "growth", false, "coppice only, at growing sizes, on 1, 2, 4 ... processors")
	flag.StringVar(&o.size, "size", "small", "how much: tiny, small, two (minutes) or night; of growth: tiny, small or four (minutes)")
	flag.StringVar(&o.out, "out", "", "`FILE.json` for the results, with FILE.md and FILE/*.svg beside it")
	flag.StringVar(&o.from, "from", "", "`FILE.json` to make FILE.md and FILE/*.svg of, without measuring")
	flag.StringVar(&o.peers, "peers", "", "only these, separated by commas")
	flag.StringVar(&o.work, "work", "", "only these workloads, separated by commas")
	flag.IntVar(&o.rounds, "rounds", 0, "how many rounds; 0: as many as the size says")
	flag.IntVar(&o.procs, "procs", 0, "how many processors each may use; 0: all")
	flag.StringVar(&o.profile, "profile", "", "with -conns: `DIR` for profiles of the servers' processor time")
	flag.BoolVar(&o.conns, "conns", false, "measure connections, not processes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func (o options) run(ctx context.Context) error {
	if flag.NArg() > 0 {
		return fmt.Errorf("%q: there are flags only", flag.Args())
	}
	if o.out != "" {
		if _, err := baseName(o.out); err != nil { // before anything is measured
			return err
		}
	}
	if o.growth {
		return o.grow(ctx)
	}
	if o.conns {
		return o.runConns(ctx)
	}
	if o.from != "" {
		r := &report{}
		if err := load(o.from, r); err != nil {
			return err
		}
		return publish(o.from, r.files)
	}
	r, err := o.measure(ctx)
	if err != nil {
		return err
	}
	fmt.Print(goalTable(r), peerTable(r), remarks(r))
	if err := o.keep(r, r.Machine, r.files); err != nil {
		return err
	}
	return r.own()
}

// keep writes what was measured, and what is made of it, where that was asked for.
func (o options) keep(results any, m machine, files func(name string) map[string]string) error {
	if m.busy() {
		fmt.Printf("\nThe machine was busy (load %.2f in the minute before): these figures are noise.\n", m.Load)
	}
	if o.out == "" {
		return nil
	}
	if err := save(o.out, results); err != nil {
		return err
	}
	return publish(o.out, files)
}

// measure builds everything and runs it.
func (o options) measure(ctx context.Context) (*report, error) {
	i := slices.IndexFunc(sizes, func(s size) bool { return s.name == o.size })
	if i < 0 {
		return nil, fmt.Errorf("there is no size %q: use tiny, small, two or night", o.size)
	}
	s := sizes[i]
	if o.rounds > 0 {
		s.rounds = o.rounds
	}
	chosen, err := choose(split(o.peers))
	if err != nil {
		return nil, err
	}
	list, err := works(split(o.work))
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	r := &report{Command: strings.Join(append([]string{"go run ."}, os.Args[1:]...), " "), Size: s.name, Sizes: s.sizes,
		Machine: thisMachine(o.procs), Versions: map[string]string{}, Absent: map[string]string{}}
	b := bench{dir: dir, procs: o.procs}
	if chosen, err = b.prepare(ctx, chosen, r); err != nil {
		return nil, err
	}
	r.Began = time.Now().UTC().Truncate(time.Second)
	r.Cells, err = b.measure(ctx, s, chosen, list, func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	r.Took = time.Since(r.Began).Round(time.Second).String()
	return r, err
}

// prepare builds the peers' programs and notes their versions. It returns those
// that can be had here.
func (b bench) prepare(ctx context.Context, chosen []peer, r *report) (here []peer, err error) {
	for _, p := range chosen {
		err := b.build(ctx, p)
		if absent, ok := errors.AsType[errAbsent](err); ok {
			fmt.Fprintf(os.Stderr, "%s is left out: %v\n", p.name, absent)
			r.Absent[p.name] = absent.Error()
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.Versions[p.name], err = b.version(p); err != nil {
			return nil, fmt.Errorf("version of %s: %w", p.name, err)
		}
		here = append(here, p)
	}
	return here, nil
}

func choose(names []string) (out []peer, err error) {
	if len(names) == 0 {
		return peers, nil
	}
	for _, name := range names {
		p, ok := findPeer(name)
		if !ok {
			return nil, fmt.Errorf("there is no peer %q", name)
		}
		out = append(out, p)
	}
	return out, nil
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}
