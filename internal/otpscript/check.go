package otpscript

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kinds lists the kinds of scenarios.
var Kinds = []string{"signals", "sup", "app", "server", "servers", "statem", "event", "sys", "pg"}

// check finds the faults that would make a play meaningless. Wrong values that
// OTP itself refuses are no faults: to be refused may be the scenario's point.
func (sc *Scenario) check() error {
	var faults []error
	complain := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if sc.Name == "" {
		complain("no name")
	}
	switch sc.Kind {
	case "sup":
		checkNode("tree", sc.Tree, complain)
	case "app":
		for _, a := range sc.Apps {
			a.check(complain)
		}
	case "signals":
		for i, p := range sc.Procs {
			if p.Name == "" {
				complain("process %d has no name", i)
			}
		}
	case "server", "statem":
		sc.Machine.check("machine", complain)
	case "servers", "event", "sys", "pg":
		for _, p := range sc.Procs {
			p.check(complain)
		}
	default:
		complain("kind %q is none of: %s", sc.Kind, strings.Join(Kinds, " "))
		return errors.Join(faults...)
	}
	for i, a := range sc.Acts {
		a.check(func(format string, args ...any) { complain("step %d: "+format, append([]any{i + 1}, args...)...) })
	}
	for i, st := range sc.Steps {
		for _, fault := range st.faults(sc.Kind) {
			complain("step %d: %s", i+1, fault)
		}
	}
	return errors.Join(faults...)
}

type complaint func(format string, args ...any)

func checkNode(at string, n *Node, complain complaint) {
	if n == nil {
		complain("%s: absent", at)
		return
	}
	kinds := 0
	for _, id := range []Lit{n.Sup, n.Worker, n.Bridge} {
		if id.Term != nil {
			kinds++
		}
	}
	if kinds != 1 {
		complain(`%s: one of "sup", "worker" and "bridge" must be given, %d are`, at, kinds)
		return
	}
	at += " " + n.step()
	for _, o := range n.Starts {
		checkOutcome(at+" starts", &o, "ok ignore error crash exit return fun_crash gate then", complain)
	}
	checkOutcome(at+" on_stop", n.OnStop, "obey ignore delay crash exit", complain)
	checkOutcome(at+" init", n.Init, "ok ignore error", complain)
	for _, c := range n.Children {
		checkNode(at, c, complain)
	}
	if n.isBridge() {
		checkNode(at, n.Child, complain)
	}
}

func (a App) check(complain complaint) {
	at := "application " + a.Name
	checkOutcome(at+" start", a.Start, "ok error crash exit return", complain)
	checkOutcome(at+" prep_stop", a.PrepStop, "ok crash", complain)
	checkOutcome(at+" stop", a.Stop, "ok crash", complain)
	for _, o := range a.PhaseResult {
		checkOutcome(at+" phase_result", o, "ok error crash return", complain)
	}
	if a.Tree != nil {
		checkNode(at, a.Tree, complain)
	}
}

// checkOutcome wants one of the words that are allowed there; and that the
// value is there if the word needs one.
func checkOutcome(at string, o *Outcome, allowed string, complain complaint) {
	switch {
	case o == nil:
	case !slices.Contains(strings.Fields(allowed), o.Kind):
		complain("%s: %q is none of: %s", at, o.Kind, allowed)
	case o.Kind == "gate":
		if o.Gate == nil {
			complain("%s: gate without an outcome", at)
			return
		}
		checkOutcome(at+" gate", o.Gate, allowed, complain)
	case o.Kind == "delay":
		if _, isInt := o.Value.(Int); !isInt {
			complain("%s: delay in ms, not %v", at, o.Value)
		}
	case slices.Contains([]string{"error", "crash", "exit", "return", "fun_crash"}, o.Kind) && o.Value == nil:
		complain("%s: %q needs a value", at, o.Kind)
	}
}

// opNeeds lists the steps of sup and app scenarios with the fields that each
// must have. An empty list is fine for Set and Unset.
var opNeeds = map[string]string{
	"exit": "path", "signal": "path reason", "call": "sup fn", "stop_top": "", "start_top": "tree",
	"observe": "as path mode", "release": "path", "wait": "ms",
	"app_start": "app", "ensure_all_started": "app", "app_stop": "app", "app_load": "app", "app_unload": "app",
	"which_applications": "", "loaded_applications": "", "get_env": "app key", "set_env": "app key value",
	"unset_env": "app key", "get_all_env": "app", "config_change": "app", "init_stop": "",
}

// signalOps lists the ops of signals scenarios with the number of arguments
// that each must have.
var signalOps = map[string]int{
	"link": 1, "unlink": 1, "links": 0, "trap": 1, "exit": 2, "is_alive": 1, "exit_self": 1, "error_self": 1, "return": 0,
	"monitor": 2, "monitor_name": 2, "monitor_alias": 3, "demonitor": 1,
	"send": 2, "send_name": 2, "send_alias": 2, "alias": 1, "alias_reply": 1, "unalias": 1,
	"register": 2, "unregister": 1, "whereis": 1, "spawn": 3,
	"await_dead": 1, "await_mail": 1, "take": 1, "take_exit": 1, "take_down": 1,
}

// callNeeds is opNeeds for the functions of a call; "start" is one of spec, key
// and raw.
var callNeeds = map[string]string{
	"start_child": "start", "terminate_child": "child", "restart_child": "child", "delete_child": "child",
	"get_childspec": "child", "which_children": "", "count_children": "", "stop": "",
}

// faults lists what is wrong with a step. That a field is wrong which OTP would
// refuse is no fault.
func (st *Step) faults(kind string) (faults []string) {
	complain := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if kind == "signals" {
		st.checkSignals(complain)
		return faults
	}
	needs, known := opNeeds[st.Op]
	if !known {
		complain("unknown op %q", st.Op)
	}
	if st.Op == "call" && st.Fn != "" {
		more, known := callNeeds[st.Fn]
		if !known {
			complain("unknown fn %q", st.Fn)
		}
		needs += " " + more
	}
	has := map[string]bool{
		"path": st.Path != "", "reason": st.Reason.Term != nil, "sup": st.Sup != "", "fn": st.Fn != "",
		"tree": st.Tree != nil, "as": st.As != "", "mode": st.Mode != "", "ms": st.MS > 0,
		"app": st.App != "", "key": st.Key.Term != nil, "value": st.Value.Term != nil,
		"child": st.Child.Term != nil, "start": st.Spec != nil || st.Key.Term != nil || st.Raw.Term != nil,
	}
	for _, field := range strings.Fields(needs) {
		if !has[field] {
			complain("%s needs %q", strings.TrimSpace(st.Op+" "+st.Fn), field)
		}
	}
	if !slices.Contains([]string{"", "stop", "exit", "error", "throw", "link", "unlink"}, st.How) {
		complain("unknown how %q", st.How)
	}
	if !slices.Contains([]string{"", "monitor", "link", "unlink"}, st.Mode) {
		complain("unknown mode %q", st.Mode)
	}
	if st.Tree != nil {
		checkNode("tree", st.Tree, complain)
	}
	if st.Spec != nil {
		checkNode("spec", st.Spec, complain)
	}
	return faults
}

func (st *Step) checkSignals(complain complaint) {
	if st.Proc == "" {
		complain("no proc")
	}
	for _, op := range st.Do {
		if least, known := signalOps[op.Name]; !known || len(op.Args) < least {
			complain("no op %q with %d arguments", op.Name, len(op.Args))
		}
	}
}
