package main

import (
	"encoding/xml"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coppice-go/coppice/examples/peers/work"
)

const (
	docs = "../../docs"
	kept = docs + "/performance.json"
)

// The page says what the kept results say, and no more. To make it anew:
// go run . -from ../../docs/performance.json
func TestPageIsMadeOfResults(t *testing.T) {
	r := &report{}
	if err := load(kept, r); err != nil {
		t.Fatal(err)
	}
	holdsPage(t, "performance", r.files("performance"), r.Machine)
}

// holdsPage compares what is kept in docs with what is made of its results.
func holdsPage(t *testing.T, name string, want map[string]string, m machine) {
	t.Helper()
	if m.busy() {
		t.Errorf("the machine had a load of %.2f before the run: its figures are noise, and not to be kept", m.Load)
	}
	for file, text := range want {
		got, err := os.ReadFile(filepath.Join(docs, file))
		if err != nil {
			t.Error(err)
		} else if string(got) != text {
			t.Errorf("%s is not what is made of %s.json", file, name)
		}
	}
	there, err := filepath.Glob(filepath.Join(docs, name, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if _, ok := want[name+"/"+filepath.Base(f)]; !ok {
			t.Errorf("%s is made of nothing", f)
		}
	}
}

// invented is a report in which everything that can happen does.
func invented() *report {
	r := &report{Command: "go run . -size two", Size: "two", Sizes: full, Machine: machine{CPU: "abacus", Procs: 2, Load: 0.1},
		Versions: map[string]string{"coppice": "abc"}, Absent: map[string]string{"BEAM": "there is no erl on this machine"}}
	add := func(peer, row string, c cell) {
		c.Peer, c.Row = peer, row
		r.Cells = append(r.Cells, &c)
	}
	add("coppice", "spawn", cell{Values: []float64{300, 100, 200}})
	add("goroutines", "spawn", cell{Values: []float64{50}})
	add("ergo", "spawn", cell{Values: []float64{10}, Failed: "1 of 3 ended", Failures: 1})
	add("protoactor", "spawn", cell{Values: []float64{1000, 1200}})
	add("hollywood", "spawn", cell{Values: []float64{9000}})
	add("suture", "spawn", cell{Lacks: "has no processes"})
	add("coppice", "tree stop", cell{Values: []float64{400}})
	add("protoactor", "tree stop", cell{Values: []float64{100}, Lesser: "not in reverse order: <half> & half"})
	add("coppice", "timer", cell{Failed: "2 of 100 timers lost", Failures: 3})
	add("goroutines", "timer", cell{Values: []float64{465}})
	return r
}

func TestPage(t *testing.T) {
	got := page(invented(), "performance")
	for _, want := range []string{
		"| spawn a process | ns | 200 | protoactor 1,100 | 5.5 | 4 times faster (275) | yes |\n",
		"| spawn a process | ns | 200 (100–300) | – | 50 | – | failed | 1,100 (1,000–1,200) | 9,000 | – |\n",
		"| stop a tree of 100,000 in reverse, awaited, each | ns | 400 | – | – | 4 times faster | ? |\n",
		"| ns | 400 | – | – | – | – | 100\\* | – | – |\n",
		"| set one of 100,000 timers | ns | failed | – | – | as time.AfterFunc, to a tenth (512) | **no** |\n",
		"- spawn a process, ergo: failed in 1 of 2 rounds: 1 of 3 ended.\n",
		"- set one of 100,000 timers, coppice: failed in 3 of 3 rounds: 2 of 100 timers lost.\n",
		"- BEAM was not run: there is no erl on this machine.\n",
		"](performance/tree-stop.svg)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks\n%s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
	if strings.Contains(got, "busy") {
		t.Error("the page says that the machine was busy")
	}
	r := invented()
	r.Machine.Load = 1
	if !strings.Contains(page(r, "performance"), "busy") {
		t.Error("the page does not say that the machine was busy")
	}
}

// Of what the run that is kept has missed there is something to say, and of nothing
// that could not be missed.
func TestExcuses(t *testing.T) {
	known := excuses()
	kept := new(report)
	if err := load("../../docs/performance.json", kept); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.missed(kept) && known[row.name] == "" {
			t.Errorf("%s has missed a goal, and short.md says nothing of it", row.name)
		}
		if row.goals != nil {
			delete(known, row.name)
		}
	}
	for name := range known {
		t.Errorf("short.md speaks of %q, which is no row with a goal", name)
	}
	if got := page(invented(), "performance"); !strings.Contains(got, "falls short") {
		t.Error("the page of a run that misses goals does not say why")
	}
}

func TestJudge(t *testing.T) {
	r := &report{Sizes: full, Cells: cells{
		{Peer: "coppice", Row: "restart", Values: []float64{2}},
		{Peer: "coppice", Row: "restart many", Values: []float64{3.1}},
		{Peer: "coppice", Row: "million", Values: []float64{400}},
		{Peer: "coppice", Row: "send 1-1", Values: []float64{40}},
		{Peer: "goroutines", Row: "send 1-1", Values: []float64{39}},
		{Peer: "BEAM", Row: "send 1-1", Values: []float64{80}},
		{Peer: "hollywood", Row: "send 1-1", Values: []float64{10}, Lesser: "half"},
		{Peer: "coppice", Row: "burst", Values: []float64{1}},
		{Peer: "coppice", Row: "tree stop", Values: []float64{1}, Lesser: "half"},
		{Peer: "BEAM", Row: "tree stop", Values: []float64{100}},
	}}
	verdicts := func(name string) (out []verdict) {
		for _, row := range rows {
			if row.name == name {
				for _, g := range row.goals {
					out = append(out, g.judge(r, name))
				}
			}
		}
		return out
	}
	for name, want := range map[string][]verdict{
		"restart":      {reached},
		"restart many": {missed, missed},
		"million":      {reached},
		"send 1-1":     {reached, missed},
		"burst":        {unknown},
		"tree stop":    {missed},
		"idle":         {unknown},
	} {
		if got := verdicts(name); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	r.Sizes = map[string]counts{"million": {N: 1000}}
	if got := verdicts("million"); got[0] != unknown {
		t.Errorf("a thousand were judged as a million: %v", got)
	}
}

// Charts are well formed, name everybody, and put the goal where it is.
func TestChart(t *testing.T) {
	for name, text := range invented().files("performance") {
		if !strings.HasSuffix(name, ".svg") {
			continue
		}
		d := xml.NewDecoder(strings.NewReader(text))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, text)
			}
		}
	}
	spawn := invented().files("performance")["performance/spawn.svg"]
	for _, want := range []string{">coppice<", ">goroutines<", ">failed: 1 of 3 ended<", ">protoactor<", ">9,000<", ">goal 275<", "logarithms"} {
		if !strings.Contains(spawn, want) {
			t.Errorf("spawn.svg lacks %q", want)
		}
	}
	stop := invented().files("performance")["performance/tree-stop.svg"]
	if !strings.Contains(stop, ">100 (did less)<") || strings.Contains(stop, "logarithms") {
		t.Errorf("tree-stop.svg:\n%s", stop)
	}
}

func TestScale(t *testing.T) {
	for _, tt := range []struct {
		values   []float64
		from, to float64
		log      bool
	}{
		{[]float64{1, 3.7}, 0, 4, false},
		{[]float64{20, 400}, 0, 400, false},
		{[]float64{20, 4000}, 10, 10000, true},
		{[]float64{100, 40000}, 10, 100000, true},
		{[]float64{0, 4000}, 0, 4000, false},
		{[]float64{0}, 0, 1, false},
		{nil, 0, 1, false},
	} {
		s := newScale(tt.values)
		if s.from != tt.from || s.to != tt.to || s.log != tt.log {
			t.Errorf("%v: %v to %v, logarithms %v; want %v to %v, %v", tt.values, s.from, s.to, s.log, tt.from, tt.to, tt.log)
		}
		if x := s.x(s.to); x != plotRight {
			t.Errorf("%v: the end is at %v", tt.values, x)
		}
	}
}

func TestNumber(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.003456: "0.00346", 0.5: "0.5", 2.4: "2.4", 87.34: "87.3", 123.4: "123", 1027: "1,027",
		1234567: "1,234,567", 999.6: "1,000", 100: "100", -1234: "-1,234"} {
		if got := number(x); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
}

func TestCells(t *testing.T) {
	var all cells
	w, _ := work.Find("spawn")
	all.add("a", w, outcome{rows: []work.Row{{Name: "spawn", Value: 3, Detail: map[string]float64{"p99": 9}}, {Name: "spawn+stop", Value: 5}}})
	all.add("a", w, outcome{rows: []work.Row{{Name: "spawn", Value: 1, Detail: map[string]float64{"p99": 7}}, {Name: "spawn+stop", Failed: "lost"}}})
	all.add("a", w, outcome{rows: []work.Row{{Name: "spawn", Value: 2}, {Name: "spawn+stop", Value: 4, Lesser: "half"}}})
	c := all.get("a", "spawn")
	if c.median() != 2 || c.min() != 1 || c.max() != 3 || !c.comparable() || len(c.Detail["p99"]) != 2 {
		t.Errorf("spawn: %+v", c)
	}
	if c := all.get("a", "spawn+stop"); c.ok() || c.Failed != "lost" || c.Failures != 1 || c.Lesser != "half" {
		t.Errorf("spawn+stop: %+v", c)
	}
}

// A run in which we lose something ends with an error; others may.
func TestOwnFaults(t *testing.T) {
	r := &report{Cells: cells{
		{Peer: "coppice", Row: "spawn", Values: []float64{1}},
		{Peer: "goroutines", Row: "spawn", Failed: "lost"},
		{Peer: "ergo", Row: "tree stop", Values: []float64{1}, Lesser: "half"},
	}}
	if err := r.own(); err != nil {
		t.Error(err)
	}
	r.Cells = append(r.Cells, &cell{Peer: "coppice", Row: "timer", Failed: "2 lost"},
		&cell{Peer: "coppice, no reports", Row: "burst", Values: []float64{1}, Lesser: "half"})
	const want = "coppice, timer: 2 lost\ncoppice, no reports, burst: half"
	if err := r.own(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What is published can be read back, and charts of rows that are gone go.
func TestPublish(t *testing.T) {
	file := filepath.Join(t.TempDir(), "night.json")
	r := invented()
	if err := save(file, r); err != nil {
		t.Fatal(err)
	}
	if err := publish(file, r.files); err != nil {
		t.Fatal(err)
	}
	back := &report{}
	if err := load(file, back); err != nil {
		t.Fatal(err)
	}
	if got, want := back.files("night"), r.files("night"); !maps.Equal(got, want) {
		t.Error("what was read back makes another page")
	}
	back.Cells = back.Cells[:1]
	if err := publish(file, back.files); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "night", "*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "spawn.svg" {
		t.Errorf("left: %q, %v", left, err)
	}
	if err := publish("night.txt", r.files); err == nil {
		t.Error("results in a .txt were accepted")
	}
}
