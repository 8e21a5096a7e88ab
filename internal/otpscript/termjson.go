package otpscript

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ParseTerm reads a term from JSON:
//
//	"boom" true          atoms
//	12                   an integer
//	[1,2] {"s":"text"}   lists; the second is Erlang's string
//	{"t":[..]}           a tuple
//	{"b":"text"}         a binary
//	{"m":[[k,v],..]}     a map
//	{"p":name} {"r":label}  a process, a reference
func ParseTerm(data []byte) (Term, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	return termOf(v)
}

// MarshalTerm writes a term as JSON, in the one form that logs use.
func MarshalTerm(t Term) []byte { return marshal(wire(t)) }

// marshal writes without HTML escapes and without a newline. What it is given
// comes from wire and is made of maps, slices, strings and numbers only.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // unreachable, see above
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func termOf(v any) (Term, error) {
	switch v := v.(type) {
	case bool:
		return Atom(fmt.Sprint(v)), nil
	case string:
		return Atom(v), nil
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			return nil, fmt.Errorf("%s is not an integer of 64 bits", v)
		}
		return Int(n), nil
	case []any:
		elems, err := termsOf(v)
		return List(elems), err
	case map[string]any:
		return taggedTerm(v)
	}
	return nil, errors.New("null is no term")
}

func termsOf(vs []any) ([]Term, error) {
	elems := make([]Term, len(vs))
	for i, v := range vs {
		var err error
		if elems[i], err = termOf(v); err != nil {
			return nil, err
		}
	}
	return elems, nil
}

// taggedTerm reads the object forms, each with one key that tells the type.
func taggedTerm(obj map[string]any) (Term, error) {
	if len(obj) != 1 {
		return nil, fmt.Errorf("a term's object has one key, this one has %d", len(obj))
	}
	for tag, v := range obj {
		switch text, isText := v.(string); {
		case isText && tag == "b":
			return Binary(text), nil
		case isText && tag == "p":
			return Pid(text), nil
		case isText && tag == "r":
			return Ref(text), nil
		case isText && tag == "s":
			return charList(text), nil
		}
		switch elems, isList := v.([]any); {
		case isList && tag == "t":
			terms, err := termsOf(elems)
			return Tuple(terms), err
		case isList && tag == "m":
			return mapTerm(elems)
		}
		return nil, fmt.Errorf("no term has the form {%q: %T}", tag, v)
	}
	panic("unreachable")
}

func mapTerm(entries []any) (Term, error) {
	pairs := make([]Pair, 0, len(entries))
	for _, e := range entries {
		kv, isList := e.([]any)
		if !isList || len(kv) != 2 {
			return nil, errors.New(`the entries of "m" are pairs`)
		}
		terms, err := termsOf(kv)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, Pair{terms[0], terms[1]})
	}
	return mapOf(pairs), nil
}

// wire is the inverse of termOf.
func wire(t Term) any {
	switch t := t.(type) {
	case Atom:
		return string(t)
	case Int:
		return int64(t)
	case Ref:
		return map[string]any{"r": string(t)}
	case Pid:
		return map[string]any{"p": string(t)}
	case Binary:
		return map[string]any{"b": string(t)}
	case Tuple:
		return map[string]any{"t": wires(t)}
	case Map:
		pairs := make([]any, len(t))
		for i, p := range t {
			pairs[i] = []any{wire(p.Key), wire(p.Value)}
		}
		return map[string]any{"m": pairs}
	case List:
		if text, ok := charText(t); ok {
			return map[string]any{"s": text}
		}
		return wires(t)
	}
	panic(fmt.Sprintf("otpscript: no JSON for %T", t))
}

func wires(elems []Term) []any {
	out := make([]any, len(elems))
	for i, e := range elems {
		out[i] = wire(e)
	}
	return out
}

// charList is Erlang's string: the list of the characters' codes.
func charList(text string) List {
	l := List{}
	for _, r := range text {
		l = append(l, Int(r))
	}
	return l
}

// charText is the text of a list that is not empty and holds printable
// characters of Latin-1 only. Erlang has no other way to know a string.
func charText(l List) (string, bool) {
	var b strings.Builder
	for _, e := range l {
		c, isInt := e.(Int)
		if !isInt || !printable(c) {
			return "", false
		}
		b.WriteRune(rune(c))
	}
	return b.String(), len(l) > 0
}

func printable(c Int) bool {
	return c >= ' ' && c <= '~' || c >= 0xa0 && c <= 0xff || c >= '\b' && c <= '\r' || c == 0x1b
}
