package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/examples/peers/work"
)

// A program that fails, hangs or talks nonsense gives no figure.
func TestRun(t *testing.T) {
	spawn, _ := work.Find("spawn")
	const rows = `echo '{"row":"spawn","value":2}'; echo '{"row":"spawn+stop","value":3,"lesser":"half"}'`
	for _, tt := range []struct{ script, want string }{
		{rows, "2  3 (half)"},
		{`echo '{"row":"spawn","value":2}'; echo 'panic: no' >&2; exit 2`, "2  FAILED: panic: no"},
		{`echo 'out of memory' >&2; exit 1`, "FAILED: out of memory  FAILED: out of memory"},
		{`exit 1`, "FAILED: exit status 1  FAILED: exit status 1"},
		{rows + `; echo 'halt: too late' >&2; exit 1`, "2  FAILED: halt: too late"},
		{`exec sleep 60`, "FAILED: signal: killed  FAILED: signal: killed"},
		{`echo 'has no processes' >&2; exit 2`, "has no processes"},
		{`echo 'has no processes'`, "error: what the program wrote is no row"},
		{`echo '{"row":"spawn","value":2}'`, `error: the program wrote no row "spawn+stop"`},
		{`echo '{"row":"idle","value":2}'`, `error: the program wrote a row "idle"`},
		{`echo '{"row":"spawn","value":2}'; echo '{"row":"spawn","value":2}'`, `error: the program wrote a row "spawn"`},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "fake"), []byte("#!/bin/sh\n"+tt.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		o, err := bench{dir: dir}.run(t.Context(), peer{dir: "fake"}, spawn, counts{N: 1}, time.Second)
		got := o.String()
		if err != nil {
			got = fmt.Sprintf("error: %v", err)
		}
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s\ngot  %s\nwant %s", tt.script, got, tt.want)
		}
	}
}

// Rounds are interleaved, nobody is always the first, a budget holds, and who
// lacks something is asked once.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	for name, script := range map[string]string{
		"a": `echo "{\"row\":\"$2\",\"value\":1}"`,
		"b": `echo "{\"row\":\"$2\",\"value\":2}"; sleep 0.3`,
		"c": `echo 'has no timers' >&2; exit 2`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var fakes []peer
	for _, name := range []string{"a", "b", "c"} {
		fakes = append(fakes, peer{name: name, dir: name})
	}
	list, err := works([]string{"idle", "timer"})
	if err != nil {
		t.Fatal(err)
	}
	s := size{name: "test", rounds: 3, budget: 200 * time.Millisecond, limit: 10 * time.Second, sizes: map[string]counts{"idle": {}, "timer": {}}}
	var order []string
	all, err := bench{dir: dir}.measure(t.Context(), s, fakes, list, func(_ string, args ...any) {
		order = append(order, fmt.Sprint(args[0], args[2], args[3]))
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "1aidle 1bidle 1cidle 1atimer 1btimer 1ctimer 2aidle 2atimer 3aidle 3atimer"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("order %s\nwant  %s", got, want)
	}
	if c := all.get("a", "idle"); len(c.Values) != 3 {
		t.Errorf("a has %d values, want 3", len(c.Values))
	}
	if c := all.get("c", "timer"); c.Lacks != "has no timers" {
		t.Errorf("c lacks %q", c.Lacks)
	}
}

func TestSizes(t *testing.T) {
	for _, s := range sizes {
		for name := range s.sizes {
			if _, ok := work.Find(name); !ok {
				t.Errorf("%s: there is no workload %q", s.name, name)
			}
		}
	}
	for _, w := range work.Workloads {
		c, ok := full[w.Name]
		if !ok || (c.N != 0) != (w.N != "") || (c.K != 0) != (w.K != "") {
			t.Errorf("%s: sizes %+v, it counts %q and %q", w.Name, c, w.N, w.K)
		}
	}
}

// Each row of a workload stands in the table once, and nothing else does.
func TestRows(t *testing.T) {
	var want, got []string
	for _, w := range work.Workloads {
		want = append(want, w.Rows...)
	}
	for _, r := range rows {
		got = append(got, r.name)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("rows of the table %q, of the workloads %q", got, want)
	}
}
