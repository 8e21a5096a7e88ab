package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A growth is all that is kept of a run at growing sizes; its page is made of
// it, and of nothing else.
type growth struct {
	Command string    `json:"command"`
	Size    string    `json:"size"`
	Began   time.Time `json:"began"`
	Took    string    `json:"took"`
	Machine machine   `json:"machine"`
	Version string    `json:"version"`
	Steps   []*step   `json:"steps"`
}

// A step is every workload at one size, on so many processors.
type step struct {
	N     int    `json:"n"`
	Procs int    `json:"procs"`
	Cells cells  `json:"cells"`
	Left  []left `json:"left,omitempty"`
}

// A left is a workload that was not tried at a size, and why.
type left struct {
	Work string `json:"work"`
	Why  string `json:"why"`
}

// A growthSize says how far, and for how long.
type growthSize struct {
	name   string
	steps  []int
	rounds int
	// budget is how long a workload may take at one size, all rounds together,
	// and whole how long all may: then there is no further round.
	budget, whole time.Duration
	limit         time.Duration // of one run
}

var growthSizes = []growthSize{
	{"tiny", []int{100, 1000}, 1, time.Second, time.Minute, 30 * time.Second},
	{"small", []int{1000, 10_000}, 3, time.Second, time.Minute, 30 * time.Second},
	{"four", []int{1000, 10_000, 100_000, 1_000_000}, 5, 2 * time.Second, 190 * time.Second, 20 * time.Second},
}

// processors are those that growth is measured on: 1, 2, 4 and so on, and all
// that there are.
func processors(all int) (out []int) {
	for p := 1; p < all; p *= 2 {
		out = append(out, p)
	}
	return append(out, all)
}

// grow is the command with -growth.
func (o options) grow(ctx context.Context) error {
	if o.from != "" {
		g := &growth{}
		if err := load(o.from, g); err != nil {
			return err
		}
		return publish(o.from, g.files)
	}
	g, err := o.climb(ctx)
	if err != nil {
		return err
	}
	fmt.Print(growthTable(g), g.remarks())
	if err := o.keep(g, g.Machine, g.files); err != nil {
		return err
	}
	return g.faults()
}

// climb builds our program and runs it.
func (o options) climb(ctx context.Context) (*growth, error) {
	i := slices.IndexFunc(growthSizes, func(s growthSize) bool { return s.name == o.size })
	if i < 0 {
		return nil, fmt.Errorf("growth has no size %q: use tiny, small or four", o.size)
	}
	if o.peers != "" {
		return nil, errors.New("growth is measured on coppice only: leave -peers out")
	}
	s := growthSizes[i]
	if o.rounds > 0 {
		s.rounds = o.rounds
	}
	chosen, err := chooseClimbs(split(o.work))
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := bench{dir: dir}
	for _, p := range []peer{peers[0], bare} {
		if err := b.build(ctx, p); err != nil {
			return nil, err
		}
	}
	g := &growth{Command: strings.Join(append([]string{"go run ."}, os.Args[1:]...), " "), Size: s.name, Machine: thisMachine(o.procs)}
	if g.Version, err = b.version(peers[0]); err != nil {
		return nil, err
	}
	procs := processors(runtime.NumCPU())
	if o.procs > 0 {
		procs = []int{o.procs}
	}
	g.Began = time.Now().UTC().Truncate(time.Second)
	g.Steps, err = b.climb(ctx, s, procs, chosen, g.Machine, func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	g.Took = time.Since(g.Began).Round(time.Second).String()
	return g, err
}

func chooseClimbs(names []string) (out []climb, err error) {
	if len(names) == 0 {
		return climbs, nil
	}
	for _, name := range names {
		i := slices.IndexFunc(climbs, func(c climb) bool { return c.work == name })
		if i < 0 {
			return nil, fmt.Errorf("growth has no workload %q", name)
		}
		out = append(out, climbs[i])
	}
	return out, nil
}

// climb runs every workload at every size on every number of processors, in
// rounds: what disturbs the machine for a while disturbs them all.
func (b bench) climb(ctx context.Context, s growthSize, procs []int, chosen []climb, m machine, say func(string, ...any)) ([]*step, error) {
	var steps []*step
	for _, n := range s.steps {
		for _, p := range procs {
			steps = append(steps, &step{N: n, Procs: p})
		}
	}
	for _, st := range steps {
		for _, c := range chosen {
			if why := c.leaves(st.N, m); why != "" {
				st.Left = append(st.Left, left{c.work, why})
			}
		}
	}
	began := time.Now()
	spent := map[string]time.Duration{}
	for round := range s.rounds {
		for _, c := range chosen {
			for i := range steps {
				st := steps[(i+round)%len(steps)] // nobody is always the first
				key := fmt.Sprint(c.work, st.N, st.Procs)
				if c.leaves(st.N, m) != "" || round > 0 && (spent[key] > s.budget || time.Since(began) > s.whole) {
					continue
				}
				for _, p := range c.peers() {
					at := time.Now()
					o, err := bench{b.dir, st.Procs}.run(ctx, p, c.workload(), c.counts(st.N), s.limit)
					if err != nil {
						return nil, fmt.Errorf("%s, %s at %d: %w", p.name, c.work, st.N, err)
					}
					took := time.Since(at)
					spent[key] += took
					st.Cells.add(p.name, c.workload(), o)
					say("%d/%d  %-13s %9s on %d %-10s %5.1f s  %s", round+1, s.rounds, c.work, number(float64(st.N)), st.Procs, p.name, took.Seconds(), o)
				}
			}
		}
	}
	return steps, nil
}

// at is the cell of a peer's row at a size, on so many processors; nil if there
// is none.
func (g *growth) at(p peer, row string, n, procs int) *cell {
	for _, st := range g.Steps {
		if st.N == n && st.Procs == procs {
			return st.Cells.get(p.name, row)
		}
	}
	return nil
}

// sizes and procs are what was measured at, in order.
func (g *growth) sizes() []int { return g.each(func(st *step) int { return st.N }) }
func (g *growth) procs() []int { return g.each(func(st *step) int { return st.Procs }) }

func (g *growth) each(of func(*step) int) (out []int) {
	for _, st := range g.Steps {
		out = append(out, of(st))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// faults is an error if something was lost or left out.
func (g *growth) faults() error {
	var faults []error
	for _, st := range g.Steps {
		for _, c := range st.Cells {
			if c.Failed != "" || c.Lesser != "" || c.Lacks != "" {
				faults = append(faults, fmt.Errorf("%s, %s at %d on %d processors: %s%s%s", c.Peer, c.Row, st.N, st.Procs, c.Failed, c.Lesser, c.Lacks))
			}
		}
	}
	return errors.Join(faults...)
}
