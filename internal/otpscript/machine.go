package otpscript

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Machine is what a scripted server, state machine or event handler does. The
// fields up to Rules are for servers and state machines.
type Machine struct {
	Trap       bool     `json:"trap"`
	StateEnter bool     `json:"state_enter"` // statem: enter calls
	OnStop     *Outcome `json:"on_stop"`     // server: what terminate does
	Init       Begin    `json:"init"`
	Rules      []Rule   `json:"rules"`
}

// A Begin is what the init of a server or a state machine does.
type Begin struct {
	State   Lit      `json:"state"` // statem: the first one
	Outcome *Outcome `json:"outcome"`
	Effects
}

// A HandlerSpec is what a scripted event handler does.
type HandlerSpec struct {
	State     Lit      `json:"state"`
	Init      *Outcome `json:"init"`
	Terminate *Ending  `json:"terminate"`
	Rules     []Rule   `json:"rules"`
}

// A Rule decides what is done with an event: the first that matches and has
// uses left. Then it is done in this order: SaveFrom, Replies, Do, the failure
// or raw return value if there is one, and the rest.
type Rule struct {
	In  Lit    `json:"in"` // "_": any state
	On  [2]Lit `json:"on"` // type and content
	Max *int   `json:"max"`

	SaveFrom string    `json:"save_from"`
	Replies  []Answers `json:"replies"`

	Crash  Lit `json:"crash"`
	Exit   Lit `json:"exit"`
	Throw  Lit `json:"throw"`
	Return Lit `json:"return"`

	Reply Lit `json:"reply"`
	Stop  Lit `json:"stop"`
	Next  Lit `json:"next"` // statem: a state, or $repeat

	Remove bool  `json:"remove"` // handler
	Swap   *Swap `json:"swap"`   // handler

	Effects
}

// Effects are what rules and inits have in common.
type Effects struct {
	Set       Lit      `json:"set"` // the state of a server, the data of a machine
	Do        []Deed   `json:"do"`
	Actions   []Action `json:"actions"`   // statem
	Timeout   *int     `json:"timeout"`   // server; ms
	Continue  Lit      `json:"continue"`  // server
	Hibernate bool     `json:"hibernate"` // changes nothing that can be seen
}

// Answers says who saved under a key is answered with what.
type Answers struct {
	Key   string
	Value Term
}

func (a *Answers) UnmarshalJSON(data []byte) error {
	var value Lit
	err := json.Unmarshal(data, &[]any{&a.Key, &value})
	a.Value = value.Term
	return err
}

// A Swap is a handler's wish to be replaced.
type Swap struct {
	Arg     Term
	Handler Term
	Spec    *HandlerSpec
}

func (s *Swap) UnmarshalJSON(data []byte) error {
	var arg, handler Lit
	err := json.Unmarshal(data, &[]any{&arg, &handler, &s.Spec})
	s.Arg, s.Handler = arg.Term, handler.Term
	return err
}

// An Ending is what a handler's terminate returns, or how it fails.
type Ending struct {
	How   string // "" or return for a value that is returned, or crash, exit, throw
	Value Term
}

func (e *Ending) UnmarshalJSON(data []byte) error {
	var o Outcome
	if o.UnmarshalJSON(data) == nil && o.Value != nil {
		switch o.Kind {
		case "crash", "exit", "throw", "return":
			e.How, e.Value = o.Kind, o.Value
			return nil
		}
	}
	var err error
	e.Value, err = ParseTerm(data)
	return err
}

// An Action is one transition action of a state machine: postpone, hibernate, or
// a word with arguments.
type Action Op

func (a *Action) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &a.Name) == nil {
		if a.Name != "postpone" && a.Name != "hibernate" {
			return fmt.Errorf("unknown action %s", data)
		}
		return nil
	}
	var obj map[string]Lit
	if err := json.Unmarshal(data, &obj); err != nil || len(obj) != 1 {
		return fmt.Errorf("an action is a word or {word: arguments}, not %s", data)
	}
	for name, value := range obj {
		a.Name, a.Args = name, []Term{value.Term}
		if n := actionArgs[name]; n > 1 {
			list, isList := value.Term.(List)
			if !isList || len(list) != n {
				return fmt.Errorf("action %s takes a list of %d, not %s", name, n, data)
			}
			a.Args = list
		}
	}
	if _, known := actionArgs[a.Name]; !known {
		return fmt.Errorf("unknown action %s", data)
	}
	return nil
}

// actionArgs lists the actions that have arguments, with their number.
var actionArgs = map[string]int{
	"postpone": 1, "next_event": 2, "reply": 1, "save_from": 1, "reply_to": 2, "set": 3, "update": 2, "cancel": 1,
}

// A Deed is something that a callback does with other processes. An exception
// of one that is not Caught ends the callback, and the log does not have it.
type Deed struct {
	Op
	Caught bool
}

func (d *Deed) UnmarshalJSON(data []byte) error {
	var wild struct{ Uncaught *Op }
	if json.Unmarshal(data, &wild) == nil && wild.Uncaught != nil {
		d.Op = *wild.Uncaught
		return d.check()
	}
	d.Caught = true
	return errors.Join(json.Unmarshal(data, &d.Op), d.check())
}

func (d *Deed) check() error {
	if n, known := deedArgs[d.Name]; !known || len(d.Args) != n {
		return fmt.Errorf("no deed %q with %d arguments", d.Name, len(d.Args))
	}
	return nil
}

// deedArgs lists the deeds with the number of their arguments.
var deedArgs = map[string]int{
	"call": 3, "cast": 2, "send": 2, "reply": 2, "reply_by_other": 2, "register": 1, "whereis": 1,
}

// limit is a time limit in ms, which may be infinity.
func limit(t Term) time.Duration {
	if ms, isInt := t.(Int); isInt {
		return time.Duration(ms) * time.Millisecond
	}
	return forever
}
