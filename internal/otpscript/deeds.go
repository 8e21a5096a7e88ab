package otpscript

import (
	"context"
	"errors"

	"github.com/coppice-go/coppice/process"
)

// do performs what a rule has a callback do with others.
func (s *script) do(ctx context.Context, deeds []Deed) {
	for _, d := range deeds {
		value, err := s.deed(ctx, d.Op)
		if !process.Self(ctx).Alive() {
			return // ended meanwhile: nothing is written of what it does
		}
		if !d.Caught && err != nil {
			s.fall(ctx, d.Name, err)
		}
		if d.Caught {
			s.add(s.actor, "op", s.outcome(fields{"id": s.name, "op": d.Name}, d.Name, value, err))
		}
	}
}

// fall ends a callback by the exception of a deed, which names the function.
func (s *script) fall(ctx context.Context, name string, err error) {
	class, why := s.exception(name, err)
	if class == "exit" {
		s.leave(ctx, tuple(why, tuple(failedCall, Atom(name))))
	}
	throw(why)
}

// failedCall is the mark of what a failed call adds to a reason.
const failedCall = Atom("$call")

func isCall(t Term) bool {
	pair, is := t.(Tuple)
	return is && len(pair) == 2 && pair[0] == failedCall
}

func (s *script) deed(ctx context.Context, op Op) (Term, error) {
	switch op.Name {
	case "call":
		to, err := s.dest(ctx, op.word(0))
		if err != nil {
			return nil, err
		}
		// To be told to stop does not cut a call short in OTP.
		return s.request(process.Uninterrupted(ctx), to, s.resolve(op.Args[1]), limit(op.Args[2]))
	case "cast":
		if to, err := s.dest(ctx, op.word(0)); err == nil {
			return ok, s.cast(ctx, to, s.resolve(op.Args[1]))
		}
		return ok, nil // to nobody
	case "send":
		to, err := s.dest(ctx, op.word(0))
		if err != nil {
			return nil, errBadarg
		}
		return ok, s.send(ctx, to, s.resolve(op.Args[1]))
	case "reply":
		c := s.saved[op.word(0)]
		if c == nil {
			return nil, errFunctionClause // nobody was saved
		}
		c.answer(s.resolve(op.Args[1]))
		return ok, nil
	case "reply_by_other":
		c := s.saved[op.word(0)]
		if c == nil {
			return nil, errFunctionClause
		}
		other, err := process.GoSpec(ctx, process.Spec{Unlinked: true}, func(context.Context) error {
			c.answer(s.resolve(op.Args[1]))
			return nil
		})
		if err == nil {
			_, err = process.Wait(ctx, other)
		}
		return ok, err
	case "register":
		if process.Register(ctx, op.word(0), process.Self(ctx)) != nil {
			return nil, errBadarg
		}
		return yes, nil
	case "whereis":
		return s.whereis(ctx, op.word(0)), nil
	}
	panic("otpscript: unknown deed " + op.Name) // refused when it was read
}

func (p *player) whereis(ctx context.Context, name string) Term {
	if found, ok := process.Whereis(ctx, name); ok {
		return p.pid(found)
	}
	return undefined
}

// forever is no limit.
const forever = process.Infinity

// OTP's errors of these names.
var (
	errBadarg         = errors.New("badarg")
	errFunctionClause = errors.New("function_clause")
)

// exception gives the class and the reason with which OTP would raise what here
// is an error.
func (p *player) exception(op string, err error) (class string, why Term) {
	var exit *process.ExitError
	var failed *callbackError
	switch {
	case errors.As(err, &failed):
		return "error", tuple(Atom("callback_failed"), tuple(failed.module, Atom("system_replace_state")),
			tuple(Atom("error"), p.thrown(failed.err.Value)))
	case err == errFunctionClause:
		return "error", Atom("function_clause")
	case err == errBadarg, errors.Is(err, process.ErrNoProc) && op == "link":
		return "error", p.badarg(err)
	case errors.Is(err, process.ErrCallingSelf):
		return "exit", Atom("calling_self")
	case errors.As(err, &exit):
		return "exit", p.reasonTerm(exit.Reason)
	case errors.Is(err, process.ErrTimeout):
		return "exit", Atom("timeout")
	}
	return "exit", p.reasonTerm(err)
}

func (p *player) badarg(err error) Term {
	if err == errBadarg {
		return Atom("badarg")
	}
	return noproc
}

// outcome fills in what something gave: a value, or what it raised.
func (p *player) outcome(f fields, op string, value Term, err error) fields {
	if err != nil {
		f["raised"], value = p.exception(op, err)
	}
	f["value"] = value
	return f
}
