package otpscript

import (
	"maps"
	"slices"
)

// A serversGen makes servers that call each other: the first of the chain calls
// the second, that one the third, and all send to the sinks, who ask nobody. So
// one process at a time acts on others, and all mailboxes have one order.
type serversGen struct {
	*gen
	patient bool // calls in callbacks wait for ever: who makes one may be blocked
	chain   []*genServer
	sinks   []*genServer
	agents  map[string]*genAgent
	pending map[string]*genRequest // by label
	known   []string               // names that are or were registered
}

type genServer struct {
	name   string
	depth  int // in the chain; -1: a sink
	statem bool
}

// An genAgent hears of one process only, by a link or by a monitor.
type genAgent struct {
	of       string
	links    bool
	watching bool
	asked    bool // it has sent requests: their answers may lie in its mailbox
	parent   bool
}

type genRequest struct {
	by, coll string
}

// The times of a scenario are far from each other, and a call that is made in a
// call takes less than that.
const (
	askedFor = 15 // by agents
	inner    = 35
	outer    = 80
	idleTime = 60
)

func genServers(base *gen) obj {
	g := &serversGen{gen: base, patient: base.chance(.25), agents: map[string]*genAgent{}, pending: map[string]*genRequest{}}
	for i, name := range []string{"p", "q", "r"}[:g.between(1, 3)] {
		g.chain = append(g.chain, &genServer{name, i, g.chance(.3)})
	}
	for _, name := range []string{"x", "y"}[:g.between(1, 2)] {
		g.sinks = append(g.sinks, &genServer{name, -1, g.chance(.2)})
	}
	g.known = []string{"n_p", "n_q", "nobody"}
	procs := list{obj{"name": "a", "type": "agent", "trap": true}, obj{"name": "b", "type": "agent", "trap": g.chance(.5)}}
	g.agents["a"] = &genAgent{of: "p", links: g.chance(.5)}
	g.agents["b"] = &genAgent{of: pick(g.gen, g.sinks[0].name, g.chain[len(g.chain)-1].name), links: g.chance(.5)}
	for _, s := range append(slices.Clone(g.sinks), backward(g.chain)...) {
		proc := obj{"name": s.name, "type": "server", "machine": g.machine(s)}
		if s.statem {
			proc["type"] = "statem"
		}
		if s.depth >= 0 && g.chance(.5) {
			proc["register"] = "n_" + s.name
		} else if !s.statem && g.chance(.1) {
			proc["enter_loop"] = true
		}
		procs = append(procs, proc)
	}
	for range g.between(6, 18) {
		g.one()
	}
	return obj{"procs": procs}
}

func backward(l []*genServer) []*genServer {
	l = slices.Clone(l)
	slices.Reverse(l)
	return l
}

// ---- what they do

func (g *serversGen) machine(s *genServer) obj {
	rules := list{}
	for range g.between(2, 7) {
		rules = append(rules, g.rule(s))
	}
	begin := obj{}
	if s.statem {
		rules = append(rules,
			obj{"in": "s0", "on": list{"call", "hold"}, "actions": list{obj{"save_from": "k"}}, "next": "held"},
			obj{"in": "held", "on": list{"cast", "rel"}, "do": list{g.answer()}, "next": "s0"})
		begin["state"] = "s0"
	} else {
		rules = append(rules,
			obj{"on": list{"call", "hold"}, "save_from": "k", "set": "held"},
			obj{"in": "held", "on": list{"cast", "rel"}, "do": list{g.answer()}, "set": "free"})
		begin["set"] = "s0"
	}
	if s.depth == 0 && g.chance(.3) {
		begin["do"] = g.deeds(s, obj{}, !g.patient)
	}
	if !s.statem && s.depth <= 0 && g.chance(.15) {
		begin["continue"] = "first"
	}
	m := obj{"rules": rules, "init": begin}
	if g.chance(.3) {
		m["trap"] = true
	}
	if !s.statem && g.chance(.1) {
		m["on_stop"] = pick(g.gen, obj{"crash": "late"}, obj{"exit": "other"})
	}
	return m
}

func (g *serversGen) answer() list {
	return list{pick(g.gen, "reply", "reply_by_other"), "k", g.fresh("late")}
}

// rule is one of a server's or state machine's. Who may be called by others of
// the chain does nothing after it has answered that they could notice.
func (g *serversGen) rule(s *genServer) obj {
	cb := pick(g.gen, "call", "call", "call", "cast", "cast", "info")
	if !s.statem && g.chance(.1) {
		cb = "continue"
	}
	r := obj{"on": list{cb, pick(g.gen, sysEvents...)}}
	if cb == "continue" || cb == "call" && g.chance(.2) {
		r["on"] = list{cb, "_"}
	}
	if s.depth == 0 || s.depth > 0 && cb == "call" {
		if g.chance(.7) {
			r["do"] = g.deeds(s, r, true)
		}
	}
	if s.statem {
		g.statemRule(s, cb, r)
	} else {
		g.serverRule(s, cb, r)
	}
	return r
}

func (g *serversGen) serverRule(s *genServer, cb string, r obj) {
	top := s.depth <= 0
	x := g.Float64()
	switch {
	case cb == "continue" && s.depth > 0:
	case x < .06:
		r["stop"] = g.reason()
		if top && cb == "call" && g.chance(.5) {
			r["reply"] = g.fresh("r")
		}
		return
	case x < .12:
		r[pick(g.gen, "crash", "exit")] = "cr"
		return
	case x < .18:
		r[pick(g.gen, "throw", "return")] = g.rawServer(cb, top)
		return
	}
	switch {
	case cb == "call" && g.chance(.75):
		r["reply"] = g.fresh("r")
	case cb == "call":
		r["save_from"] = "k2"
	case g.chance(.4):
		r["replies"] = list{list{"k2", g.fresh("late")}}
	}
	if g.chance(.2) {
		r["set"] = pick[any](g.gen, "s0", "s1", jsonTuple("s", 1))
	}
	switch x := g.Float64(); {
	case x < .12 && top && cb != "continue":
		r["continue"] = g.fresh("c")
	case x < .2:
		r["hibernate"] = true
	case x < .26:
		r["timeout"] = longTime
	case x < .36 && s.depth == 0:
		r["timeout"], r["max"] = pick(g.gen, 0, idleTime), 2
	}
}

// rawServer is what a callback of a server may return, or not.
func (g *serversGen) rawServer(cb string, top bool) any {
	raw := []any{"odd", jsonTuple("noreply", "s1"), jsonTuple("noreply", "s1", "hibernate"), jsonTuple("stop", g.reason(), "s1"),
		jsonTuple("noreply", "s1", "odd"), jsonTuple("reply", "only")}
	if cb == "call" || g.chance(.2) {
		raw = append(raw, jsonTuple("reply", g.fresh("r"), "s1"), jsonTuple("reply", g.fresh("r"), "s1", "hibernate"))
		if top {
			raw = append(raw, jsonTuple("stop", g.reason(), g.fresh("r"), "s1"))
		}
	}
	return pick(g.gen, raw...)
}

func (g *serversGen) statemRule(s *genServer, cb string, r obj) {
	top := s.depth <= 0
	switch x := g.Float64(); {
	case x < .06:
		r["stop"] = g.reason()
		if top && cb == "call" && g.chance(.5) {
			r["actions"] = list{obj{"reply": g.fresh("r")}}
		}
		return
	case x < .12:
		r[pick(g.gen, "crash", "exit")] = "cr"
		return
	case x < .18:
		r[pick(g.gen, "throw", "return")] = pick[any](g.gen, "odd", "keep_state_and_data", jsonTuple("next_state", "s1", "d"),
			jsonTuple("keep_state", "d"), jsonTuple("stop", g.reason()), jsonTuple("stop", g.reason(), "d"))
		return
	}
	actions := list{}
	switch {
	case cb == "call" && g.chance(.75):
		actions = append(actions, obj{"reply": g.fresh("r")})
	case cb == "call":
		actions = append(actions, obj{"save_from": "k2"})
	case g.chance(.4):
		actions = append(actions, obj{"reply_to": list{"k2", g.fresh("late")}})
	}
	if s.depth == 0 && g.chance(.1) {
		actions = append(actions, obj{"next_event": list{"internal", g.fresh("i")}})
	}
	r["actions"] = actions
	if g.chance(.3) {
		r["in"], r["next"] = "s0", "s1"
	} else if g.chance(.2) {
		r["in"], r["next"] = "s1", "s0"
	}
}

// deeds are what a callback does with others. It asks the next of the chain once
// at most, for one that ends after its answer may be there or not when it is
// asked again.
func (g *serversGen) deeds(s *genServer, rule obj, asks bool) list {
	l := list{}
	for range g.between(0, 2) {
		l = append(l, g.deed(s, rule))
	}
	if next := s.depth + 1; asks && next < len(g.chain) && g.chance(.7) {
		within := any(outer)
		if s.depth > 0 {
			within = inner
		}
		if g.patient {
			within = pick[any](g.gen, longTime, "infinity")
		}
		l = append(l, g.maybeUncaught(list{"call", g.chain[next].name, pick(g.gen, append(sysEvents, "hold")...), within}))
	}
	for g.chance(.3) {
		l = append(l, g.toSink())
	}
	return l
}

func (g *serversGen) toSink() any {
	return list{pick(g.gen, "cast", "send"), pick(g.gen, g.sinks...).name, pick(g.gen, append(sysEvents, "rel")...)}
}

func (g *serversGen) maybeUncaught(deed list) any {
	if g.chance(.2) {
		return obj{"uncaught": deed}
	}
	return deed
}

func (g *serversGen) deed(s *genServer, rule obj) any {
	switch g.IntN(10) {
	case 0:
		return g.maybeUncaught(list{"whereis", pick(g.gen, g.known...)})
	case 1:
		return g.maybeUncaught(list{"register", pick(g.gen, "n_p", "n_new")})
	case 2:
		return g.maybeUncaught(list{"call", pick(g.gen, "self", "nobody"), "e0", askedFor})
	case 3:
		return g.maybeUncaught(list{pick(g.gen, "cast", "send"), "nobody", "e0"})
	case 4:
		rule["max"] = 2 // or it might go on for ever
		msg := any("note")
		if s.depth == 0 {
			msg = pick(g.gen, sysEvents...)
		}
		return list{pick(g.gen, "cast", "send"), "self", msg}
	case 5:
		if s.depth == 0 {
			return list{pick(g.gen, "cast", "send"), "a", g.fresh("m")}
		}
	}
	return g.toSink()
}

// ---- what is done to them

func (g *serversGen) one() {
	s := pick(g.gen, append(slices.Clone(g.chain), g.sinks...)...)
	if g.chance(.4) {
		s = g.chain[0]
	}
	switch x := g.Float64(); {
	case x < .35:
		g.steps = append(g.steps, g.message(s, ""))
	case x < .45 && !g.patient:
		g.batch()
	case x < .52:
		g.step("cast", obj{"to": s.name, "msg": "rel"})
	case x < .62:
		g.ask()
	case x < .74:
		g.response()
	case x < .82:
		g.watch()
	case x < .86:
		g.start()
	case x < .89:
		g.step("whereis", obj{"name": pick(g.gen, g.known...)})
	case x < .91:
		g.step("get_state", obj{"to": g.sinks[0].name})
	case x < .93:
		if who := g.agent(); who != "" && !g.agents[who].asked {
			g.step("mailbox", obj{"as": who})
		}
	default:
		g.end(s)
	}
}

// agent is one that lives.
func (g *serversGen) agent() string {
	return pickOr(g.gen, slices.Sorted(maps.Keys(g.agents)), "")
}

func (g *serversGen) message(s *genServer, as string) obj {
	f := obj{"to": s.name, "msg": pick(g.gen, append(sysEvents, "hold")...)}
	op := pick(g.gen, "call", "call", "cast", "info")
	if op == "call" {
		f["as"] = g.fresh("c")
		if who := g.agent(); as == "" && who != "" && g.chance(.3) {
			f["as"], f["timeout"] = who, askedFor
		}
	}
	return g.act(op, f)
}

func (g *serversGen) batch() {
	ops := list{}
	for range g.between(2, 4) {
		o := g.message(g.chain[0], "fresh")
		delete(o, "to")
		ops = append(ops, o)
	}
	g.step("batch", obj{"to": "p", "ops": ops})
}

// ask sends a request.
func (g *serversGen) ask() {
	who := g.agent()
	if who == "" {
		return
	}
	g.agents[who].asked = true
	r, label, to := &genRequest{by: who}, g.fresh("l"), pick(g.gen, append(slices.Clone(g.chain), g.sinks...)...)
	f := obj{"as": who, "label": label, "msg": pick(g.gen, append(sysEvents, "hold")...), "to": to.name}
	if g.chance(.05) {
		f["to"] = "nobody"
	}
	if !to.statem && g.chance(.5) { // coppice's collections are of servers
		r.coll = "coll_" + who
		f["coll"] = r.coll
	}
	g.pending[label] = r
	g.step("send_request", f)
}

// response waits for the answer to a request once, or for the next of a
// collection: as often as it likes if it only waits, and once if it gives up
// what it has waited for.
func (g *serversGen) response() {
	label := pickOr(g.gen, slices.Sorted(maps.Keys(g.pending)), "")
	if label == "" {
		g.ask()
		return
	}
	r, how := g.pending[label], pick(g.gen, "receive", "wait")
	f := obj{"as": r.by, "timeout": askedFor, "how": how}
	if r.coll == "" {
		f["label"] = label
		delete(g.pending, label)
		g.step("response", f)
		return
	}
	f["coll"] = r.coll
	switch {
	case how == "wait":
		g.step("response", f)
	case !g.chance(.5):
		// The recorder forgets that they were given up, so the collection is done.
		g.step("response", f)
		g.endAgent(r.by)
	}
}

// watch links or monitors, each agent its one process and in its one way: if one
// had both, the order of what it hears would be luck.
func (g *serversGen) watch() {
	who := g.agent()
	if who == "" {
		return
	}
	a := g.agents[who]
	f := obj{"as": who, "to": a.of}
	if a.links {
		g.step(pick(g.gen, "link", "link", "unlink"), f)
	} else if !a.watching {
		a.watching = true
		f["label"] = g.fresh("m")
		g.step("monitor", f)
	}
}

// start starts another server. A start that fails would end a parent that does
// not trap, so that the result might be lost.
func (g *serversGen) start() {
	name := g.fresh("z")
	begin := obj{"set": "z0"}
	proc := obj{"name": name, "type": "server", "machine": obj{"init": begin, "trap": g.chance(.5),
		"rules": list{obj{"on": list{"call", "_"}, "reply": g.fresh("r")}}}}
	f := obj{"proc": proc}
	if g.agents["a"] != nil && g.chance(.3) {
		f["as"] = "a"
	}
	switch x := g.Float64(); {
	case x < .3:
		begin["outcome"] = pick[any](g.gen, "ignore", obj{"error": "e"}, obj{"crash": "c"}, obj{"exit": "x"}, obj{"exit": "normal"}, obj{"error": "normal"})
	case x < .6:
		n := pick(g.gen, "n_p", "n_q", "n_z")
		proc["register"] = n
		g.known = append(g.known, n)
	case x < .8:
		proc["enter_loop"] = true
	}
	if f["as"] == "a" {
		// It would hear of a failure as well.
		delete(begin, "outcome")
		g.agents["a"].parent = true
	}
	g.step("start", f)
	if begin["outcome"] == nil && proc["register"] == nil && f["as"] == nil && g.chance(.5) {
		g.step(pick(g.gen, "stop", "signal", "parent_exit"), obj{"to": name, "reason": pick(g.gen, "shutdown", "boom")})
	}
}

func (g *serversGen) end(s *genServer) {
	f := obj{"to": s.name}
	switch g.IntN(5) {
	case 0:
		if who := g.agent(); who != "" {
			g.endAgent(who)
		}
	case 1:
		if !g.patient || s.depth < 0 {
			f["reason"], f["as"] = g.reason(), g.fresh("c")
			g.step("stop", f)
		}
	case 2:
		f["reason"] = pick(g.gen, "shutdown", "boom")
		g.step("parent_exit", f)
	default:
		f["reason"] = pick(g.gen, "boom", "kill", "shutdown", "normal")
		g.step("signal", f)
	}
}

// endAgent ends an agent; not for normal if it has children, who would survive
// that in OTP and do not in coppice (GSV-16).
func (g *serversGen) endAgent(who string) {
	why := pick(g.gen, "normal", "boom", "shutdown")
	if g.agents[who].parent {
		why = pick(g.gen, "boom", "shutdown")
	}
	delete(g.agents, who)
	maps.DeleteFunc(g.pending, func(_ string, r *genRequest) bool { return r.by == who })
	g.step("exit", obj{"who": who, "reason": why})
}
