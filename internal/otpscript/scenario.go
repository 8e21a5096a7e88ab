package otpscript

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Scenario is one file: what is started, and what is then done to it.
type Scenario struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // one of kinds
	Desc string `json:"desc"`

	Tree    *Node    `json:"tree"`    // sup: the top supervisor, started in step 0
	Apps    []App    `json:"apps"`    // app: loaded before step 1, in this order
	Machine *Machine `json:"machine"` // server, statem: of the one process, p
	Procs   []Proc   `json:"procs"`   // others: started before step 1 (signals) or in step 0

	Steps []Step `json:"-"` // sup, app, signals: in the file, steps
	Acts  []Act  `json:"-"` // others: in the file, steps as well
}

// UnmarshalJSON reads the steps by what kind of scenario it is.
func (sc *Scenario) UnmarshalJSON(data []byte) error {
	type all Scenario
	file := struct {
		*all
		Steps json.RawMessage `json:"steps"`
	}{all: (*all)(sc)}
	if err := strict(data, &file); err != nil || file.Steps == nil {
		return err
	}
	if sc.acts() {
		return strict(file.Steps, &sc.Acts)
	}
	return strict(file.Steps, &sc.Steps)
}

// acts reports whether the steps are Acts.
func (sc *Scenario) acts() bool { return sc.Kind != "sup" && sc.Kind != "app" && sc.Kind != "signals" }

// A Lit is a term in a scenario. The zero Lit stands for an absent one. What
// must be refused, such as a restart type nobody knows, is a Lit too: the
// reader passes it on.
type Lit struct{ Term }

func (l *Lit) UnmarshalJSON(data []byte) (err error) {
	l.Term, err = ParseTerm(data)
	return err
}

// or is the term, or what stands for an absent one.
func (l Lit) or(absent Term) Term {
	if l.Term == nil {
		return absent
	}
	return l.Term
}

// A Node is a supervisor, a worker or a supervisor bridge: the one of Sup,
// Worker and Bridge that is given is its id and tells which. The fields up to
// Register are for all three.
type Node struct {
	Sup    Lit `json:"sup"`
	Worker Lit `json:"worker"`
	Bridge Lit `json:"bridge"`

	Restart     Lit    `json:"restart"`     // permanent
	Shutdown    Lit    `json:"shutdown"`    // 5000; infinity but for a worker
	Significant Lit    `json:"significant"` // false
	Register    string `json:"register"`    // a name for the process; "": none

	Trap    *bool     `json:"trap"`   // worker: traps exits; absent: yes
	Starts  []Outcome `json:"starts"` // worker: of each attempt to start that path; the last one repeats; none: ok
	OnStop  *Outcome  `json:"on_stop"`
	ID      Lit       `json:"id"`       // worker: ignored, as the recorder did
	NoStart bool      `json:"no_start"` // worker: a child without a start function

	Strategy     Lit      `json:"strategy"`      // sup: one_for_one
	Intensity    Lit      `json:"intensity"`     // sup: 1
	Period       Lit      `json:"period"`        // sup: 3600, in seconds
	AutoShutdown Lit      `json:"auto_shutdown"` // sup: never
	Children     []*Node  `json:"children"`      // sup; of simple_one_for_one: the template
	Init         *Outcome `json:"init"`          // sup, bridge: ok

	Child *Node `json:"child"` // bridge: what it holds
}

// id is the node's id.
func (n *Node) id() Term { return n.Sup.or(n.Worker.or(n.Bridge.Term)) }

// step is the node's part of a path.
func (n *Node) step() string { return pathStep(n.id()) }

func (n *Node) isWorker() bool { return n.Worker.Term != nil }
func (n *Node) isBridge() bool { return n.Bridge.Term != nil }

// isPool tells OTP's simple_one_for_one.
func (n *Node) isPool() bool { return n.Strategy.Term == Atom("simple_one_for_one") }

func (n *Node) traps() bool { return n.Trap == nil || *n.Trap }

// outcome is what the nth attempt to start the node does, n from 1.
func (n *Node) outcome(nth int) Outcome {
	switch {
	case len(n.Starts) == 0:
		return Outcome{Kind: "ok"}
	case nth > len(n.Starts):
		return n.Starts[len(n.Starts)-1]
	}
	return n.Starts[nth-1]
}

// pathStep is the text of an id in a path: an atom's name, or else its JSON.
func pathStep(id Term) string {
	if a, isAtom := id.(Atom); isAtom {
		return string(a)
	}
	return string(MarshalTerm(id))
}

// An Outcome is what a scripted function does: a word, or a word and a value.
type Outcome struct {
	Kind  string   // "ok", "crash", ...; "" in a nil *Outcome's stead is the field's default
	Value Term     // {"crash": Value}
	How   string   // of then: how the worker ends itself, for the reason Value
	Gate  *Outcome // of gate: what happens when the gate opens
}

func (o *Outcome) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &o.Kind) == nil {
		return nil
	}
	var obj map[string]json.RawMessage
	if err := json.Unmarshal(data, &obj); err != nil || len(obj) != 1 {
		return fmt.Errorf("an outcome is a word or {word: value}, not %s", data)
	}
	for kind, value := range obj {
		o.Kind = kind
		switch kind {
		case "gate":
			return json.Unmarshal(value, &o.Gate)
		case "then":
			var then struct {
				How    string
				Reason Lit
			}
			err := strict(value, &then)
			o.How, o.Value = then.How, then.Reason.or(normal)
			return err
		}
		var err error
		o.Value, err = ParseTerm(value)
		return err
	}
	panic("unreachable")
}

// delay is the time that {"delay": ms} asks for.
func (o *Outcome) delay() time.Duration {
	ms, _ := o.Value.(Int) // checked when the scenario was read
	return time.Duration(ms) * time.Millisecond
}

// An App is an application, and what its callbacks do.
type App struct {
	Name        string              `json:"app"`
	Deps        []string            `json:"deps"`
	Optional    []string            `json:"optional"`
	Included    []string            `json:"included"`
	Env         [][2]Lit            `json:"env"`
	Mod         *bool               `json:"mod"` // false: a library, without callbacks
	Tree        *Node               `json:"tree"`
	Start       *Outcome            `json:"start"`
	StartPhases [][2]Lit            `json:"start_phases"` // nil: none; [] is not the same
	PhaseResult map[string]*Outcome `json:"phase_result"`
	PrepStop    *Outcome            `json:"prep_stop"`
	Stop        *Outcome            `json:"stop"`
	Unloaded    bool                `json:"unloaded"` // not loaded before step 1
}

// A Proc is a process of a scenario that has no tree. In a signals scenario all
// are plain ones, and only have the first two fields.
type Proc struct {
	Name string `json:"name"`
	Trap bool   `json:"trap"` // plain ones

	Type      string   `json:"type"` // server, statem, event, pg or agent
	Register  string   `json:"register"`
	Machine   *Machine `json:"machine"`    // server, statem
	EnterLoop bool     `json:"enter_loop"` // server: it was a plain process before
	Scope     string   `json:"scope"`      // pg
}

// Parse reads a scenario. Its errors say where in the scenario the fault is.
func Parse(data []byte) (*Scenario, error) {
	var sc Scenario
	if err := strict(data, &sc); err != nil {
		return nil, fmt.Errorf("otpscript: %w", err)
	}
	if err := sc.check(); err != nil {
		return nil, fmt.Errorf("otpscript: scenario %q: %w", sc.Name, err)
	}
	return &sc, nil
}

// strict refuses fields that nothing would read.
func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the scenario")
	}
	return nil
}
