package otpscript

import (
	"context"

	"github.com/coppice-go/coppice/process/server"
)

// A verdict is what a callback of a server returns.
type verdict struct {
	reply Term // nil: noreply
	stops bool
	why   Term    // it stops
	state Term    // nil: as before
	extra Effects // of its last element: timeout, continue or hibernate
}

// end is what a handler returns for it.
func (v verdict) end() error {
	if !v.stops {
		return nil
	}
	return server.Stop(exitReason(v.why))
}

// decide gives the verdict of a rule.
func (s *scriptedServer) decide(ctx context.Context, r *Rule, kind Atom) verdict {
	if raw := s.fail(ctx, r); raw != nil {
		return rawVerdict(raw, kind)
	}
	v := verdict{state: s.set(&r.Effects, nil), extra: extra(&r.Effects)}
	if r.Reply.Term != nil {
		v.reply = s.resolve(r.Reply.Term)
	}
	if r.Stop.Term != nil {
		v.stops, v.why = true, s.resolve(r.Stop.Term)
	}
	return v
}

// extra keeps the one of the effects that the recorder's server would return.
func extra(e *Effects) (one Effects) {
	switch {
	case e.Timeout != nil:
		one.Timeout = e.Timeout
	case e.Continue.Term != nil:
		one.Continue = e.Continue
	}
	return one
}

// rawVerdict reads what a callback returned as gen_server does. Go's handlers
// cannot return anything else, so what nobody can read is answered here.
func rawVerdict(raw Term, kind Atom) verdict {
	t, _ := raw.(Tuple)
	bad := verdict{stops: true, why: tuple(Atom("bad_return_value"), raw)}
	if len(t) < 2 {
		return bad
	}
	call := kind == kindCall
	switch {
	case t[0] == Atom("reply") && call && (len(t) == 3 || len(t) == 4):
		return withExtra(verdict{reply: t[1], state: t[2]}, t[3:], bad)
	case t[0] == Atom("noreply") && (len(t) == 2 || len(t) == 3):
		return withExtra(verdict{state: t[1]}, t[2:], bad)
	case t[0] == Atom("stop") && len(t) == 3:
		return verdict{stops: true, why: t[1], state: t[2]}
	case t[0] == Atom("stop") && len(t) == 4 && call:
		return verdict{stops: true, why: t[1], reply: t[2], state: t[3]}
	}
	return bad
}

func withExtra(v verdict, last []Term, bad verdict) verdict {
	if len(last) == 0 {
		return v
	}
	switch t := last[0].(type) {
	case Int:
		ms := int(t)
		v.extra.Timeout = &ms
		return v
	case Atom:
		if t == "hibernate" || t == "infinity" {
			return v
		}
	case Tuple:
		if len(t) == 2 && t[0] == kindContinue {
			v.extra.Continue = Lit{t[1]}
			return v
		}
	}
	return bad
}
