package otpscript

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// The generator of the recordings makes no scenarios of these kinds. Those made
// here keep to what FORMAT.md says of logs that do not depend on luck, and stay
// clear of what differs.txt lists.
var ownKinds = map[string]func(*gen) obj{"servers": genServers, "sys": genSys, "pg": genPg}

// A gen makes one random scenario: the same for the same kind and seed.
type gen struct {
	*rand.Rand
	steps []any
	names int
}

type (
	obj  = map[string]any
	list = []any
)

// generateOwn makes the scenario of a seed.
func generateOwn(kind string, seed int) []byte {
	text := []byte(kind)
	g := &gen{Rand: rand.New(rand.NewPCG(uint64(seed), uint64(text[0])<<8|uint64(text[1])))}
	sc := ownKinds[kind](g)
	sc["name"], sc["kind"], sc["steps"] = fmt.Sprintf("gen_%s_%d", kind, seed), kind, g.steps
	return indented(sc)
}

func (g *gen) chance(p float64) bool { return g.Float64() < p }

func (g *gen) between(least, most int) int { return least + g.IntN(most-least+1) }

func (g *gen) fresh(prefix string) string {
	g.names++
	return fmt.Sprintf("%s%d", prefix, g.names)
}

func (g *gen) step(op string, fields obj) { g.steps = append(g.steps, g.act(op, fields)) }

func (g *gen) act(op string, fields obj) obj {
	o := obj{"op": op}
	for key, value := range fields {
		o[key] = value
	}
	return o
}

func pick[T any](g *gen, from ...T) T { return from[g.IntN(len(from))] }

// pickOr picks one of a list that may be empty.
func pickOr[T any](g *gen, from []T, none T) T {
	if len(from) == 0 {
		return none
	}
	return pick(g, from...)
}

func jsonTuple(of ...any) obj { return obj{"t": list(of)} }

// reason is one for which something ends.
func (g *gen) reason() any {
	return pick[any](g, "boom", "boom", "normal", "shutdown", jsonTuple("shutdown", "x"), jsonTuple("bad", 1))
}

// without is a list without one of its elements.
func without(l []string, gone string) []string {
	return slices.DeleteFunc(slices.Clone(l), func(x string) bool { return x == gone })
}

// A generated scenario can be read, and is the same each time.
func TestGenerateOwn(t *testing.T) {
	for kind := range ownKinds {
		ops := map[string]int{}
		for seed := range 200 {
			text := generateOwn(kind, seed)
			if string(generateOwn(kind, seed)) != string(text) {
				t.Fatalf("%s, seed %d: not the same twice", kind, seed)
			}
			sc, err := Parse(text)
			if err != nil {
				t.Fatalf("%s, seed %d: %v\n%s", kind, seed, err, text)
			}
			for _, a := range sc.Acts {
				ops[a.Op]++
			}
		}
		if len(ops) < 10 {
			t.Errorf("%s: 200 scenarios have only the steps %v", kind, ops)
		}
	}
}
