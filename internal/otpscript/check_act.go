package otpscript

import "strings"

// check finds what would make an act meaningless.
func (a *Act) check(complain complaint) {
	needs, known := actNeeds[a.Op]
	if !known {
		complain("unknown op %q", a.Op)
	}
	has := map[string]bool{
		"msg": a.Msg.Term != nil, "reason": a.Reason.Term != nil, "ms": a.MS > 0, "ops": a.Ops != nil, "who": a.Who != "",
		"name": a.Name != "", "label": a.Label != "", "timeout": a.Timeout.Term != nil,
		"handler": a.Handler.Term != nil, "arg": a.Arg.Term != nil, "new": a.New.Term != nil,
		"scope": a.Scope != "", "group": a.Group.Term != nil, "proc": a.Proc != ProcRef{} || a.Procs != nil,
		"flag": a.Flag.Term != nil,
	}
	for _, field := range strings.Fields(needs) {
		if !has[field] {
			complain("%s needs %q", a.Op, field)
		}
	}
	if a.Op == "start" && a.Proc.Proc != nil {
		a.Proc.Proc.check(complain)
	}
	for _, inner := range a.Ops {
		inner.check(complain)
	}
	a.Spec.check(a.Op, complain)
}

func (p *Proc) check(complain complaint) {
	switch {
	case p.Name == "":
		complain("a process has no name")
	case p.Type == "server", p.Type == "statem":
		p.Machine.check(p.Name, complain)
	case p.Type == "pg" && p.Scope == "":
		complain("%s has no scope", p.Name)
	case p.Type != "event" && p.Type != "agent" && p.Type != "pg":
		complain("%s: unknown type %q", p.Name, p.Type)
	}
}

func (m *Machine) check(at string, complain complaint) {
	if m == nil {
		complain("%s: no machine", at)
		return
	}
	checkOutcome(at+" init", m.Init.Outcome, "ok ignore error crash exit", complain)
	checkOutcome(at+" on_stop", m.OnStop, "crash exit", complain)
	checkRules(at, m.Rules, complain)
}

func (h *HandlerSpec) check(at string, complain complaint) {
	if h != nil {
		checkOutcome(at+" init", h.Init, "ok hibernate error crash exit throw return", complain)
		checkRules(at, h.Rules, complain)
	}
}

func checkRules(at string, rules []Rule, complain complaint) {
	for i := range rules {
		r := &rules[i]
		if r.On[0].Term == nil || r.On[1].Term == nil {
			complain("%s: rule %d needs on: [type, content]", at, i)
		}
		if r.Swap != nil {
			r.Swap.Spec.check(at, complain)
		}
	}
}
