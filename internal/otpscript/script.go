package otpscript

import (
	"context"

	"github.com/coppice-go/coppice/process"
)

// A script is what servers, state machines and event handlers have in common:
// rules, and callers who wait for an answer.
type script struct {
	*player
	*actor
	used  map[use]int       // how often a rule has decided
	saved map[string]caller // by key; nil: whoever was saved is no caller

	// bare says that reports do not show where exit/1 was called: gen_server's
	// do, gen_statem's do not.
	bare bool
}

// A use tells a rule: whose it is, and which one.
type use struct {
	who string
	nth int
}

// A caller waits for an answer.
type caller interface{ answer(Term) }

func newScript(p *player, a *actor) *script {
	return &script{player: p, actor: a, used: map[use]int{}, saved: map[string]caller{}}
}

// anything matches any term.
const anything = Atom("_")

// match finds the first rule that fits and has uses left; nil: there is none.
func (s *script) match(who string, rules []Rule, state, kind, content Term) *Rule {
	for i := range rules {
		r, u := &rules[i], use{who, i}
		if s.fits(r.In.or(anything), state) && s.fits(r.On[0].Term, kind) && s.fits(r.On[1].Term, content) &&
			(r.Max == nil || s.used[u] < *r.Max) {
			s.used[u]++
			return r
		}
	}
	return nil
}

func (s *script) fits(pattern, t Term) bool {
	return pattern == anything || Equal(s.resolve(pattern), t)
}

// fail does what a rule says of failing; a thrown value is one that is
// returned. It gives the raw value to return, if there is one.
func (s *script) fail(ctx context.Context, r *Rule) Term {
	switch {
	case r.Crash.Term != nil:
		throw(s.resolve(r.Crash.Term))
	case r.Exit.Term != nil:
		s.leave(ctx, s.resolve(r.Exit.Term))
	case r.Throw.Term != nil:
		return s.resolve(r.Throw.Term)
	case r.Return.Term != nil:
		return s.resolve(r.Return.Term)
	}
	return nil
}

// leave is exit/1 in a callback.
func (s *script) leave(ctx context.Context, why Term) {
	if !s.bare {
		s.exit = inCallback
	}
	process.Exit(ctx, exitReason(why))
}

// begin does what a script says of a start; path is that of the gate at which
// it may have to wait.
func (p *player) begin(ctx context.Context, path string, o *Outcome) error {
	if o == nil {
		return nil
	}
	switch o.Kind {
	case "ignore":
		return process.ErrIgnore
	case "error":
		return startError(p.resolve(o.Value))
	case "crash":
		throw(p.resolve(o.Value))
	case "exit":
		why := p.resolve(o.Value)
		if why == normal { // a failed start has an error, and nil is none
			return startError(why)
		}
		process.Exit(ctx, exitReason(why))
	case "gate":
		p.waitAtGate(ctx, path)
		return p.begin(ctx, path, o.Gate)
	}
	return nil
}

// set is the state, or data, that effects leave.
func (s *script) set(e *Effects, old Term) Term {
	if e.Set.Term != nil {
		return s.resolve(e.Set.Term)
	}
	return old
}

// save remembers who calls.
func (s *script) save(key string, c caller) { s.saved[key] = c }

// answerSaved answers who was saved under a key and forgets him.
func (s *script) answerSaved(key string, value Term) {
	if c := s.saved[key]; c != nil {
		c.answer(s.resolve(value))
	}
	delete(s.saved, key)
}
