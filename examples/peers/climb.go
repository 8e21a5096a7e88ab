package main

import (
	"slices"

	"github.com/coppice-go/coppice/examples/peers/work"
)

// bare is the peer that is nothing but the language.
var bare, _ = findPeer("goroutines")

// A climb is a workload at growing sizes, on coppice only.
type climb struct {
	work   string
	counts func(n int) counts // of the workload, at size n
	// most is the largest size that is tried, and why says what would be wrong
	// with a larger one; 0: there is no such size.
	most int
	why  string
	// bytes are the memory that one of n takes, roughly and at worst: what does
	// not fit is left out, and said to be.
	bytes int
	lines []line
}

// A line is one row of a climb, in the table and in a chart of its own.
type line struct {
	row   string
	title string
	unit  string
	// whole says that the figure is of all n; else it is of one of them.
	whole bool
	// beside says that bare goroutines do the same at each size, and that the
	// figure is judged in theirs: it is of what grows by its nature.
	beside bool
}

func many(n int) counts     { return counts{N: n} }
func often(k int) counts    { return counts{K: k} }
func pairs(n int) counts    { return counts{N: n / 2, K: 2} }
func blocked(n int) counts  { return counts{N: n, K: 20} }
func crashes(k int) counts  { return counts{N: 10, K: k} }
func children(n int) counts { return counts{N: n, K: 500} }
func tenth(n int) counts    { return counts{N: n, K: n / 10} }
func lookups(n int) counts  { return counts{N: n, K: 100_000} }

// timers are long enough that none is over before all are set.
func timers(n int) counts { return counts{N: n, K: max(200, n/500)} }

// climbs are the workloads that have a size. The one that has none is spin: as
// many handlers compute as there are processors, and what a call then costs is
// a share of the Go scheduler's time slice.
var climbs = []climb{
	{work: "spawn", counts: many, bytes: 1500, lines: []line{
		{"spawn", "spawn one of n processes", "ns", false, false},
		{"spawn+stop", "spawn one of n processes and stop it", "ns", false, false}}},
	{work: "idle", counts: many, bytes: 1500, lines: []line{
		{"idle", "an idle process, one of n", "bytes", false, false}}},
	{work: "send 1-1", counts: often, bytes: 100, lines: []line{
		{"send 1-1", "send one of n messages, one to one", "ns", false, false}}},
	{work: "send 2-1", counts: often, bytes: 100, lines: []line{
		{"send 2-1", "send one of n messages, two to one", "ns", false, false}}},
	{work: "send 2-8", counts: often, bytes: 100, lines: []line{
		{"send 2-8", "send one of n messages, two to eight", "ns", false, false}}},
	{work: "call", counts: often, bytes: 20, lines: []line{
		{"call p50", "one of n calls, p50", "ns", false, false},
		{"call p99", "one of n calls, p99", "ns", false, false}}},
	{work: "pingpong", counts: pairs, bytes: 3500, lines: []line{
		{"pingpong", "ping-pong among n processes, a message", "ns", false, false}}},
	{work: "deep", counts: pairs, most: 100_000, why: "each goroutine's stack may have 32 kB", bytes: 36_000, lines: []line{
		{"deep", "ping-pong among n, handlers that need 10 kB of stack", "ns", false, false}}},
	{work: "block", counts: blocked, bytes: 4000, lines: []line{
		{"block", "n handlers block for 20 ms", "ms", true, false}}},
	{work: "restart", counts: crashes, most: 100_000, why: "a million crashes take seconds, and differ in nothing", bytes: 200, lines: []line{
		{"restart", "one of n crashes until the next child answers, p50", "µs", false, false}}},
	{work: "restart many", counts: children, bytes: 6000, lines: []line{
		{"restart many", "crash until the next child answers, of n, p50", "µs", false, false}}},
	{work: "burst", counts: tenth, bytes: 7000, lines: []line{
		{"burst", "a tenth of n children crash at once, each", "µs", false, false}}},
	{work: "tree", counts: many, bytes: 3000, lines: []line{
		{"tree start", "start a tree of n, each", "ns", false, false},
		{"tree stop", "stop a tree of n in reverse, awaited, each", "ns", false, false}}},
	{work: "monitor", counts: many, bytes: 2500, lines: []line{
		{"monitor", "one ends, n are told, each", "ns", false, false}}},
	{work: "name", counts: lookups, bytes: 2000, lines: []line{
		{"name", "spawn one of n with a name", "ns", false, false},
		{"lookup", "look one of n names up", "ns", false, true}}},
	{work: "timer", counts: timers, bytes: 1500, lines: []line{
		{"timer", "set one of n timers", "ns", false, false}}},
	{work: "million", counts: many, bytes: 3000, lines: []line{
		{"million", "n idle processes, memory", "MB", true, false}}},
	{work: "million tree", counts: many, bytes: 3000, lines: []line{
		{"million tree", "a tree of n workers, memory", "MB", true, false},
		{"million stop", "stop a tree of n workers", "s", true, false}}},
}

// peers are us, and whom we are beside.
func (c climb) peers() []peer {
	if slices.ContainsFunc(c.lines, func(l line) bool { return l.beside }) {
		return []peer{peers[0], bare}
	}
	return peers[:1]
}

// workload is what a climb runs.
func (c climb) workload() work.Workload {
	w, ok := work.Find(c.work)
	if !ok {
		panic("there is no workload " + c.work) // a test holds the table
	}
	return w
}

// leaves says why a size is not tried; "" if it is.
func (c climb) leaves(n int, m machine) string {
	switch {
	case c.most > 0 && n > c.most:
		return c.why
	case m.MemoryGB > 0 && n*c.bytes > m.MemoryGB<<30/10*8:
		return "it may take " + number(float64(n*c.bytes)/1e9) + " GB"
	}
	return ""
}
