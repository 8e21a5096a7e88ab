package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// files are what is made of a growth, as of a report.
func (g *growth) files(name string) map[string]string {
	out := map[string]string{name + ".md": g.page(name)}
	for _, l := range g.charted() {
		out[chartFile(name, l.row)] = growthChart(g, l)
	}
	return out
}

// charted are the lines that there is something to show of.
func (g *growth) charted() (out []line) {
	for _, c := range climbs {
		for _, l := range c.lines {
			if slices.ContainsFunc(g.Steps, func(st *step) bool { return st.Cells.get(peers[0].name, l.row) != nil }) {
				out = append(out, l)
			}
		}
	}
	return out
}

const growthIntro = `# How cost grows

<!-- Made by examples/peers; what is changed here is lost, and a test says so. -->

The workloads of [performance.md](performance.md) on coppice alone, at growing
sizes and on one, two, four and so on processors. Nothing may be worse than
linear: what a thousand cost, each of a million may cost too, and not much more.

It is made by one command, in ` + "`examples/peers`" + `, in some four minutes:

` + "```" + `
cd examples/peers
GOWORK=off go run . -growth -size four -out ../../docs/growth.json
` + "```" + `
`

// cores is the note on many processors. It is written by hand, from profiles.
//
//go:embed cores.md
var cores string

// page is the Markdown of a growth.
func (g *growth) page(name string) string {
	var b strings.Builder
	b.WriteString(growthIntro)
	if len(g.Steps) == 0 {
		b.WriteString("\nNo run is kept here yet.\n")
	} else {
		b.WriteString("\n## The run\n\n")
		fmt.Fprintf(&b, "- Command: `%s`, size %s; it began %s and took %s.\n", g.Command, g.Size, g.Began.UTC().Format("2006-01-02 15:04 MST"), g.Took)
		b.WriteString(g.Machine.describe())
		if g.Version != "" {
			fmt.Fprintf(&b, "- Version: coppice %s.\n", g.Version)
		}
		b.WriteString(growthTable(g))
		b.WriteString(g.remarks())
	}
	b.WriteString(growthMethod)
	b.WriteString("\n" + cores)
	if charted := g.charted(); len(charted) > 0 {
		b.WriteString("\n## Charts\n\nBoth scales are logarithmic. Dashed: what is exactly linear, from the first size on.\n\n")
		for _, l := range charted {
			fmt.Fprintf(&b, "![%s](%s)\n", l.title, chartFile(name, l.row))
		}
	}
	return b.String()
}

// growthTable shows each line at each size, and whether it is linear.
func growthTable(g *growth) string {
	var b strings.Builder
	sizes := g.sizes()
	b.WriteString("\n## Every figure\n\nn is the size; the unit is that of one of n, or of all n where it says so. Medians of the rounds.\n\n| what | unit | processors |")
	rule := "| --- | --- | ---: |"
	for _, n := range sizes {
		fmt.Fprintf(&b, " %s |", number(float64(n)))
		rule += " ---: |"
	}
	b.WriteString(" largest to smallest | steepest tenfold | no worse than linear |\n" + rule + " ---: | ---: | --- |\n")
	for _, l := range g.charted() {
		for _, procs := range g.procs() {
			unit := l.unit
			if l.whole {
				unit += ", all n"
			}
			fmt.Fprintf(&b, "| %s | %s | %d |%s %s |\n", l.title, unit, procs, g.figures(peers[0], l, procs), g.slopeOf(l, procs))
			if l.beside {
				fmt.Fprintf(&b, "| the same, bare goroutines | %s | %d |%s | | |\n", unit, procs, g.figures(bare, l, procs))
			}
		}
	}
	return b.String()
}

// figures are the table's cells of a line.
func (g *growth) figures(p peer, l line, procs int) (cells string) {
	for _, n := range g.sizes() {
		cells += " " + figure(g.at(p, l.row, n, procs)) + " |"
	}
	return cells
}

// String is what stands in the table's last columns.
func (s slope) String() string {
	if s.ratio == 0 {
		return fmt.Sprintf("– | – | %v", s.judged)
	}
	return fmt.Sprintf("%s | %s | %v", number(s.ratio), number(s.tenth), s.judged)
}

// remarks say what was lost, and what was not tried.
func (g *growth) remarks() string {
	var b strings.Builder
	for _, st := range g.Steps {
		for _, c := range st.Cells {
			if c.Failed != "" {
				fmt.Fprintf(&b, "- %s, %s at %s, %d processors: failed in %d of %d rounds: %s.\n", c.Peer, c.Row, number(float64(st.N)), st.Procs, c.Failures, c.Failures+len(c.Values), c.Failed)
			} else if c.Lesser != "" {
				fmt.Fprintf(&b, "- %s, %s at %s, %d processors\\*: %s.\n", c.Peer, c.Row, number(float64(st.N)), st.Procs, c.Lesser)
			}
		}
	}
	told := map[string]bool{}
	for _, st := range g.Steps {
		for _, l := range st.Left {
			s := fmt.Sprintf("- %s was not tried at %s: %s.\n", l.Work, number(float64(st.N)), l.Why)
			if !told[s] {
				told[s] = true
				b.WriteString(s)
			}
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n### What was lost, and what was not tried\n\n" + b.String()
}

var growthMethod = `
## How it is judged

- A cost that is linear in all is flat for one. So the figures are of one of n: one
  spawn, one message, one child; where they are of all n, they are divided by n
  before they are judged. Memory is not flat, though: what is in the processor's
  caches among a thousand is not among a million. So the cost of one at the largest
  size may be ` + number(mayGrow) + ` times that at any smaller one for each tenfold between them, and
  twice in any case, for noise. And between no two sizes may it grow ` + number(tooFast) + ` times for
  a tenfold: a cost that goes with n to the 1.5 does, and one that goes with the
  square grows 10 times.
- "Largest to smallest" is the cost of one at the largest size in those at the
  smallest. "Steepest tenfold" is the worst of the steps between two sizes.
- What grows by its nature is judged in what bare goroutines take for the same at the
  same size: a name is looked up at random in all the memory that a million names
  take, and a map of the language does that no faster.
- A size at which something was lost has no figure, and then nothing is linear.
- Each figure is of a program of its own. Rounds are interleaved; where one takes
  long, it has fewer of them. The small sizes are over in a moment, and so have
  the start of the program in them.
- spin, of performance.md, is not here: what it measures is a share of the time
  slice of Go's scheduler, and has no size.
`
