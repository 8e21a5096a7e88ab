package otpscript

import (
	"github.com/coppice-go/coppice/process/statem"
)

// A machineCaller is who waits for a state machine's answer.
type machineCaller struct{ statem.Reply[Term] }

func (c machineCaller) answer(t Term) { c.Answer(t).Send() }

// due is the event of a time-out, and any other event that is inserted.
type due struct{ kind, content Term }

func (d due) occurs() (Term, Term) { return d.kind, d.content }

// act asks the Turn for what the actions say, in their order. ev is the event in
// hand, nil if there is none.
func (s *scriptedMachine) act(t *statem.Turn[occurrence], actions []Action, ev occurrence) {
	postpone := false
	for _, a := range actions {
		switch a.Name {
		case "postpone":
			postpone = len(a.Args) == 0 || a.Args[0] == yes
		case "next_event":
			t.Insert(due{s.resolve(a.Args[0]), s.resolve(a.Args[1])})
		case "reply":
			if call, is := ev.(ask); is {
				t.Reply(call.from.Answer(s.resolve(a.Args[0])))
			}
		case "save_from":
			if call, is := ev.(ask); is {
				s.save(string(word(a.Args[0])), machineCaller{call.from})
			} else {
				s.save(string(word(a.Args[0])), nil)
			}
		case "reply_to":
			key := string(word(a.Args[0]))
			if c, is := s.saved[key].(machineCaller); is {
				t.Reply(c.Answer(s.resolve(a.Args[1])))
			}
			delete(s.saved, key)
		case "hibernate":
			s.asleep(true)
		case "set", "update", "cancel":
			s.timeout(t, a)
		}
	}
	if postpone {
		t.Postpone()
	}
}

// timeout changes a time-out.
func (s *scriptedMachine) timeout(t *statem.Turn[occurrence], a Action) {
	kind := s.resolve(a.Args[0])
	which, known := timeoutOf(kind)
	switch {
	case !known: // Go has a type for the names
		throw(tuple(Atom("bad_action_from_state_function"), Tuple(s.resolveAll(a.Args))))
	case a.Name == "cancel":
		t.Cancel(which)
	case a.Name == "update":
		t.Update(which, due{kind, s.resolve(a.Args[1])})
	default:
		ev := due{kind, s.resolve(a.Args[2])}
		if ms, isInt := a.Args[1].(Int); isInt && ms > 0 {
			t.Timeout(which, s.later(s.actor, int(ms)), ev)
		} else {
			t.Timeout(which, limit(a.Args[1]), ev)
		}
	}
}

// timeoutOf is the time-out of a kind.
func timeoutOf(kind Term) (which statem.Timeout, known bool) {
	switch kind {
	case timeout:
		return statem.EventTimeout, true
	case Atom("state_timeout"):
		return statem.StateTimeout, true
	}
	named, is := kind.(Tuple)
	return statem.Timeout(MarshalTerm(kind)), is && len(named) == 2 && named[0] == timeout
}

// onlyReplies keeps the actions that may go with a stop.
func onlyReplies(actions []Action) (replies []Action) {
	for _, a := range actions {
		switch a.Name {
		case "reply", "reply_to", "save_from":
			replies = append(replies, a)
		}
	}
	return replies
}
