package otpscript

import (
	"encoding/json"
	"strings"
	"testing"
)

// shrink makes a scenario smaller as long as it keeps what is interesting about
// it: elements of lists and optional fields are left out, the largest first.
func shrink(text []byte, interesting func([]byte) bool) []byte {
	var root any
	if json.Unmarshal(text, &root) != nil {
		return text
	}
	for smaller := true; smaller; {
		smaller = false
		for _, without := range cuts(root) {
			restore := without()
			if try := indented(root); interesting(try) {
				text, smaller = try, true
				break // the other cuts are of what was there before
			}
			restore()
		}
	}
	return text
}

func indented(v any) []byte {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic(err) // it was read from JSON
	}
	return append(text, '\n')
}

// A cut leaves something out, and returns what puts it back.
type cut func() (restore func())

// cuts lists what can be left out of a value, outermost first.
func cuts(v any) []cut {
	var all []cut
	for level := []any{v}; len(level) > 0; {
		var below []any
		for _, v := range level {
			obj, isObj := v.(map[string]any)
			if list, isList := v.([]any); isList {
				below = append(below, list...)
			}
			if !isObj {
				continue
			}
			for key, inner := range obj {
				if list, isList := inner.([]any); isList && key != "t" && key != "on" && key != "swap" && key != "m" {
					for i := range list {
						all = append(all, func() func() {
							obj[key] = append(append([]any{}, list[:i]...), list[i+1:]...)
							return func() { obj[key] = list }
						})
					}
				}
				if !needed[key] {
					all = append(all, func() func() {
						delete(obj, key)
						return func() { obj[key] = inner }
					})
				}
				below = append(below, inner)
			}
		}
		level = below
	}
	return all
}

// needed are the fields that no scenario does without.
var needed = map[string]bool{"name": true, "kind": true, "op": true, "steps": true, "rules": true, "machine": true, "tree": true, "procs": true, "apps": true, "t": true, "m": true, "p": true}

func TestShrink(t *testing.T) {
	text := []byte(`{"name":"n","kind":"sup","desc":"x","tree":{"sup":"top","intensity":3,"children":[{"worker":"a"},{"worker":"b","shutdown":5}]},
		"steps":[{"op":"stop_top"},{"op":"exit","path":"top/b","reason":"boom"},{"op":"wait","ms":5}]}`)
	got := shrink(text, func(text []byte) bool {
		return strings.Contains(string(text), `"worker": "b"`) && strings.Contains(string(text), `"boom"`)
	})
	want := `{
 "kind": "sup",
 "name": "n",
 "steps": [
  {
   "op": "exit",
   "reason": "boom"
  }
 ],
 "tree": {
  "children": [
   {
    "worker": "b"
   }
  ]
 }
}
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
