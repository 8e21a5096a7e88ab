package otpscript

import (
	"context"
	"errors"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
)

func (p *player) startManager(ctx context.Context, proc *Proc) (process.PID, error) {
	s := newScript(p, &actor{name: proc.Name, manager: true})
	m, err := event.Start(ctx, event.Spec[Term]{Name: proc.Register})
	if err == nil {
		p.mu.Lock()
		p.managers[m.PID()] = s
		p.mu.Unlock()
	}
	return p.begun(m.PID(), s.actor, err)
}

func (p *player) manager(pid process.PID) *script {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.managers[pid]
}

// messageTerm is a message of no special kind as OTP shows it.
func messageTerm(p *player, msg any) Term {
	switch m := msg.(type) {
	case *process.ExitSignal:
		return exitMessage(p, *m)
	case interface{ seen() Term }:
		return m.seen()
	}
	return undefined // nobody sends anything else
}

// farewellMsg is what the adder of a supervised handler is sent.
type farewellMsg struct {
	*player
	event.Gone
}

func (m farewellMsg) seen() Term {
	return tuple(Atom("gen_event_EXIT"), idTerm(m.ID), m.goneTerm(m.Gone))
}

func (p *player) goneTerm(g event.Gone) Term {
	switch g.Cause {
	case event.Deleted, event.Removed:
		return normal
	case event.Stopped:
		return shutdown
	case event.Swapped:
		by := Term(undefined)
		if !g.Owner.IsZero() {
			by = p.pid(g.Owner)
		}
		return tuple(Atom("swapped"), idTerm(g.Next), by)
	case event.NotStarted:
		if p.odd {
			return Atom("crash")
		}
	case event.OwnerEnded, event.Failed:
	}
	return p.why(g.Reason)
}

// why is what OTP says a handler failed of.
func (p *player) why(err error) Term {
	switch e := err.(type) {
	case *process.PanicError:
		return tuple(Atom("EXIT"), p.reasonTerm(err))
	case *event.HandlerError:
		return p.why(e.Reason)
	}
	return p.reasonTerm(err)
}

// handlerReport takes down what a manager says of a handler. That a terminate
// failed is known to OTP's only if somebody waits for it.
func (p *player) handlerReport(a *actor, e process.Event, r *event.Report) {
	if e.Text == event.TextFailed {
		why := p.why(e.Reason)
		if r.Cause == event.NotStarted && p.odd {
			why = Atom("crash")
		}
		p.add(a, "report", fields{"ctx": Atom("handler_error"), "id": a.name, "child": idTerm(r.ID), "reason": why})
	}
}

// eventOp is an op on an event manager. Its error is OTP's {error, Why} or Why
// if the handler is to blame, as failed says.
func eventOp(do func(ctx context.Context, m event.Manager[Term], s *script, a *Act) (Term, error), failed func(Term) Term) op {
	return func(p *player, ctx context.Context, to process.PID, a *Act) (Term, error) {
		m, err := event.As[Term](to)
		if err != nil {
			return nil, err
		}
		value, err := do(ctx, m, p.manager(to), a)
		if bad, is := errors.AsType[*event.HandlerError](err); is {
			if errors.Is(err, event.ErrNoHandler) {
				return failed(missing), nil
			}
			return failed(p.why(bad.Reason)), nil
		}
		return value, err
	}
}

// missing stands for the word that each function has for a missing handler.
const missing = Atom("bad_module")

func bare(why Term) Term { return why }

var eventOps = map[string]op{
	"notify": func(p *player, ctx context.Context, to process.PID, a *Act) (Term, error) {
		m, err := event.As[Term](to)
		if err == nil {
			err = m.Notify(ctx, p.resolve(a.Msg.Term))
		} else if errors.Is(err, process.ErrNoProc) {
			err = nil // what is sent to the dead is lost
		}
		return ok, err
	},
	"sync_notify": eventOp(func(ctx context.Context, m event.Manager[Term], s *script, a *Act) (Term, error) {
		return ok, m.SyncNotify(ctx, s.resolve(a.Msg.Term))
	}, failure),
	"which_handlers": eventOp(func(ctx context.Context, m event.Manager[Term], _ *script, _ *Act) (Term, error) {
		ids, err := event.Handlers(ctx, m)
		l := List{}
		for _, id := range ids {
			l = append(l, idTerm(id))
		}
		return l, err
	}, failure),
	"event_call": eventOp(func(ctx context.Context, m event.Manager[Term], s *script, a *Act) (Term, error) {
		within := limit(a.Timeout.or(infinity))
		s.expect(s.own, within)
		return event.Call(process.WithCallTimeout(ctx, within), m, pathStep(a.Handler.Term), question{s.resolve(a.Msg.Term)})
	}, failure),
	"delete": eventOp(func(ctx context.Context, m event.Manager[Term], s *script, a *Act) (Term, error) {
		ctx = process.WithCallTimeout(ctx, forever)
		return event.Call(ctx, m, pathStep(a.Handler.Term), farewell{s.resolve(a.Arg.Term)})
	}, func(Term) Term { return failure(Atom("module_not_found")) }),
	"add":  eventOp(addHandler, bare),
	"swap": eventOp(swapHandler, failure),
}

func addHandler(ctx context.Context, m event.Manager[Term], s *script, a *Act) (Term, error) {
	h := s.handler(a.Handler.Term, a.Spec, func() Term { return none })
	if a.Sup {
		s.linkFirst(ctx, m)
		return ok, event.AddSup(ctx, m, ownedBy(process.Self(ctx), h), s.farewellOf)
	}
	return ok, event.Add(ctx, m, h)
}

// swapHandler has the old handler's terminate called with the step's argument,
// and the new one's init with what came of it.
func swapHandler(ctx context.Context, m event.Manager[Term], s *script, a *Act) (Term, error) {
	next := func(old *scriptedHandler) event.Handler[Term, scriptedHandler] {
		left := func() Term { return tuple(Atom("swap"), Atom("error")) }
		if old != nil {
			old.arg = s.resolve(a.Arg.Term)
			left = func() Term { return tuple(Atom("swap"), old.left) }
		}
		h := s.handler(a.New.Term, a.Spec, left)
		switch {
		case a.Sup:
			return ownedBy(process.Self(ctx), h)
		case old != nil:
			return old.relinked(h)
		}
		return h
	}
	id := pathStep(a.Handler.Term)
	if a.Sup {
		s.linkFirst(ctx, m)
		return ok, event.SwapSup(ctx, m, id, next, s.farewellOf)
	}
	return ok, event.Swap(ctx, m, id, next)
}

func (s *script) farewellOf(g event.Gone) farewellMsg { return farewellMsg{s.player, g} }

// linkFirst links the adder of a supervised handler to the manager before
// anything else, if the play is to do as OTP does: that link stays whatever
// becomes of the handler. Coppice's own goes with its last handler.
func (s *script) linkFirst(ctx context.Context, m event.Manager[Term]) {
	if s.odd {
		s.must(process.Link(ctx, m))
	}
}
