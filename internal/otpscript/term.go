package otpscript

import (
	"cmp"
	"slices"
	"strings"
)

// A Term is a value of Erlang's. Two terms are compared with [Compare], not
// with ==, which panics for tuples and lists.
type Term interface{ rank() int }

type (
	// An Atom is a name that stands for itself. The log's placeholders for
	// what no two systems share, "$stack" and "$fun", are atoms as well.
	Atom string
	// An Int is an integer.
	Int int64
	// A Ref is a reference, known by the label that the scenario gave it.
	Ref string
	// A Pid is a process, known by its name in the log; in a scenario, by the
	// path whose latest instance is meant.
	Pid string
	// A Tuple has a fixed number of elements.
	Tuple []Term
	// A Map is sorted by key, and has each key once.
	Map []Pair
	// A List may be empty. A list of printable characters is Erlang's string.
	List []Term
	// A Binary is a string of bytes.
	Binary string
)

// A Pair is one entry of a [Map].
type Pair struct{ Key, Value Term }

// Terms that the rules mention.
const (
	ok        = Atom("ok")
	undefined = Atom("undefined")
	normal    = Atom("normal")
	shutdown  = Atom("shutdown")
	killed    = Atom("killed")
	noproc    = Atom("noproc")
	kill      = Atom("kill")
	stack     = Atom("$stack")
	none      = Atom("none")
	infinity  = Atom("infinity")
)

// rank is the place of a type in Erlang's order of terms.
func (Int) rank() int    { return 0 }
func (Atom) rank() int   { return 1 }
func (Ref) rank() int    { return 2 }
func (Pid) rank() int    { return 3 }
func (Tuple) rank() int  { return 4 }
func (Map) rank() int    { return 5 }
func (List) rank() int   { return 6 }
func (Binary) rank() int { return 7 }

// Compare orders terms as Erlang does: by type, tuples and maps by size first,
// lists element by element. Processes and references, whose order Erlang
// decides by creation, are ordered by name.
func Compare(a, b Term) int {
	if c := cmp.Compare(a.rank(), b.rank()); c != 0 {
		return c
	}
	switch a := a.(type) {
	case Int:
		return cmp.Compare(a, b.(Int))
	case Atom:
		return cmp.Compare(a, b.(Atom))
	case Ref:
		return cmp.Compare(a, b.(Ref))
	case Pid:
		return cmp.Compare(a, b.(Pid))
	case Tuple:
		return compareSized(a, b.(Tuple))
	case Map:
		return compareMaps(a, b.(Map))
	case List:
		return slices.CompareFunc(a, b.(List), Compare)
	case Binary:
		return strings.Compare(string(a), string(b.(Binary)))
	}
	panic("otpscript: a term of no known type")
}

// Equal reports whether a and b are the same term.
func Equal(a, b Term) bool { return Compare(a, b) == 0 }

func compareSized(a, b []Term) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return slices.CompareFunc(a, b, Compare)
}

// compareMaps compares sizes, then all keys, then the values in key order.
func compareMaps(a, b Map) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	if c := slices.CompareFunc(a, b, func(x, y Pair) int { return Compare(x.Key, y.Key) }); c != 0 {
		return c
	}
	return slices.CompareFunc(a, b, func(x, y Pair) int { return Compare(x.Value, y.Value) })
}

// mapOf sorts pairs by key; of several with one key the last counts.
func mapOf(pairs []Pair) Map {
	slices.SortStableFunc(pairs, func(x, y Pair) int { return Compare(x.Key, y.Key) })
	m := Map{}
	for _, p := range pairs {
		if n := len(m); n > 0 && Equal(m[n-1].Key, p.Key) {
			m[n-1] = p
		} else {
			m = append(m, p)
		}
	}
	return m
}

// word is a term's name if it is an atom.
func word(t Term) Atom {
	a, _ := t.(Atom)
	return a
}

// tuple is short for a Tuple of the given elements.
func tuple(elems ...Term) Tuple { return Tuple(elems) }

// failure is {error, why}.
func failure(why Term) Term { return tuple(Atom("error"), why) }

// success is {ok, value}.
func success(value Term) Term { return tuple(ok, value) }
