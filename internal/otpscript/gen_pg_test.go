package otpscript

import "slices"

// A pgGen knows who is a member of what, to make lists of members that leave,
// and who must not end.
type pgGen struct {
	*gen
	agents  []string
	scopes  map[string]string    // the running process of each scope
	members map[pgGroup][]string // as often as they have joined
	joined  map[string]bool      // agents that ever were members
	watches map[string]obj       // label: the step that began it
}

type pgGroup struct {
	scope string
	group int // of pgGroups
}

var pgGroups = []any{"g", "h", 1, jsonTuple("x", 1)}

func genPg(base *gen) obj {
	g := &pgGen{gen: base, agents: []string{"a", "b", "c", "d", "m", "n"}, scopes: map[string]string{"sc": "s", "other": "s2"},
		members: map[pgGroup][]string{}, joined: map[string]bool{}, watches: map[string]obj{}}
	procs := list{obj{"name": "s", "type": "pg", "scope": "sc"}, obj{"name": "s2", "type": "pg", "scope": "other"}}
	for _, name := range g.agents {
		procs = append(procs, obj{"name": name, "type": "agent", "trap": g.chance(.5)})
	}
	for range g.between(6, 18) {
		g.one()
	}
	g.step("groups", obj{"scope": "sc"})
	g.step("members", obj{"scope": "sc", "group": "g"})
	return obj{"procs": procs}
}

func (g *pgGen) one() {
	at := pgGroup{pick(g.gen, "sc", "sc", "sc", "other"), pick(g.gen, 0, 0, 1, 2, 3)}
	where := obj{"scope": at.scope, "group": pgGroups[at.group]}
	if g.chance(.03) {
		where["scope"], at.scope = "nowhere", "nowhere"
	}
	if g.chance(.3) {
		where["as"] = pickOr(g.gen, g.agents, "client")
	}
	switch x := g.Float64(); {
	case x < .3:
		g.join(at, where)
	case x < .45:
		g.leave(at, where)
	case x < .55:
		g.step(pick(g.gen, "members", "local_members"), where)
	case x < .62:
		delete(where, "group")
		g.step(pick(g.gen, "groups", "local_groups"), where)
	case x < .76:
		g.monitor(where)
	case x < .82:
		g.demonitor()
	case x < .92:
		g.end()
	case x < .96:
		g.endScope(at.scope)
	default:
		g.startScope(at.scope)
	}
}

// join has the living join: coppice refuses the dead (PG-02).
func (g *pgGen) join(at pgGroup, where obj) {
	if len(g.agents) == 0 {
		return
	}
	who := []string{pick(g.gen, g.agents...)}
	for g.chance(.3) {
		who = append(who, pick(g.gen, g.agents...))
	}
	if g.scopes[at.scope] != "" {
		g.members[at] = append(g.members[at], who...)
		for _, name := range who {
			g.joined[name] = true
		}
	}
	if where["procs"] = who; len(who) == 1 {
		delete(where, "procs")
		where["proc"] = who[0]
	}
	g.step("join", where)
}

// leave has somebody leave, who may be no member; of several all are: OTP's
// message to monitors would name the others too (pg_monitor_leave_list_partial).
func (g *pgGen) leave(at pgGroup, where obj) {
	in := g.members[at]
	if g.chance(.5) || len(in) < 2 {
		who := pickOr(g.gen, in, "a")
		if g.chance(.3) {
			who = pick(g.gen, "a", "b", "c", "d", "m")
		}
		where["proc"] = who
		g.left(at, who)
		g.step("leave", where)
		return
	}
	in = slices.Clone(in)
	g.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
	in = in[:g.between(1, len(in))]
	for _, who := range in {
		g.left(at, who)
	}
	where["procs"] = in
	g.step("leave", where)
}

// left takes one membership away.
func (g *pgGen) left(at pgGroup, who string) {
	if i := slices.Index(g.members[at], who); i >= 0 {
		g.members[at] = slices.Delete(slices.Clone(g.members[at]), i, i+1)
	}
}

func (g *pgGen) monitor(where obj) {
	who := pickOr(g.gen, g.agents, "")
	if who == "" {
		return
	}
	where["as"], where["label"] = who, g.fresh("w")
	if g.chance(.4) {
		delete(where, "group")
	}
	g.watches[where["label"].(string)] = where
	g.step("pg_monitor", where)
}

func (g *pgGen) demonitor() {
	var labels []string
	for label := range g.watches {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	if label := pickOr(g.gen, labels, ""); label != "" {
		w := g.watches[label]
		g.step("pg_demonitor", obj{"scope": w["scope"], "label": label, "as": w["as"]})
	}
}

// end ends an agent; not one that was both a member and a monitor, for that ends
// OTP's scope as well (pg_monitor_self).
func (g *pgGen) end() {
	may := slices.DeleteFunc(slices.Clone(g.agents), func(name string) bool {
		for _, w := range g.watches {
			if w["as"] == name && g.joined[name] {
				return true
			}
		}
		return false
	})
	who := pickOr(g.gen, may, "")
	if who == "" {
		return
	}
	g.agents = without(g.agents, who)
	for at, in := range g.members {
		g.members[at] = without(in, who)
	}
	if g.chance(.7) {
		g.step("exit", obj{"who": who, "reason": g.reason()})
	} else {
		g.step("signal", obj{"to": who, "reason": "kill"})
	}
}

func (g *pgGen) endScope(scope string) {
	name := g.scopes[scope]
	if name == "" {
		return
	}
	g.scopes[scope] = ""
	for at := range g.members {
		if at.scope == scope {
			delete(g.members, at)
		}
	}
	switch g.IntN(4) {
	case 0:
		g.step("stop", obj{"to": name, "reason": g.reason()})
	case 1:
		g.step("signal", obj{"to": name, "reason": pick(g.gen, "kill", "boom")})
	case 2:
		g.step("parent_exit", obj{"to": name, "reason": pick(g.gen, "shutdown", "boom")})
	default:
		g.step("terminate", obj{"to": name, "reason": g.reason()})
	}
}

// startScope starts a scope, again or although it runs.
func (g *pgGen) startScope(scope string) {
	name := g.fresh("s_")
	if g.scopes[scope] == "" && scope != "nowhere" {
		g.scopes[scope] = name
	}
	if scope != "nowhere" {
		g.step("start", obj{"proc": obj{"name": name, "type": "pg", "scope": scope}})
	}
}
