package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/examples/peers/work"
)

// The page says what the kept results say, and no more. To make it anew:
// go run . -growth -from ../../docs/growth.json
func TestGrowthPageIsMadeOfResults(t *testing.T) {
	g := &growth{}
	if err := load(docs+"/growth.json", g); err != nil {
		t.Fatal(err)
	}
	holdsPage(t, "growth", g.files("growth"), g.Machine)
	if err := g.faults(); err != nil {
		t.Errorf("what is kept has lost something: %v", err)
	}
}

// Every workload but spin grows, in the order of the table, with each of its rows.
func TestClimbs(t *testing.T) {
	var want, got []string
	for _, w := range work.Workloads {
		if w.Name != "spin" {
			want = append(want, w.Rows...)
		}
	}
	for _, c := range climbs {
		w, ok := work.Find(c.work)
		if !ok {
			t.Fatalf("there is no workload %q", c.work)
		}
		if k := c.counts(1000); (k.N != 0) != (w.N != "") || (k.K != 0) != (w.K != "") {
			t.Errorf("%s: sizes %+v, it counts %q and %q", c.work, k, w.N, w.K)
		}
		if (c.most > 0) != (c.why != "") || c.bytes == 0 {
			t.Errorf("%s: at most %d because %q, %d bytes each", c.work, c.most, c.why, c.bytes)
		}
		for _, l := range c.lines {
			got = append(got, l.row)
			if i := slices.IndexFunc(rows, func(r row) bool { return r.name == l.row }); i < 0 || rows[i].unit != l.unit {
				t.Errorf("%s: its unit is not %s", l.row, l.unit)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
}

func TestLeaves(t *testing.T) {
	c := climb{most: 100_000, why: "enough", bytes: 100_000}
	for _, tt := range []struct {
		n, gb int
		want  string
	}{
		{1000, 16, ""},
		{100_000, 16, ""},
		{100_000, 8, "it may take 10 GB"},
		{100_000, 0, ""}, // nobody knows how much there is
		{1_000_000, 1 << 20, "enough"},
	} {
		if got := c.leaves(tt.n, machine{MemoryGB: tt.gb}); got != tt.want {
			t.Errorf("%d on %d GB: %q, want %q", tt.n, tt.gb, got, tt.want)
		}
	}
}

func TestProcessors(t *testing.T) {
	for all, want := range map[int][]int{1: {1}, 2: {1, 2}, 6: {1, 2, 4, 6}, 8: {1, 2, 4, 8}, 32: {1, 2, 4, 8, 16, 32}} {
		if got := processors(all); !slices.Equal(got, want) {
			t.Errorf("%d: %v, want %v", all, got, want)
		}
	}
}

func TestJudgeGrowth(t *testing.T) {
	for _, tt := range []struct {
		name  string
		costs []cost
		want  string
	}{
		{"nothing", nil, "– | – | ?"},
		{"one size", []cost{{1000, 5}}, "– | – | ?"},
		{"flat", []cost{{1000, 5}, {10_000, 5}, {100_000, 5}, {1_000_000, 5}}, "1 | 1 | yes"},
		{"caches", []cost{{1000, 100}, {10_000, 140}, {100_000, 190}, {1_000_000, 300}}, "3 | 1.58 | yes"},
		{"logarithm", []cost{{1000, 10}, {10_000, 13.3}, {100_000, 16.7}, {1_000_000, 20}}, "2 | 1.33 | yes"},
		{"square", []cost{{1000, 1}, {10_000, 10}, {100_000, 100}, {1_000_000, 1000}}, "1,000 | 10 | **no**"},
		{"root", []cost{{1000, 1}, {10_000, 3.17}, {100_000, 10}}, "10 | 3.17 | **no**"},
		{"twice a tenfold", []cost{{1000, 1}, {10_000, 2}, {100_000, 4}, {1_000_000, 8}}, "8 | 2 | **no**"},
		{"a dear start hides it", []cost{{1000, 8}, {10_000, 1}, {100_000, 2.5}, {1_000_000, 6}}, "0.75 | 2.5 | **no**"},
		{"a dear start", []cost{{1000, 8}, {10_000, 1}, {100_000, 1.1}, {1_000_000, 2}}, "0.25 | 1.82 | yes"},
		{"a square in the middle", []cost{{1000, 8}, {10_000, 1}, {100_000, 10}, {1_000_000, 2}}, "0.25 | 10 | **no**"},
		{"noise", []cost{{1000, 1}, {10_000, 1.9}}, "1.9 | 1.9 | yes"},
		{"half a tenfold", []cost{{1000, 1}, {3162, 1.9}}, "1.9 | 3.61 | **no**"},
	} {
		if got := judge(tt.costs).String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// grown is a growth in which everything that can happen does.
func grown() *growth {
	g := &growth{Command: "go run . -growth", Size: "four", Version: "abc", Machine: machine{CPU: "abacus", Procs: 2, Load: 0.1}}
	add := func(n, procs int, cs ...*cell) *step {
		for _, c := range cs {
			if c.Peer == "" {
				c.Peer = "coppice"
			}
		}
		g.Steps = append(g.Steps, &step{N: n, Procs: procs, Cells: cs})
		return g.Steps[len(g.Steps)-1]
	}
	add(1000, 1, &cell{Row: "spawn", Values: []float64{400, 500, 600}}, &cell{Row: "block", Values: []float64{20}}, &cell{Row: "burst", Values: []float64{7}}, &cell{Row: "timer", Failed: "2 <lost>", Failures: 1})
	add(1000, 2, &cell{Row: "spawn", Values: []float64{500}}, &cell{Row: "block", Values: []float64{20}},
		&cell{Row: "lookup", Values: []float64{50}}, &cell{Row: "lookup", Peer: "goroutines", Values: []float64{20}})
	add(10_000, 1, &cell{Row: "spawn", Values: []float64{550}}, &cell{Row: "block", Values: []float64{210}}, &cell{Row: "burst", Values: []float64{8}, Failed: "1 lost", Failures: 1})
	add(10_000, 2, &cell{Row: "spawn", Values: []float64{1700}}, &cell{Row: "block", Values: []float64{100}},
		&cell{Row: "lookup", Values: []float64{500}}, &cell{Row: "lookup", Peer: "goroutines", Values: []float64{250}}).Left = []left{{"deep", "it may take 10 GB"}}
	return g
}

func TestGrowthPage(t *testing.T) {
	got := grown().page("growth")
	for _, want := range []string{
		"| what | unit | processors | 1,000 | 10,000 | largest to smallest |",
		"| spawn one of n processes | ns | 1 | 500 | 550 | 1.1 | 1.1 | yes |\n",
		"| spawn one of n processes | ns | 2 | 500 | 1,700 | 3.4 | 3.4 | **no** |\n",
		"| n handlers block for 20 ms | ms, all n | 1 | 20 | 210 | 1.05 | 1.05 | yes |\n",
		"| n handlers block for 20 ms | ms, all n | 2 | 20 | 100 | 0.5 | 0.5 | yes |\n",
		"| a tenth of n children crash at once, each | µs | 1 | 7 | failed | – | – | **no** |\n",
		"| a tenth of n children crash at once, each | µs | 2 | – | – | – | – | ? |\n",
		"| look one of n names up | ns | 1 | – | – | – | – | ? |\n",
		"| look one of n names up | ns | 2 | 50 | 500 | 0.8 | 0.8 | yes |\n",
		"| the same, bare goroutines | ns | 2 | 20 | 250 | | | |\n",
		"- coppice, burst at 10,000, 1 processors: failed in 1 of 2 rounds: 1 lost.\n",
		"- deep was not tried at 10,000: it may take 10 GB.\n",
		"](growth/spawn.svg)",
		"## On many processors",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks\n%s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
	for _, no := range []string{"busy", "No run", "idle.svg"} {
		if strings.Contains(got, no) {
			t.Errorf("the page says %q", no)
		}
	}
	if got := (&growth{}).page("growth"); !strings.Contains(got, "No run is kept") || strings.Contains(got, "no worse than linear |") {
		t.Errorf("the page of no run:\n%s", got)
	}
}

// Charts are well formed, and have a point for every figure and nothing for what
// failed.
func TestGrowthChart(t *testing.T) {
	charts := grown().files("growth")
	for name, text := range charts {
		if !strings.HasSuffix(name, ".svg") {
			continue
		}
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, text)
			}
		}
	}
	for name, want := range map[string][]string{
		"growth/spawn.svg":  {">1 processor<", ">2 processors<", ">1,000<", ">10,000<", ">ns for one of n<"},
		"growth/block.svg":  {">ms for all n<", "stroke-dasharray"},
		"growth/lookup.svg": {">2 processors<", ">goroutines<"},
		"growth/burst.svg":  {">1 processor<"},
		"growth/timer.svg":  {">failed at every size<"},
	} {
		for _, w := range want {
			if !strings.Contains(charts[name], w) {
				t.Errorf("%s lacks %q:\n%s", name, w, charts[name])
			}
		}
	}
	// Two curves of two points each, and a point in each caption.
	if n := strings.Count(charts["growth/spawn.svg"], "<circle"); n != 6 {
		t.Errorf("spawn.svg has %d points, want 6", n)
	}
	if strings.Contains(charts["growth/lookup.svg"], "stroke-dasharray") {
		t.Error("lookup.svg shows what is linear, and is judged beside something else")
	}
	if n := strings.Count(charts["growth/burst.svg"], "<circle"); n != 2 {
		t.Errorf("burst.svg has %d points, want 2", n)
	}
}

func TestDecadeScale(t *testing.T) {
	for _, tt := range []struct{ lo, hi, from, to float64 }{
		{1000, 1_000_000, 1000, 1_000_000},
		{1000, 1000, 1000, 10_000},
		{470, 3400, 100, 10_000},
		{0.0005, 0.0042, 0.0001, 0.01},
	} {
		s := decadeScale(tt.lo, tt.hi)
		if s.from != tt.from || s.to != tt.to {
			t.Errorf("%v to %v: %v to %v, want %v to %v", tt.lo, tt.hi, s.from, s.to, tt.from, tt.to)
		}
		if x := place(s, s.to, 0, 10); x != 10 {
			t.Errorf("%v to %v: the end is at %v", tt.lo, tt.hi, x)
		}
	}
}

// Every size is tried on every number of processors, in rounds, and nobody is
// always the first; what takes long has fewer rounds, and what does not fit none.
func TestClimb(t *testing.T) {
	dir := t.TempDir()
	const script = `#!/bin/sh
[ "$2" = idle ] && [ "$4" = 200 ] && sleep 0.3
echo "{\"row\":\"$2\",\"value\":$GOMAXPROCS}"
`
	if err := os.WriteFile(filepath.Join(dir, "coppice"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	chosen, err := chooseClimbs([]string{"idle", "monitor"})
	if err != nil {
		t.Fatal(err)
	}
	chosen[1].most, chosen[1].why = 100, "enough"
	s := growthSize{name: "test", steps: []int{100, 200}, rounds: 2, budget: 200 * time.Millisecond, whole: time.Minute, limit: 10 * time.Second}
	var order []string
	say := func(_ string, args ...any) {
		order = append(order, fmt.Sprint(args[0], args[2], args[3], "/", args[4]))
	}
	steps, err := bench{dir: dir}.climb(t.Context(), s, []int{1, 2}, chosen, machine{}, say)
	if err != nil {
		t.Fatal(err)
	}
	const want = "1idle100/1 1idle100/2 1idle200/1 1idle200/2 1monitor100/1 1monitor100/2 2idle100/2 2idle100/1 2monitor100/2 2monitor100/1"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("order %s\nwant  %s", got, want)
	}
	g := &growth{Steps: steps}
	if c := g.at(peers[0], "idle", 100, 2); len(c.Values) != 2 || c.median() != 2 {
		t.Errorf("idle at 100 on 2: %+v", c)
	}
	if c := g.at(peers[0], "monitor", 200, 1); c != nil {
		t.Errorf("monitor was tried at 200: %+v", c)
	}
	if got := g.remarks(); !strings.Contains(got, "monitor was not tried at 200: enough") {
		t.Errorf("remarks: %s", got)
	}
	if err := g.faults(); err != nil {
		t.Error(err)
	}
}

// There is no second round when the whole time is over, but always a first.
func TestClimbEnds(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "coppice"), []byte("#!/bin/sh\necho \"{\\\"row\\\":\\\"$2\\\",\\\"value\\\":1}\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	chosen, err := chooseClimbs([]string{"idle", "monitor"})
	if err != nil {
		t.Fatal(err)
	}
	s := growthSize{steps: []int{100}, rounds: 3, budget: time.Minute, limit: 10 * time.Second}
	steps, err := bench{dir: dir}.climb(t.Context(), s, []int{1}, chosen, machine{}, func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range steps[0].Cells {
		if len(c.Values) != 1 {
			t.Errorf("%s has %d rounds, want 1", c.Row, len(c.Values))
		}
	}
}

func TestGrowthFaults(t *testing.T) {
	const want = "coppice, timer at 1000 on 1 processors: 2 <lost>\ncoppice, burst at 10000 on 1 processors: 1 lost"
	if err := grown().faults(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestGrowthOptions(t *testing.T) {
	for _, tt := range []struct {
		o    options
		want string
	}{
		{options{size: "night"}, `growth has no size "night": use tiny, small or four`},
		{options{size: "tiny", peers: "BEAM"}, "growth is measured on coppice only: leave -peers out"},
		{options{size: "tiny", work: "spin"}, `growth has no workload "spin"`},
		{options{from: "nowhere.json"}, "open nowhere.json: no such file or directory"},
		{options{size: "tiny", out: "growth.txt"}, `"growth.txt": results are kept in a file whose name ends in .json`},
	} {
		tt.o.growth = true
		if err := tt.o.run(t.Context()); err == nil || err.Error() != tt.want {
			t.Errorf("%+v: got %v, want %s", tt.o, err, tt.want)
		}
	}
}
