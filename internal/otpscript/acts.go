package otpscript

import (
	"context"
	"maps"
	"time"

	"github.com/coppice-go/coppice/process"
)

// act does one step of a scenario whose steps are Acts. Those that have a result
// are done by an agent or by a client; the others by the player itself.
func (p *player) act(i int, a *Act) {
	switch a.Op {
	case "wait":
		time.Sleep(time.Duration(a.MS) * time.Millisecond)
	case "batch":
		p.batch(i, a)
	case "cast", "info", "signal":
		p.message(a)
	case "parent_exit":
		if to, err := p.dest(p.ctx, a.to()); err == nil {
			p.bid(p.root, func(ctx context.Context) { p.must(p.sendExit(ctx, to, a.Reason.Term)) })
		}
	case "exit":
		p.bid(p.at(a.Who), func(ctx context.Context) { process.Exit(ctx, exitReason(p.resolve(a.Reason.Term))) })
	case "start":
		parent := p.root
		if clerk, is := p.clerk(a.as()); is {
			parent = clerk
		}
		p.launch(parent, i, a.as(), a.Proc.Proc)
	default:
		p.by(a.as(), func(ctx context.Context) {
			value, err := p.carryOut(ctx, a)
			if process.Self(ctx).Alive() {
				p.gave(i, a.as(), a.Op, value, err)
			}
		})
	}
}

// by has an agent do something; or a fresh process, if there is none of that
// name. A dead agent does nothing.
func (p *player) by(name string, do errand) {
	if clerk, is := p.clerk(name); is {
		p.bid(clerk, do)
		return
	}
	p.client(do)
}

func (p *player) clerk(name string) (process.PID, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pid, is := p.clerks[name]
	return pid, is
}

// message sends something that nobody waits for, in the name of a stranger.
func (p *player) message(a *Act) {
	to, err := p.dest(p.ctx, a.to())
	if err != nil {
		return // to nobody
	}
	switch a.Op {
	case "cast":
		err = p.cast(p.ctx, to, p.resolve(a.Msg.Term))
	case "info":
		err = p.send(p.ctx, to, p.resolve(a.Msg.Term))
	case "signal":
		err = p.sendExit(p.ctx, to, a.Reason.Term)
	}
	p.must(err)
}

// batch brings all messages into the mailbox, in their order, before the process
// handles the first.
func (p *player) batch(i int, a *Act) {
	to, err := p.dest(p.ctx, a.to())
	if err == nil {
		err = process.Suspend(process.WithCallTimeout(p.ctx, 5*time.Second), to)
	}
	for _, inner := range a.Ops {
		inner.To = a.To
		p.act(i, &inner)
		p.rest()
	}
	if err == nil {
		// It may have been ended meanwhile.
		_ = process.Resume(p.ctx, to)
	}
}

// An op does what a step says that has a result, to a process if it is one of
// ops, in the agent's or client's own process.
type op func(p *player, ctx context.Context, to process.PID, a *Act) (Term, error)

// carryOut does what has a result.
func (p *player) carryOut(ctx context.Context, a *Act) (Term, error) {
	if f := tableOps[a.Op]; f != nil {
		return f(p, ctx, process.PID{}, a)
	}
	to, err := p.dest(ctx, a.to())
	if err != nil {
		return nil, p.nameless(a.Op, err)
	}
	return ops[a.Op](p, ctx, to, a)
}

// ops are done to a process.
var ops = merge(processOps, eventOps, systemOps)

// tableOps are not: they are about names, requests and groups.
var tableOps = merge(requestOps, groupOps)

func merge(all ...map[string]op) map[string]op {
	m := map[string]op{}
	for _, some := range all {
		maps.Copy(m, some)
	}
	return m
}

// nameless is the error for a name that nobody has.
func (p *player) nameless(op string, err error) error {
	if op == "notify" {
		return errBadarg
	}
	return err
}

var processOps = map[string]op{
	"call": func(p *player, ctx context.Context, to process.PID, a *Act) (Term, error) {
		return p.request(ctx, to, p.resolve(a.Msg.Term), limit(a.Timeout.or(infinity)))
	},
	"stop": func(p *player, ctx context.Context, to process.PID, a *Act) (Term, error) {
		return ok, process.Stop(ctx, to, exitReason(p.resolve(a.Reason.or(normal))))
	},
	"link": func(p *player, ctx context.Context, to process.PID, a *Act) (Term, error) {
		return yes, process.Link(ctx, to)
	},
	"unlink": func(p *player, ctx context.Context, to process.PID, a *Act) (Term, error) {
		return yes, process.Unlink(ctx, to)
	},
	"monitor": func(p *player, ctx context.Context, to process.PID, a *Act) (Term, error) {
		_, err := process.Monitor(ctx, to, a.Label)
		return Ref(a.Label), err
	},
}
