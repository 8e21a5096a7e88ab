package otpscript

// A sysGen tells processes to suspend, to show their state, and so on, between
// messages.
type sysGen struct {
	*gen
	procs []*sysProc
}

// A sysProc is a process and what decides what may be done to it.
type sysProc struct {
	name, kind string
	suspended  bool
	sleeps     bool // it hibernates, and then OTP's spins on a message while suspended
	log        int  // messages since its log was turned on, and 1; 0: it is off
	watcher    string
}

var (
	sysEvents = []any{"e0", "e1", "e2", "e3"}
	sysStates = []string{"s0", "s1", "s2"}
)

const longTime = 3600000

func genSys(base *gen) obj {
	g := &sysGen{gen: base}
	procs := list{}
	for _, name := range []string{"p", "q", "e"}[:pick(g.gen, 1, 1, 2, 3)] {
		p := &sysProc{name: name, kind: pick(g.gen, "server", "statem", "event"), sleeps: g.chance(.2), watcher: "a_" + name}
		g.procs = append(g.procs, p)
		proc := obj{"name": name, "type": p.kind}
		switch p.kind {
		case "server":
			proc["machine"] = g.server(p)
		case "statem":
			proc["machine"] = g.statem()
		}
		procs = append(procs, proc, obj{"name": p.watcher, "type": "agent", "trap": true})
	}
	for range g.between(8, 20) {
		g.one()
	}
	for _, p := range g.procs {
		if p.suspended {
			g.step("resume", obj{"to": p.name})
		}
		g.step(pick(g.gen, "get_state", "get_status"), obj{"to": p.name})
	}
	return obj{"procs": procs}
}

// server has no timeout if it may be suspended: OTP's begins anew at resume
// (sys_suspend_server_timeout).
func (g *sysGen) server(p *sysProc) obj {
	rules := list{}
	for range g.between(1, 6) {
		cb := pick(g.gen, "call", "call", "cast", "info", "continue")
		r := obj{"on": list{cb, pick(g.gen, append(sysEvents, "_")...)}}
		if cb == "continue" {
			r["on"] = list{cb, "_"}
		}
		if g.chance(.3) {
			r["in"] = pick(g.gen, "s0", "s1")
		}
		if g.chance(.4) {
			r["set"] = pick[any](g.gen, "s0", "s1", jsonTuple("s", 1))
		}
		switch {
		case cb == "call" && g.chance(.7):
			r["reply"] = g.fresh("r")
		case cb == "call":
			r["save_from"] = "k"
		case g.chance(.4):
			r["replies"] = list{list{"k", g.fresh("late")}}
		}
		switch x := g.Float64(); {
		case x < .1 && cb != "continue":
			r["continue"] = g.fresh("c")
		case x < .15:
			r["stop"] = g.reason()
		case x < .18:
			r[pick(g.gen, "crash", "exit")] = "cr"
		case x < .35 && p.sleeps:
			r["hibernate"] = true
		case x < .45 && p.sleeps:
			r["timeout"] = pick(g.gen, 0, 20, longTime)
			r["max"] = 2
		}
		rules = append(rules, r)
	}
	m := obj{"rules": rules, "init": obj{"set": "s0"}}
	if g.chance(.5) {
		m["trap"] = true
	}
	if g.chance(.1) {
		m["on_stop"] = pick(g.gen, obj{"crash": "late"}, obj{"exit": "other"})
	}
	return m
}

func (g *sysGen) statem() obj {
	enter := g.chance(.4)
	rules := list{}
	for range g.between(2, 8) {
		on := pick[any](g.gen, "cast", "cast", "info", "call", "call", "state_timeout", jsonTuple("timeout", "g1"), "internal")
		r := obj{"in": pick(g.gen, append(sysStates, "_")...), "on": list{on, "_"}}
		message := on == "cast" || on == "info" || on == "call"
		if message {
			r["on"] = list{on, pick(g.gen, sysEvents...)}
		}
		if enter && g.chance(.2) {
			r["on"], message = list{"enter", "_"}, false
		}
		actions := list{}
		if on == "call" && g.chance(.7) {
			actions = append(actions, obj{"reply": g.fresh("r")})
		}
		for range g.between(0, 2) {
			kind := pick[any](g.gen, "timeout", "state_timeout", jsonTuple("timeout", "g1"), jsonTuple("timeout", "g2"))
			switch x := g.Float64(); {
			case x < .4:
				actions = append(actions, obj{"set": list{kind, longTime, g.fresh("x")}})
			case x < .5:
				actions = append(actions, obj{"cancel": kind})
			case x < .6:
				actions = append(actions, obj{"set": list{kind, 0, g.fresh("x")}})
				r["max"] = 2
			case x < .75 && message:
				actions = append(actions, obj{"next_event": list{pick(g.gen, "internal", "cast"), g.fresh("i")}})
				r["max"] = 2
			}
		}
		switch x := g.Float64(); {
		case x < .25 && message:
			actions = list{"postpone"}
			r["max"] = 3
		case x < .6 && message:
			r["next"] = pick(g.gen, sysStates...)
		case x < .65 && message:
			r["stop"] = g.reason()
		}
		if g.chance(.3) {
			r["set"] = g.fresh("d")
		}
		r["actions"] = actions
		rules = append(rules, r)
	}
	m := obj{"state_enter": enter, "rules": rules, "init": obj{"state": "s0", "set": "d0"}}
	if g.chance(.4) {
		m["trap"] = true
	}
	return m
}

func (g *sysGen) one() {
	p := pick(g.gen, g.procs...)
	to := obj{"to": p.name}
	switch x := g.Float64(); {
	case x < .45:
		g.message(p)
	case x < .6:
		if p.sleeps {
			return
		}
		if p.suspended = !p.suspended; g.chance(.15) {
			p.suspended = true // maybe a second time
		}
		g.step(map[bool]string{true: "suspend", false: "resume"}[p.suspended], to)
	case x < .68:
		g.step("get_state", to)
	case x < .76:
		g.step("get_status", to)
	case x < .84:
		g.replace(p, to)
	case x < .89:
		to["flag"] = pick(g.gen, "true", "get", "get", "false")
		g.step("statistics", to)
	case x < .95:
		g.log(p)
	case x < .97:
		g.watch(p)
	default:
		g.end(p, to)
	}
}

// message sends something, from somebody else each time: who waits for an answer
// cannot do anything else.
func (g *sysGen) message(p *sysProc) {
	if p.log > 3 {
		g.turnLog(p, "false") // OTP keeps ten entries, and not only of messages
	}
	if p.log > 0 {
		p.log++
	}
	f := obj{"to": p.name, "msg": pick(g.gen, sysEvents...)}
	if p.kind == "event" {
		g.toManager(p, f)
		return
	}
	op := pick(g.gen, "call", "call", "cast", "cast", "info")
	if op == "call" {
		f["as"] = g.fresh("c")
		if g.chance(.2) {
			f["timeout"] = 30
		}
	}
	g.step(op, f)
}

// toManager does under a log only what FORMAT.md has an entry for.
func (g *sysGen) toManager(p *sysProc, f obj) {
	h := pick[any](g.gen, "h1", "h2", jsonTuple("h1", 1))
	x := g.Float64()
	if p.log > 0 {
		x = .3 + x*.55
	}
	switch {
	case x < .3:
		delete(f, "msg")
		f["handler"], f["as"], f["spec"] = h, g.fresh("c"), g.handler()
		g.step("add", f)
	case x < .55:
		g.step("notify", f)
	case x < .65:
		f["as"] = g.fresh("c")
		g.step("sync_notify", f)
	case x < .75:
		f["handler"], f["as"] = h, g.fresh("c")
		g.step("event_call", f)
	case x < .85:
		g.step("info", f)
	case x < .92:
		delete(f, "msg")
		f["handler"], f["as"], f["arg"] = h, g.fresh("c"), g.fresh("d")
		g.step("delete", f)
	default:
		delete(f, "msg")
		f["as"] = g.fresh("c")
		if p.suspended {
			return
		}
		g.step("which_handlers", f)
	}
}

func (g *sysGen) handler() obj {
	rules := list{}
	for range g.between(0, 4) {
		cb := pick(g.gen, "event", "event", "call", "info")
		r := obj{"on": list{cb, pick(g.gen, append(sysEvents, "_")...)}}
		if cb == "call" {
			r["reply"] = g.fresh("r")
		}
		switch x := g.Float64(); {
		case x < .4:
			r["set"] = g.fresh("s")
		case x < .5:
			r["remove"] = true
		case x < .6:
			r[pick(g.gen, "crash", "exit", "throw", "return")] = "odd"
		}
		rules = append(rules, r)
	}
	return obj{"state": g.fresh("s"), "rules": rules}
}

func (g *sysGen) replace(p *sysProc, to obj) {
	switch {
	case g.chance(.15):
		to["crash"] = "oops"
	case p.kind == "statem":
		to["set"] = jsonTuple(pick(g.gen, sysStates...), g.fresh("d"))
	default:
		to["set"] = pick[any](g.gen, "s0", "s1", g.fresh("n"), 7)
	}
	g.step("replace_state", to)
}

func (g *sysGen) log(p *sysProc) {
	switch {
	case p.kind == "event" && p.suspended:
		// What waits may be of those that a log does not show: see toManager.
	case p.log == 0:
		g.turnLog(p, pick(g.gen, "true", "true", "get", "false"))
	case g.chance(.8):
		g.turnLog(p, "get")
	default:
		g.turnLog(p, "false")
	}
}

func (g *sysGen) turnLog(p *sysProc, flag string) {
	switch flag {
	case "true":
		p.log = 1
	case "false":
		p.log = 0
	}
	g.step("log", obj{"to": p.name, "flag": flag})
}

// watch has an agent monitor a process. Each has one of its own, so that none
// hears of two in one step.
func (g *sysGen) watch(p *sysProc) {
	if p.watcher != "" {
		op := pick(g.gen, "monitor", "link")
		if p.kind == "event" {
			op = "monitor" // a manager hears of the end of who is linked to it
		}
		g.step(op, obj{"to": p.name, "as": p.watcher, "label": g.fresh("m")})
		p.watcher = ""
	}
}

func (g *sysGen) end(p *sysProc, to obj) {
	switch g.IntN(5) {
	case 0:
		to["reason"] = g.reason()
		g.step("terminate", to)
	case 1:
		to["reason"], to["as"] = g.reason(), g.fresh("c")
		g.step("stop", to)
	case 2:
		to["reason"] = pick(g.gen, "shutdown", "boom")
		g.step("parent_exit", to)
	default:
		to["reason"] = pick(g.gen, "boom", "kill", "shutdown", "normal")
		g.step("signal", to)
	}
}
