package otpscript

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// An errand is something that a process of the player's own is told to do.
type errand func(ctx context.Context)

// startProcs starts the scenario's processes, as step 0, in order, by one parent
// that traps exits. The only process of a scenario that lists none is p.
func (p *player) startProcs() {
	pid, err := process.Start(p.ctx, process.Spec{TrapExit: true, Behaviour: patron{}})
	p.must(err)
	p.root = pid
	if p.sc.Machine != nil {
		p.launch(p.root, 0, "client", &Proc{Name: "p", Type: p.sc.Kind, Machine: p.sc.Machine})
	}
	for i := range p.sc.Procs {
		p.launch(p.root, 0, p.sc.Procs[i].Name, &p.sc.Procs[i])
	}
}

// launch has parent start a process, and takes down what comes of it.
func (p *player) launch(parent process.PID, step int, as string, proc *Proc) {
	p.bid(parent, func(ctx context.Context) {
		pid, err := p.startProc(ctx, proc)
		if !process.Self(ctx).Alive() {
			return
		}
		p.gave(step, as, "start", p.startResult(pid, err), nil)
	})
}

// bid gives a process of the player's an errand.
func (p *player) bid(to process.PID, e errand) { p.must(process.Send(p.ctx, to, e)) }

func (p *player) startProc(ctx context.Context, proc *Proc) (process.PID, error) {
	switch proc.Type {
	case "server":
		return p.startServer(ctx, proc)
	case "statem":
		return p.startMachine(ctx, proc)
	case "event":
		return p.startManager(ctx, proc)
	case "pg":
		return p.startScope(ctx, proc)
	case "agent":
		return p.startClerk(ctx, proc)
	}
	return process.PID{}, fmt.Errorf("otpscript: no processes of type %q", proc.Type)
}

// begun makes a process known whose start has succeeded.
func (p *player) begun(pid process.PID, a *actor, err error) (process.PID, error) {
	if err == nil {
		p.started(pid, a.name, a)
	}
	return pid, err
}

// gave takes down what a step gave to whom.
func (p *player) gave(step int, as, op string, value Term, err error) {
	p.add(nobody, "result", p.outcome(fields{"step": step, "as": as}, op, value, err))
}

// A patron is the parent of a scenario's processes.
type patron struct{}

func (patron) Init(context.Context) error { return nil }

func (patron) Handle(ctx context.Context, msg any) error {
	if e, is := msg.(errand); is {
		e(ctx)
	}
	return nil
}

func (patron) Terminate(context.Context, error) error { return nil }

// A clerk is an agent: a plain process that does what steps tell it to, and
// takes down what it receives.
type clerk struct {
	*player
	*actor
}

func (p *player) startClerk(ctx context.Context, proc *Proc) (process.PID, error) {
	c := &clerk{player: p, actor: &actor{name: proc.Name, quiet: true}}
	pid, err := process.Start(ctx, process.Spec{Name: proc.Register, TrapExit: proc.Trap, Unlinked: true, Behaviour: c})
	if err == nil {
		p.mu.Lock()
		p.clerks[proc.Name] = pid
		p.mu.Unlock()
	}
	return p.begun(pid, c.actor, err)
}

func (c *clerk) Init(context.Context) error { return nil }

func (c *clerk) Handle(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case errand:
		m(ctx)
	case *process.ExitSignal:
		c.received(exitMessage(c.player, *m))
	case *process.Down:
		label, _ := m.Tag.(string)
		c.received(tuple(Atom("DOWN"), Ref(label), Atom("process"), c.pid(m.PID), c.reasonTerm(m.Reason)))
	case interface{ seen() Term }:
		c.received(m.seen())
	}
	return nil
}

func (c *clerk) Terminate(context.Context, error) error { return nil }

func (c *clerk) received(msg Term) { c.add(c.actor, "recv", fields{"id": c.name, "msg": msg}) }
