package otpscript

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// An agent is a plain process of a signals scenario: it does what it is told
// and takes down what it receives.
type agent struct {
	*player
	*actor
	in *process.Inbox[any]
}

// What an agent is sent.
type (
	orders []Op // from the player
	mail   struct {
		from string
		msg  Term
	}
)

// startAgents starts the scenario's processes.
func (p *player) startAgents() {
	p.labels = map[string]label{}
	for _, proc := range p.sc.Procs {
		_, _, err := p.spawnAgent(p.ctx, proc.Name, "plain", proc.Trap)
		p.must(err)
	}
}

// tell gives an agent its orders. One that is dead does nothing.
func (p *player) tell(name string, ops []Op) {
	p.must(process.Send(p.ctx, p.at(name), orders(ops)))
}

// A label is what a scenario calls a monitor or an alias.
type label struct {
	monitor process.MonitorRef
	alias   *process.Alias
}

func (p *player) setLabel(name string, l label) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.labels[name] = l
}

func (p *player) label(name string) label {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.labels[name]
}

// spawnAgent starts an agent, how: plain, or atomically with a link or a
// monitor to the one that ctx belongs to.
func (p *player) spawnAgent(ctx context.Context, name, how string, trap bool) (process.PID, process.MonitorRef, error) {
	a := &agent{player: p, actor: &actor{name: name}}
	raw := process.Raw[any]{
		TrapExit: trap,
		Exit:     func(x process.ExitSignal) any { return x },
		Linked:   how == "link",
		Run:      a.run,
	}
	var ref process.Ref[any]
	var monitor process.MonitorRef
	var err error
	if how == "monitor" {
		ref, monitor, err = process.SpawnMonitor(ctx, raw, a.down(name+"_mon"))
	} else {
		ref, err = process.SpawnRaw(ctx, raw)
	}
	if err == nil {
		p.started(ref.PID(), name, a.actor)
	}
	return ref.PID(), monitor, err
}

func (a *agent) run(ctx context.Context, in *process.Inbox[any]) error {
	a.in = in
	for {
		switch m := in.Receive().(type) {
		case orders:
			for _, op := range m {
				if op.Name == "return" {
					return nil
				}
				a.do(ctx, op)
				if !process.Self(ctx).Alive() {
					break // by its own hand
				}
			}
		case mail:
			a.received(m.from, m.msg)
		case process.ExitSignal:
			a.received(a.who(m.From).name, tuple(Atom("EXIT"), a.pid(m.From), a.reasonTerm(m.Reason)))
		case labelled:
			from := a.who(m.PID).name
			object := a.pid(m.PID)
			if m.Name != "" { // OTP names the node as well
				from, object = fmt.Sprintf("{%s,nonode@nohost}", m.Name), tuple(Atom(m.Name), Atom("nonode@nohost"))
			}
			a.received(from, tuple(Atom("DOWN"), Ref(m.label), Atom("process"), object, a.reasonTerm(m.Reason)))
		}
	}
}

// labelled is a Down with the label of its monitor.
type labelled struct {
	process.Down
	label string
}

// down gives the tag of a monitor: what makes a message of its Down.
func (a *agent) down(label string) func(process.Down) any {
	return func(d process.Down) any { return labelled{d, label} }
}

func (a *agent) received(from string, msg Term) {
	a.add(a.actor, "recv", fields{"id": a.name, "from": from, "msg": msg})
}

// do does one op and takes down what came of it; nothing if it ends the agent.
// A goroutine cannot be ended in the middle, so an agent that sent itself a
// deadly signal finds out afterwards.
func (a *agent) do(ctx context.Context, op Op) {
	switch op.Name {
	case "exit_self":
		process.Exit(ctx, exitReason(a.resolve(op.Args[0])))
	case "exit":
		// OTP's one irregularity: normal, sent to oneself, is deadly. Coppice
		// does not have it; Exit is what one would call.
		if self := process.Self(ctx); a.at(op.word(0)) == self && op.Args[1] == normal && !self.Info().TrapExit {
			process.Exit(ctx, nil)
		}
	case "error_self":
		throw(a.resolve(op.Args[0]))
	}
	f := fields{"id": a.name, "op": op.Name}
	value, err := a.op(ctx, op)
	if !process.Self(ctx).Alive() {
		return
	}
	if err != nil {
		f["raised"], value = "error", Atom("badarg")
		if errors.Is(err, process.ErrNoProc) && op.Name == "link" {
			value = noproc
		}
	}
	f["value"] = value
	a.add(a.actor, "op", f)
}
