package otpscript

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const data = "../../testdata/otp/"

// All recorded scenarios can be read.
func TestParseRecorded(t *testing.T) {
	played := map[string]int{}
	for _, file := range scenarioFiles(t, Kinds...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sc, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if want := strings.TrimSuffix(filepath.Base(file), ".json"); sc.Name != want {
			t.Errorf("%s: the scenario is called %q", file, sc.Name)
		}
		played[sc.Kind]++
	}
	want := map[string]int{"signals": 26, "sup": 199, "app": 58, "server": 30, "servers": 40, "statem": 44, "event": 41, "sys": 26, "pg": 16}
	for kind, n := range want {
		if played[kind] != n {
			t.Errorf("%d scenarios of kind %s, want %d", played[kind], kind, n)
		}
	}
}

// scenarioFiles lists the recorded scenarios of some kinds.
func scenarioFiles(t *testing.T, kinds ...string) (files []string) {
	all, err := filepath.Glob(data + "scenarios/*.json")
	if err != nil || len(all) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var head struct{ Kind string }
		if err := json.Unmarshal(text, &head); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if slices.Contains(kinds, head.Kind) {
			files = append(files, file)
		}
	}
	return files
}

func TestParseDefaults(t *testing.T) {
	sc, err := Parse([]byte(`{"name":"n","kind":"sup","steps":[],"tree":{"sup":"top","children":[
		{"worker":"a"},
		{"worker":{"t":["x",1]},"trap":false,"starts":["ok",{"gate":{"error":"e"}},{"then":{"how":"stop","reason":"r"}}]},
		{"bridge":"b","child":{"worker":"w","on_stop":{"delay":20}}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	a, x, b := sc.Tree.Children[0], sc.Tree.Children[1], sc.Tree.Children[2]
	if !a.traps() || a.outcome(3).Kind != "ok" || a.step() != "a" {
		t.Errorf("a worker without fields: %+v, want one that traps and always starts", a)
	}
	if x.traps() || x.step() != `{"t":["x",1]}` {
		t.Errorf("worker x: traps %v, path element %s", x.traps(), x.step())
	}
	if gate, then := x.outcome(2), x.outcome(9); gate.Gate.Kind != "error" || then.How != "stop" || then.Value != Atom("r") {
		t.Errorf("outcomes 2 and 9 of x are %+v and %+v", gate, then)
	}
	if ms := b.Child.OnStop.delay().Milliseconds(); !b.isBridge() || ms != 20 {
		t.Errorf("bridge %+v holds a worker with a delay of %d ms, want 20", b, ms)
	}
}

// A fault is named with its place; several faults are named at once.
func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{`, "unexpected EOF"},
		{`{"name":"n","kind":"sup","oops":1}`, `"oops"`},
		{`{"name":"n","kind":"dance"}`, `kind "dance" is none of: signals sup app server`},
		{`{"name":"n","kind":"statem"}`, `machine: no machine`},
		{`{"name":"n","kind":"server","machine":{},"steps":[{"op":"fly"},{"op":"call"}]}`, "step 1: unknown op \"fly\"\nstep 2: call needs \"msg\""},
		{`{"name":"n","kind":"server","machine":{"rules":[{"on":["cast"]}]}}`, "rule 0 needs on"},
		{`{"name":"n","kind":"server","machine":{"rules":[{"on":["cast","x"],"do":[["call","q"]]}]}}`, `no deed "call" with 1 arguments`},
		{`{"name":"n","kind":"server","machine":{"init":{"outcome":"maybe"}}}`, `machine init: "maybe"`},
		{`{"name":"n","kind":"statem","machine":{"rules":[{"on":["cast","x"],"actions":["jump"]}]}}`, "unknown action"},
		{`{"name":"n","kind":"statem","machine":{"rules":[{"on":["cast","x"],"actions":[{"next_event":"e"}]}]}}`, "takes a list of 2"},
		{`{"name":"n","kind":"servers","procs":[{"name":"p","type":"clown"},{"type":"agent"}]}`, "p: unknown type \"clown\"\na process has no name"},
		{`{"name":"n","kind":"event","procs":[],"steps":[{"op":"add","handler":"h1","spec":{"init":"maybe"}}]}`, `step 1: add init: "maybe"`},
		{`{"name":"n","kind":"pg","procs":[{"name":"s","type":"pg"}],"steps":[{"op":"join","scope":"s"}]}`, "s has no scope\nstep 1: join needs \"group\"\nstep 1: join needs \"proc\""},
		{`{"kind":"sup"}`, "no name\ntree: absent"},
		{`{"name":"n","kind":"sup","tree":{"sup":"top","worker":"top"}}`, "2 are"},
		{`{"name":"n","kind":"sup","tree":{"sup":"top","children":[{"worker":"a","starts":["maybe"]}]}}`, `tree top a starts: "maybe"`},
		{`{"name":"n","kind":"sup","tree":{"sup":"top","children":[{"worker":"a","starts":[{"crash":null}]}]}}`, "null is no term"},
		{`{"name":"n","kind":"sup","tree":{"sup":"top","children":[{"worker":"a","on_stop":"delay"}]}}`, "delay in ms"},
		{`{"name":"n","kind":"sup","tree":{"sup":"top"},"steps":[{"op":"fly"},{"op":"release"}]}`, "step 1: unknown op \"fly\"\nstep 2: release needs \"path\""},
		{`{"name":"n","kind":"sup","tree":{"sup":"top"},"steps":[{"op":"call","sup":"top","fn":"dance"}]}`, `step 1: unknown fn "dance"`},
		{`{"name":"n","kind":"sup","tree":{"sup":"top"},"steps":[{"op":"call","sup":"top","fn":"start_child"}]}`, `call start_child needs "start"`},
		{`{"name":"n","kind":"sup","tree":{"sup":"top"},"steps":[{"op":"exit","path":"a","how":"fly"},{"op":"observe","as":"o","path":"a","mode":"stare"}]}`,
			"step 1: unknown how \"fly\"\nstep 2: unknown mode \"stare\""},
		{`{"name":"n","kind":"signals","procs":[],"steps":[{"proc":"a","do":[["link"]]}]}`, `no op "link" with 0 arguments`},
		{`{"name":"n","kind":"signals","procs":[{}],"steps":[{"do":["return"]}]}`, "process 0 has no name\nstep 1: no proc"},
		{`{"name":"n","kind":"signals","procs":[],"steps":[{"proc":"a","do":[[1]]}]}`, "an op is"},
		{`{"name":"n","kind":"app","apps":[{"app":"a","stop":"ignore"}]}`, `application a stop: "ignore"`},
		{`{"name":"n","kind":"app"} {}`, "something follows"},
	} {
		_, err := Parse([]byte(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%s)\n got error: %v\nwant one with: %s", c.in, err, c.want)
		}
	}
}

// No input makes the reader panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"name":"n","kind":"sup","tree":{"sup":"top","children":[{"worker":"a","starts":["ok",{"gate":"ok"}]}]},"steps":[{"op":"exit","path":"top/a"}]}`))
	f.Add([]byte(`{"name":"n","kind":"statem","machine":{"init":{"state":"a"},"rules":[{"in":"a","on":["cast","x"],"actions":[{"set":["timeout",20,"t"]}],"next":"b"}]},"steps":[{"op":"batch","ops":[{"op":"cast","msg":"x"}]}]}`))
	f.Add([]byte(`{"name":"n","kind":"event","procs":[{"name":"p","type":"event"}],"steps":[{"op":"add","handler":"h1","spec":{"terminate":{"exit":"x"},"rules":[{"on":["call","q"],"reply":1,"swap":["a","h2",{}]}]}}]}`))
	f.Add([]byte(`{"name":"n","kind":"app","apps":[{"app":"a","env":[["k",1]]}],"steps":[]}`))
	f.Add([]byte(`{"name":"n","kind":"signals","procs":[{"name":"a"}],"steps":[{"proc":"a","do":[["link","a"],"return"]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if sc, err := Parse(text); (sc == nil) == (err == nil) {
			t.Errorf("Parse(%q) = %v, %v; want one of the two", text, sc, err)
		}
	})
}
