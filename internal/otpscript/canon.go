package otpscript

import (
	"cmp"
	"maps"
	"slices"
)

// A canon brings the records of one step into the order that no scheduling can
// change. Of a step it writes
//
//   - first what is ordered by causes, as it happened. What the children of a
//     pool do while the pool stops is concurrent: it is grouped by child;
//   - then the lanes: what orphans do, the processes whose supervisor is dead;
//   - then results, then what observers received.
//
// Orphans stay orphans in later steps, so a canon lives as long as the play.
type canon struct {
	dropLanes bool            // leave out what orphans do
	dead      map[*actor]bool // whose exit has been seen
}

// A routing is the state of one step on its way into order.
type routing struct {
	*canon
	stopping map[*actor][]record // pools that stop: what their children have done since
	main     []record
	lanes    map[string][]record
	results  []record
	received []record
}

// step returns the lines of one step.
func (c *canon) step(records []record) (lines []string) {
	if c.dead == nil {
		c.dead = map[*actor]bool{}
	}
	r := routing{canon: c, stopping: map[*actor][]record{}, lanes: map[string][]record{}}
	for _, rec := range records {
		if kept(rec) {
			r.route(rec)
		}
	}
	pools := slices.SortedFunc(maps.Keys(r.stopping), func(a, b *actor) int { return cmp.Compare(a.name, b.name) })
	for _, pool := range pools {
		r.flush(pool)
	}
	return r.lines()
}

// What a process reports of its own end, as opposed to what its supervisor does.
const (
	serverError = Atom("server_error")
	crashReport = Atom("crash_report")
)

// kept drops the end of a process whose start did not succeed.
func kept(rec record) bool {
	switch rec.ev {
	case "exit", "terminate":
		return rec.by.started
	case "report":
		own := rec.fields["ctx"] == serverError || rec.fields["ctx"] == crashReport
		return !own || rec.by.started
	}
	return true
}

func (r *routing) route(rec record) {
	switch rec.ev {
	case "result":
		r.results = append(r.results, rec)
		return
	case "recv":
		r.received = append(r.received, rec)
		return
	}
	// Whatever a stopping pool does next, it does after what its children did.
	if _, stops := r.stopping[rec.by]; stops {
		r.flush(rec.by)
		if rec.ev == "exit" {
			delete(r.stopping, rec.by)
		}
	}
	r.put(rec.by, rec)
	switch {
	case rec.ev == "exit":
		r.dead[rec.by] = true
	case rec.ev == "terminate" && rec.by.pool:
		r.stopping[rec.by] = nil
	}
}

// put writes a record where the actor's own records go: the nearest dead
// supervisor above it makes a lane, the nearest stopping pool a group.
func (r *routing) put(a *actor, rec record) {
	for ; a.over != nil; a = a.over {
		if r.dead[a.over] {
			r.lanes[a.name] = append(r.lanes[a.name], rec)
			return
		}
		if group, stops := r.stopping[a.over]; stops {
			r.stopping[a.over] = append(group, record{a, rec.ev, rec.fields})
			return
		}
	}
	r.main = append(r.main, rec)
}

// flush writes what a pool's children did since the pool was last heard of,
// child by child.
func (r *routing) flush(pool *actor) {
	group := r.stopping[pool]
	r.stopping[pool] = nil
	slices.SortStableFunc(group, func(a, b record) int { return cmp.Compare(a.by.name, b.by.name) })
	for _, rec := range group {
		r.put(pool, rec)
	}
}

func (r *routing) lines() (lines []string) {
	for _, rec := range r.main {
		lines = append(lines, rec.line())
	}
	if !r.dropLanes {
		for _, lane := range slices.Sorted(maps.Keys(r.lanes)) {
			for _, rec := range r.lanes[lane] {
				inLane := maps.Clone(rec.fields)
				inLane["lane"] = lane
				lines = append(lines, record{rec.by, rec.ev, inLane}.line())
			}
		}
	}
	slices.SortStableFunc(r.results, func(a, b record) int {
		return compareResults(a, b)
	})
	for _, rec := range r.results {
		lines = append(lines, rec.line())
	}
	slices.SortFunc(r.received, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.by.name, b.by.name), cmp.Compare(a.line(), b.line()))
	})
	for _, rec := range r.received {
		lines = append(lines, rec.line())
	}
	return lines
}

// canonSignals is the order of a step of a signals scenario: for each process,
// sorted by name, its ops, then what it received, grouped by sender, then its
// exit. The several signals of one death have no order among themselves in
// OTP: a down comes last in its group.
func canonSignals(records []record) (lines []string) {
	records = slices.DeleteFunc(slices.Clone(records), func(rec record) bool {
		return rec.ev == "report" || rec.ev == "result" || !kept(rec)
	})
	class := map[string]int{"op": 1, "recv": 2, "exit": 3}
	slices.SortStableFunc(records, func(a, b record) int {
		return cmp.Or(
			cmp.Compare(a.by.name, b.by.name),
			cmp.Compare(class[a.ev], class[b.ev]),
			cmp.Compare(text(a.fields["from"]), text(b.fields["from"])),
			cmp.Compare(downKey(a), downKey(b)),
		)
	})
	for _, rec := range records {
		lines = append(lines, rec.line())
	}
	return lines
}

// compareResults orders results by step, and those of one step by who got them.
func compareResults(a, b record) int {
	return cmp.Or(
		cmp.Compare(a.fields["step"].(int), b.fields["step"].(int)),
		cmp.Compare(text(a.fields["as"]), text(b.fields["as"])),
	)
}

// canonProcs is the order of a step of a scenario of several processes: what
// each process did, sorted by name; then results; then what each agent received,
// in its order, or sorted if that is not defined.
func canonProcs(records []record, anyOrder bool) (lines []string) {
	records = slices.DeleteFunc(slices.Clone(records), func(rec record) bool { return !kept(rec) })
	class := func(rec record) int {
		switch rec.ev {
		case "result":
			return 2
		case "recv":
			return 3
		}
		return 1
	}
	slices.SortStableFunc(records, func(a, b record) int {
		if c := cmp.Compare(class(a), class(b)); c != 0 {
			return c
		}
		switch c := cmp.Compare(a.by.name, b.by.name); {
		case a.ev == "result":
			return compareResults(a, b)
		case a.ev == "recv" && anyOrder:
			return cmp.Or(c, cmp.Compare(a.line(), b.line()))
		default:
			return c
		}
	})
	for _, rec := range records {
		lines = append(lines, rec.line())
	}
	return lines
}

func text(v any) string { s, _ := v.(string); return s }

// downKey sorts downs by text, behind all else.
func downKey(rec record) string {
	if msg, isTuple := rec.fields["msg"].(Tuple); isTuple && len(msg) > 0 && msg[0] == Atom("DOWN") {
		return rec.line()
	}
	return ""
}
