package otpscript

import (
	"encoding/json"
	"fmt"
)

// A Step is one thing that is done from outside. Op (in a signals scenario:
// Proc) says what; opNeeds says which other fields belong to it.
type Step struct {
	Op string `json:"op"`

	Path   string `json:"path"`
	How    string `json:"how"`
	Reason Lit    `json:"reason"`

	Fn    string `json:"fn"` // of a call to a supervisor
	Sup   string `json:"sup"`
	By    string `json:"by"` // the registered name to use instead of Sup
	Child Lit    `json:"child"`
	Key   Lit    `json:"key"`
	Spec  *Node  `json:"spec"`
	Raw   Lit    `json:"raw"`

	As   string `json:"as"`
	Mode string `json:"mode"`
	MS   int    `json:"ms"`
	Tree *Node  `json:"tree"`

	App   string   `json:"app"`
	Type  string   `json:"type"`
	Value Lit      `json:"value"`
	Set   [][2]Lit `json:"set"`
	Unset []Lit    `json:"unset"`

	Proc string `json:"proc"`
	Do   []Op   `json:"do"`
}

// An Op is one thing that a process of a signals scenario does.
type Op struct {
	Name string
	Args []Term
}

func (o *Op) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &o.Name) == nil {
		return nil
	}
	var parts []Lit
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) > 0 {
		name, isAtom := parts[0].Term.(Atom)
		for _, p := range parts[1:] {
			o.Args = append(o.Args, p.Term)
		}
		if o.Name = string(name); isAtom {
			return nil
		}
	}
	return fmt.Errorf("an op is a word or [word, argument..], not %s", data)
}

// word is an argument that is a name, or else "".
func (o Op) word(i int) string {
	a, _ := o.Args[i].(Atom)
	return string(a)
}
