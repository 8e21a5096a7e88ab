package otpscript

import (
	"context"
	"slices"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// A scriptedMachine is what a state machine that does what its rules say keeps
// beside its state. States are known by their JSON text, which can be compared.
type scriptedMachine struct {
	*script
	machine *Machine
	value   Term // OTP's data
}

type state string

func stateOf(t Term) state { return state(MarshalTerm(t)) }

// term is the state as a term again.
func (s state) term() Term {
	t, err := ParseTerm([]byte(s))
	if err != nil {
		panic(err) // stateOf made it
	}
	return t
}

// startMachine starts a scripted state machine. As a scripted server it sets
// trapping itself.
func (p *player) startMachine(ctx context.Context, proc *Proc) (process.PID, error) {
	s := &scriptedMachine{script: newScript(p, &actor{name: proc.Name}), machine: proc.Machine, value: none}
	s.bare = true
	m, err := statem.New(statem.Spec[state, occurrence, scriptedMachine]{
		Name:      proc.Register,
		Init:      s.init,
		First:     []state{stateOf(s.machine.Init.State.Term)},
		States:    s.table(),
		TrapExit:  true,
		Exit:      func(x process.ExitSignal) occurrence { return plain{exitMessage(p, x)} },
		Terminate: (*scriptedMachine).terminate,
	})
	if err != nil {
		return process.PID{}, err
	}
	ref, err := m.Start(ctx)
	if panicked, is := err.(*process.PanicError); is {
		err = startError(p.thrown(panicked.Value)) // gen_statem's start tells no stack
	}
	return p.begun(ref.PID(), s.actor, err)
}

// table has a row for every state that the script mentions; all lead to all.
func (s *scriptedMachine) table() map[state]statem.State[state, occurrence, scriptedMachine] {
	states := s.states()
	table := map[state]statem.State[state, occurrence, scriptedMachine]{}
	for _, at := range states {
		row := statem.State[state, occurrence, scriptedMachine]{
			On: func(s *scriptedMachine, t *statem.Turn[occurrence], ev occurrence) (state, error) {
				kind, content := ev.occurs()
				return s.callback(t, at, kind, content, ev)
			},
			To: slices.DeleteFunc(slices.Clone(states), func(to state) bool { return to == at }),
		}
		if s.machine.StateEnter {
			row.Enter = func(s *scriptedMachine, t *statem.Turn[occurrence], from state) error {
				next, err := s.callback(t, at, kindEnter, from.term(), nil)
				if err == nil && next != at {
					throw(tuple(Atom("bad_state_enter_return_from_state_function"),
						tuple(Atom("next_state"), next.term(), s.value, List{})))
				}
				return err
			}
		}
		table[at] = row
	}
	return table
}

// states lists the states that a script mentions: in its rules, in raw return
// values, and in the steps that replace a state.
func (s *scriptedMachine) states() []state {
	found := []state{stateOf(s.machine.Init.State.Term)}
	mention := func(t Term) {
		if t != nil && t != anything && t != repeat && !slices.Contains(found, stateOf(t)) {
			found = append(found, stateOf(t))
		}
	}
	for _, r := range s.machine.Rules {
		mention(r.In.Term)
		mention(r.Next.Term)
		for _, raw := range []Term{r.Throw.Term, r.Return.Term} {
			if t, is := raw.(Tuple); is && len(t) > 1 && t[0] == nextState {
				mention(t[1])
			}
		}
	}
	for _, a := range s.sc.Acts {
		if t, is := a.Set.Term.(Tuple); is && len(t) == 2 {
			mention(t[0])
		}
	}
	return found
}

const (
	repeat    = Atom("$repeat")
	nextState = Atom("next_state")
)

func (s *scriptedMachine) init(t *statem.Turn[occurrence]) (state, *scriptedMachine, error) {
	ctx := t.Context()
	s.enroll(process.Self(ctx), s.actor)
	process.TrapExit(ctx, s.machine.Trap)
	begin := &s.machine.Init
	s.do(ctx, begin.Do)
	s.value = s.set(&begin.Effects, s.value)
	if err := s.begin(ctx, s.name, begin.Outcome); err != nil {
		return "", nil, err
	}
	s.act(t, begin.Actions, nil)
	return stateOf(s.resolve(begin.State.Term)), s, nil
}

// terminate writes why the machine ends. A gen_statem's terminate gets the bare
// reason of error/1, and only what comes after it has the stack as well.
func (s *scriptedMachine) terminate(_ *statem.Turn[occurrence], in state, why error) error {
	r := s.reasonTerm(why)
	if pair, is := r.(Tuple); is && len(pair) == 2 && pair[1] == stack {
		r = pair[0]
	}
	s.add(s.actor, "terminate", fields{"id": s.name, "reason": r, "state": in.term()})
	return nil
}

// callback is the machine's one callback. ev is nil in an enter call.
func (s *scriptedMachine) callback(t *statem.Turn[occurrence], in state, kind, content Term, ev occurrence) (state, error) {
	s.add(s.actor, "cb", fields{"content": content, "id": s.name, "state": in.term(), "type": kind})
	s.asleep(false)
	r := s.match("", s.machine.Rules, in.term(), kind, content)
	if r == nil {
		return in, nil
	}
	s.do(t.Context(), r.Do)
	data := s.set(&r.Effects, s.value)
	if raw := s.fail(t.Context(), r); raw != nil {
		return s.returned(t, in, raw)
	}
	s.value = data
	if r.Stop.Term != nil {
		s.act(t, onlyReplies(r.Actions), ev)
		return in, statem.Stop(exitReason(s.resolve(r.Stop.Term)))
	}
	s.act(t, r.Actions, ev)
	switch next := r.Next.Term; next {
	case nil:
		return in, nil
	case repeat:
		t.Repeat()
		return in, nil
	default:
		return stateOf(s.resolve(next)), nil
	}
}

// returned reads what a callback returned as gen_statem does. Go's handlers
// return a state, so what is neither that nor a wish to stop is answered here.
func (s *scriptedMachine) returned(t *statem.Turn[occurrence], in state, raw Term) (state, error) {
	bad := tuple(Atom("bad_return_from_state_function"), raw)
	v, _ := raw.(Tuple)
	switch {
	case raw == Atom("keep_state_and_data"):
	case raw == Atom("repeat_state_and_data"):
		t.Repeat()
	case raw == Atom("stop"):
		return in, statem.Stop(nil)
	case len(v) == 3 && v[0] == nextState:
		s.value = v[2]
		return stateOf(v[1]), nil
	case len(v) == 2 && v[0] == Atom("keep_state"):
		s.value = v[1]
	case len(v) == 2 && v[0] == Atom("repeat_state"):
		s.value = v[1]
		t.Repeat()
	case (len(v) == 2 || len(v) == 3) && v[0] == Atom("stop"):
		return in, statem.Stop(exitReason(v[1]))
	default:
		throw(bad)
	}
	return in, nil
}
