package otpscript

import (
	"context"
	"errors"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/process/statem"
)

// An outbox is the requests that an agent has sent and has not given up.
type outbox struct {
	single map[string]pending
	colls  map[string]*server.Requests[string, Term]
}

// pending is what a server and a state machine have in common that have been
// asked.
type pending interface {
	Wait(context.Context) (Term, error)
	Abandon() bool
}

// outboxOf is the calling agent's.
func (p *player) outboxOf(ctx context.Context) *outbox {
	p.mu.Lock()
	defer p.mu.Unlock()
	self := process.Self(ctx)
	if p.outboxes[self] == nil {
		p.outboxes[self] = &outbox{map[string]pending{}, map[string]*server.Requests[string, Term]{}}
	}
	return p.outboxes[self]
}

func (o *outbox) coll(name string) *server.Requests[string, Term] {
	if o.colls[name] == nil {
		o.colls[name] = new(server.Requests[string, Term])
	}
	return o.colls[name]
}

// An addressee is a server that is looked for when something is sent to it.
type addressee struct {
	*player
	name string
}

func (a addressee) Ref(ctx context.Context) (server.Ref[scriptedServer], error) {
	to, err := a.dest(ctx, a.name)
	if err != nil {
		return server.Ref[scriptedServer]{}, err
	}
	return server.As[scriptedServer](to)
}

var requestOps = map[string]op{
	"whereis": func(p *player, ctx context.Context, _ process.PID, a *Act) (Term, error) {
		return p.whereis(ctx, a.Name), nil
	},
	"send_request": (*player).sendRequest,
	"response":     (*player).response,
	// Answers that nobody waits for are in no mailbox here.
	"mailbox": func(*player, context.Context, process.PID, *Act) (Term, error) { return List{}, nil },
}

// sendRequest sends a request. Collections are of servers only.
func (p *player) sendRequest(ctx context.Context, _ process.PID, a *Act) (Term, error) {
	o, m := p.outboxOf(ctx), ask{msg: p.resolve(a.Msg.Term)}
	if to, err := p.dest(ctx, a.to()); err == nil && a.Coll == "" {
		if machine, err := statem.As[occurrence](to); err == nil {
			o.single[a.Label] = statem.SendRequest(ctx, machine, m)
			return ok, nil
		}
	}
	sent := server.SendRequest(ctx, addressee{p, a.to()}, m)
	if a.Coll != "" {
		o.coll(a.Coll).Add(a.Label, sent)
	} else {
		o.single[a.Label] = sent
	}
	return ok, nil
}

// response waits for the answer to a request, or to the next of a collection.
// Only wait keeps what it has waited for in vain.
func (p *player) response(ctx context.Context, _ process.PID, a *Act) (Term, error) {
	within := limit(a.Timeout.Term)
	p.expect(p.own, within)
	ctx = process.WithCallTimeout(ctx, within)
	o, keeps := p.outboxOf(ctx), a.How == "wait"
	if a.Coll == "" {
		if o.single[a.Label] == nil {
			return nil, errFunctionClause // nothing was sent
		}
		answer, err := o.single[a.Label].Wait(ctx)
		if errors.Is(err, process.ErrTimeout) {
			if !keeps {
				o.single[a.Label].Abandon()
			}
			return timeout, nil
		}
		return p.responseTerm(answer, err), nil
	}
	label, answer, err := o.coll(a.Coll).Next(ctx)
	switch {
	case errors.Is(err, server.ErrNoneLeft):
		return Atom("no_request"), nil
	case errors.Is(err, process.ErrTimeout):
		if !keeps {
			o.coll(a.Coll).Abandon()
		}
		return timeout, nil
	}
	return tuple(Atom(label), p.responseTerm(answer.Value, answer.Err)), err
}

func (p *player) responseTerm(answer Term, err error) Term {
	if err == nil || answer != nil {
		return tuple(Atom("reply"), answer)
	}
	_, why := p.exception("call", err)
	// The recorder takes off what a failed call adds to a reason. A response has
	// nothing of that; but the server may itself have ended of a failed call.
	if pair, is := why.(Tuple); is && len(pair) == 2 && isCall(pair[1]) {
		why = pair[0]
	}
	return failure(why)
}
