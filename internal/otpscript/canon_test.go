package otpscript

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCanonGroupsPools(t *testing.T) {
	top := &actor{name: "top#1", started: true}
	pool := &actor{name: "top/p#1", over: top, pool: true, started: true}
	k1 := &actor{name: "top/p/k1#1", over: pool, started: true}
	k2 := &actor{name: "top/p/k2#1", over: pool, started: true}
	sub := &actor{name: "top/p/k2/s#1", over: k2, started: true}
	got := new(canon).step([]record{
		happened(pool, "terminate"), happened(k2, "terminate"), happened(k1, "terminate"), happened(sub, "exit"),
		happened(k1, "exit"), happened(k2, "exit"), happened(pool, "exit"), happened(top, "report"),
	})
	want := lines(
		happened(pool, "terminate"), happened(k1, "terminate"), happened(k1, "exit"),
		happened(k2, "terminate"), happened(sub, "exit"), happened(k2, "exit"), happened(pool, "exit"), happened(top, "report"),
	)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v: each child's events together, by name", got, want)
	}
}

func TestCanonMovesOrphansToLanes(t *testing.T) {
	top := &actor{name: "top#1", started: true}
	sup := &actor{name: "top/s#1", over: top, started: true}
	b := &actor{name: "top/s/b#1", over: sup, started: true}
	a := &actor{name: "top/s/a#1", over: sup, started: true}
	records := []record{happened(sup, "exit"), happened(b, "exit"), happened(top, "report"), happened(a, "exit")}
	c := new(canon)
	want := lines(happened(sup, "exit"), happened(top, "report"), inLane(a, "exit"), inLane(b, "exit"))
	if got := c.step(records); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v: orphans last, by name", got, want)
	}
	want = lines(inLane(a, "info"))
	if got := c.step([]record{happened(a, "info")}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: an orphan stays one in later steps", got, want)
	}
	if got := (&canon{dropLanes: true}).step(records); len(got) != 2 {
		t.Errorf("got %v, want 2 lines: lanes are dropped on request", got)
	}
}

func TestCanonDropsWhatNeverStarted(t *testing.T) {
	a := &actor{name: "top/a#1"}
	got := new(canon).step([]record{
		happened(a, "start"), happened(a, "exit"), {a, "report", fields{"ctx": crashReport}}, happened(a, "start_error"),
	})
	if want := lines(happened(a, "start"), happened(a, "start_error")); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCanonSignals(t *testing.T) {
	a, b := &actor{name: "a", started: true}, &actor{name: "b", started: true}
	recv := func(from string, msg Term) record {
		return record{b, "recv", fields{"id": "b", "from": from, "msg": msg}}
	}
	down := recv("a", tuple(Atom("DOWN"), Atom("noproc")))
	got := canonSignals([]record{
		happened(b, "exit"), down, recv("c", Atom("1")), recv("a", Atom("z")), recv("a", Atom("y")), happened(b, "op"), happened(a, "exit"),
	})
	want := lines(happened(a, "exit"), happened(b, "op"), recv("a", Atom("z")), recv("a", Atom("y")), down, recv("c", Atom("1")), happened(b, "exit"))
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func happened(a *actor, ev string) record { return record{a, ev, fields{"id": a.name}} }

func inLane(a *actor, ev string) record {
	return record{a, ev, fields{"id": a.name, "lane": a.name}}
}

func lines(records ...record) (out []string) {
	for _, r := range records {
		out = append(out, r.line())
	}
	return out
}

// The order is canonical: a recorded step comes out as it is, from whatever
// interleaving of what ran concurrently.
func TestCanonOfRecordings(t *testing.T) {
	for _, file := range scenarioFiles(t, "sup", "app") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sc, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		golden := goldenLines(t, sc.Name)
		for seed := range uint64(5) {
			checkRecording(t, sc, golden, rand.New(rand.NewPCG(seed, 1)))
		}
	}
}

func goldenLines(t *testing.T, name string) []string {
	text, err := os.ReadFile(filepath.Join(data, "golden", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// checkRecording shuffles each step of a golden log and puts it in order again.
func checkRecording(t *testing.T, sc *Scenario, golden []string, r *rand.Rand) {
	cast := cast{pools: poolPaths(sc), actors: map[string]*actor{}}
	c := &canon{dropLanes: sc.Kind == "app"}
	for _, stepLines := range splitSteps(golden) {
		var records []record
		for _, l := range stepLines {
			records = append(records, cast.record(t, l))
		}
		shuffled := interleave(records, r)
		if got := c.step(shuffled); !slices.Equal(got, stepLines) {
			t.Errorf("%s:\n got %s\nwant %s\nfrom %v", sc.Name, strings.Join(got, "\n     "), strings.Join(stepLines, "\n     "), lines(shuffled...))
			return
		}
	}
}

// splitSteps cuts a log at its step lines and leaves them out, and the first
// and the last line as well.
func splitSteps(log []string) (steps [][]string) {
	for _, l := range log {
		switch {
		case strings.Contains(l, `"ev":"step"`):
			steps = append(steps, nil)
		case strings.Contains(l, `"ev":"scenario"`), strings.Contains(l, `"ev":"end"`), strings.Contains(l, `"ev":"vm_down"`):
		default:
			steps[len(steps)-1] = append(steps[len(steps)-1], l)
		}
	}
	return steps
}

// A cast knows the actors of a recorded log, from their names.
type cast struct {
	pools  map[string]bool // paths of simple_one_for_one supervisors
	actors map[string]*actor
}

func (c cast) record(t *testing.T, line string) record {
	var f map[string]any
	if err := json.Unmarshal([]byte(line), &f); err != nil {
		t.Fatal(err)
	}
	ev := f["ev"].(string)
	delete(f, "ev")
	if n, isNumber := f["step"].(float64); isNumber {
		f["step"] = int(n)
	}
	id, _ := f["id"].(string)
	return record{c.actor(id, ev), ev, f}
}

// actor finds the actor of a name; a start makes it.
func (c cast) actor(id, ev string) *actor {
	path, _, numbered := strings.Cut(id, "#")
	if a := c.actors[id]; a != nil || !numbered {
		if a == nil {
			a = &actor{name: id}
			c.actors[id] = a
		}
		a.started = a.started || ev == "start_ok"
		return a
	}
	a := &actor{name: id, pool: c.pools[path]}
	c.actors[id] = a
	c.actors["latest of "+path] = a
	if cut := strings.LastIndexByte(path, '/'); cut > 0 {
		a.over = c.actors["latest of "+path[:cut]]
	}
	return a
}

func poolPaths(sc *Scenario) map[string]bool {
	pools := map[string]bool{}
	var walk func(path string, n *Node)
	walk = func(path string, n *Node) {
		pools[path] = pools[path] || n.isPool()
		for _, child := range n.Children {
			walk(path+"/"+child.step(), child)
		}
	}
	add := func(path string, n *Node) {
		if n != nil {
			walk(path+n.step(), n)
		}
	}
	add("", sc.Tree)
	for _, a := range sc.Apps {
		add("", a.Tree)
	}
	for _, st := range sc.Steps {
		add("", st.Tree)
		add(st.Sup+"/", st.Spec)
	}
	return pools
}

// interleave gives another order in which the records of a step may happen.
func interleave(records []record, r *rand.Rand) []record {
	var main []record
	loose := map[string][]record{} // sequences that run beside main
	for _, rec := range records {
		lane, _ := rec.fields["lane"].(string)
		switch {
		case lane != "":
			delete(rec.fields, "lane")
			loose[lane] = append(loose[lane], rec)
		case rec.ev == "result" || rec.ev == "recv":
			loose[rec.line()] = append(loose[rec.line()], rec)
		default:
			main = append(main, rec)
		}
	}
	main = shufflePools(main, r)
	for _, name := range slices.Sorted(maps.Keys(loose)) {
		from := 0
		if seq := loose[name]; seq[0].ev != "result" && seq[0].ev != "recv" {
			// A lane begins when the supervisor is dead, maybe in an earlier step.
			for a := seq[0].by; a != nil; a = a.over {
				if dead := slices.IndexFunc(main, func(rec record) bool { return rec.ev == "exit" && rec.by == a.over }); a.name == name && dead >= 0 {
					from = dead + 1
				}
			}
		}
		main = mergeFrom(main, from, loose[name], r)
	}
	return main
}

// mergeFrom mixes seq into base, behind the first from records.
func mergeFrom(base []record, from int, seq []record, r *rand.Rand) []record {
	out := slices.Clone(base[:from])
	base = base[from:]
	for len(base)+len(seq) > 0 {
		if r.IntN(len(base)+len(seq)) < len(base) {
			out, base = append(out, base[0]), base[1:]
		} else {
			out, seq = append(out, seq[0]), seq[1:]
		}
	}
	return out
}

// shufflePools mixes what the children of a stopping pool do until the pool is
// heard of again.
func shufflePools(main []record, r *rand.Rand) []record {
	for i, rec := range main {
		if rec.ev != "terminate" || !rec.by.pool {
			continue
		}
		end := i + 1
		for end < len(main) && main[end].by != rec.by {
			end++
		}
		perChild := map[string][]record{}
		for _, m := range main[i+1 : end] {
			child := m.by
			for child.over != rec.by {
				child = child.over
			}
			perChild[child.name] = append(perChild[child.name], m)
		}
		var mixed []record
		for _, name := range slices.Sorted(maps.Keys(perChild)) {
			mixed = mergeFrom(mixed, 0, perChild[name], r)
		}
		copy(main[i+1:end], mixed)
	}
	return main
}

// Of processes side by side: what each did, then results, then what was received.
func TestCanonProcs(t *testing.T) {
	p, q, a := &actor{name: "p", started: true}, &actor{name: "q", started: true}, &actor{name: "a", started: true}
	result := func(step int, as string) record {
		return record{nobody, "result", fields{"step": step, "as": as}}
	}
	received := func(msg string) record { return record{a, "recv", fields{"id": "a", "msg": Atom(msg)}} }
	records := []record{
		received("late"), result(2, "b"), {q, "cb", fields{"id": "q"}}, result(1, "c"), {p, "exit", fields{"id": "p"}},
		result(2, "a"), received("early"), {&actor{name: "never"}, "exit", fields{"id": "never"}}, {q, "exit", fields{"id": "q"}},
	}
	const own = `{"ev":"exit","id":"p"} {"ev":"cb","id":"q"} {"ev":"exit","id":"q"} ` +
		`{"as":"c","ev":"result","step":1} {"as":"a","ev":"result","step":2} {"as":"b","ev":"result","step":2} `
	late, early := `{"ev":"recv","id":"a","msg":"late"}`, `{"ev":"recv","id":"a","msg":"early"}`
	if got, want := strings.Join(canonProcs(records, false), " "), own+late+" "+early; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := strings.Join(canonProcs(records, true), " "), own+early+" "+late; got != want {
		t.Errorf("in any order: got  %s\nwant %s", got, want)
	}
}
