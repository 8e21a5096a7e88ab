package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coppice-go/coppice/examples/peers/work"
)

// A row of the table: what it shows, and what it should.
type row struct {
	name  string
	title string // with {n} and {k} for the workload's sizes
	unit  string // of the values: less is better
	goals []goal
}

// A goal is one condition on our figure.
type goal struct {
	text string
	kind goalKind
	x    float64
	of   string // another row, or another peer
	n    int    // at this size only; 0: at any
}

type goalKind uint8

const (
	faster   goalKind = iota // x times faster than the best rival
	atMost                   // x of the unit
	notAbove                 // x times the figure of peer of
	flat                     // x times our own figure in row of
)

func times(x float64) goal {
	if x == 1 {
		return goal{text: "no slower than the best", kind: faster, x: 1}
	}
	return goal{text: fmt.Sprintf("%v times faster", x), kind: faster, x: x}
}

func upTo(x float64, unit string) goal {
	return goal{text: fmt.Sprintf("at most %s %s", number(x), unit), kind: atMost, x: x}
}

var channel = goal{text: "not above a buffered channel", kind: notAbove, x: 1, of: "goroutines"}

// rows is the table.
var rows = []row{
	{"spawn", "spawn a process", "ns", []goal{times(4)}},
	{"spawn+stop", "spawn a process and stop it", "ns", []goal{times(2)}},
	{"idle", "an idle process", "bytes", []goal{upTo(400, "bytes")}},
	{"send 1-1", "send, one to one", "ns", []goal{times(2), channel}},
	{"send 2-1", "send, two to one", "ns", []goal{times(2), channel}},
	{"send 2-8", "send, two to eight", "ns", []goal{times(2), channel}},
	{"call p50", "call, p50", "ns", []goal{times(1.6)}},
	{"call p99", "call, p99", "ns", []goal{times(2)}},
	{"pingpong", "{n} pairs play ping-pong, a message", "ns", []goal{times(1.2)}},
	{"deep", "ping-pong, handlers that need 10 kB of stack", "ns", nil},
	{"block", "{n} handlers block for {k} ms", "ms", nil},
	{"spin", "call while handlers compute on all processors, mean", "µs", nil},
	{"restart", "crash until the next child answers, of {n}, p50", "µs", []goal{upTo(2.4, "µs")}},
	{"restart many", "crash until the next child answers, of {n}, p50", "µs", []goal{upTo(3, "µs"), {text: "at most 1.5 times that of 10", kind: flat, x: 1.5, of: "restart"}}},
	{"burst", "{k} of {n} children crash at once, each", "µs", []goal{times(1)}},
	{"tree start", "start a tree of {n}, each", "ns", []goal{times(4)}},
	{"tree stop", "stop a tree of {n} in reverse, awaited, each", "ns", []goal{times(4)}},
	{"monitor", "one ends, {n} are told, each", "ns", []goal{times(1.3)}},
	{"name", "spawn with a name", "ns", []goal{times(3)}},
	{"lookup", "look a name up", "ns", []goal{times(1.3)}},
	{"timer", "set one of {n} timers", "ns", []goal{{text: "as time.AfterFunc, to a tenth", kind: notAbove, x: 1.1, of: "goroutines"}}},
	{"million", "{n} idle processes, memory", "MB", []goal{{text: "at most 500 MB", kind: atMost, x: 500, n: 1_000_000}}},
	{"million tree", "a tree of {n} workers, memory", "MB", nil},
	{"million stop", "stop a tree of {n} workers", "s", []goal{{text: "at most 2 s", kind: atMost, x: 2, n: 1_000_000}}},
}

// counts are the sizes of the workload that gives a row.
func (r *report) counts(row string) counts {
	for _, w := range work.Workloads {
		if slices.Contains(w.Rows, row) {
			return r.Sizes[w.Name]
		}
	}
	for _, w := range connWorks {
		if slices.Contains(w.rows, row) {
			return r.Sizes[w.name]
		}
	}
	return counts{}
}

func (r *report) title(row row) string {
	c := r.counts(row.name)
	return strings.NewReplacer("{n}", number(float64(c.N)), "{k}", number(float64(c.K))).Replace(row.title)
}

// best is the rival with the lowest figure that counts; nil if there is none.
func best(all cells, row string) *cell {
	var b *cell
	for _, p := range peers {
		if c := all.get(p.name, row); p.role == rival && c.comparable() && (b == nil || c.median() < b.median()) {
			b = c
		}
	}
	return b
}

// A verdict on a goal.
type verdict uint8

const (
	unknown verdict = iota // there is nothing to compare with
	missed
	reached
)

func (v verdict) String() string { return [...]string{"?", "**no**", "yes"}[v] }

// bound is the figure that a goal asks for; ok is false if what it compares
// with has none.
func (g goal) bound(r *report, row string) (x float64, ok bool) {
	if g.n != 0 && g.n != r.counts(row).N {
		return 0, false
	}
	var than *cell
	switch g.kind {
	case atMost:
		return g.x, true
	case faster:
		if than = best(r.Cells, row); than.ok() {
			return than.median() / g.x, true
		}
	case notAbove:
		if than = r.Cells.get(g.of, row); than.ok() {
			return than.median() * g.x, true
		}
	case flat:
		if than = r.Cells.get(peers[0].name, g.of); than.ok() {
			return than.median() * g.x, true
		}
	}
	return 0, false
}

// judge says whether our figure is what the goal asks for. One that is worth
// nothing, because something was lost or left out, misses every goal.
func (g goal) judge(r *report, row string) verdict {
	ours := r.Cells.get(peers[0].name, row)
	if ours == nil {
		return unknown
	}
	if !ours.comparable() {
		return missed
	}
	x, ok := g.bound(r, row)
	switch {
	case !ok:
		return unknown
	case ours.median() <= x:
		return reached
	}
	return missed
}
