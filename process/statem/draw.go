package statem

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mermaid draws the machine as a Mermaid state diagram, which GitHub and many
// editors show as a picture. Time-outs of the table are notes beside their
// state. A state that no other follows has an arrow to the end, so that one in
// which a machine would be stuck is seen. The text is the same every time.
func (m *Machine[S, E, D]) Mermaid() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	ids := m.draw(func(from, to string) { fmt.Fprintf(&b, "    %s --> %s\n", from, to) }, "[*]", "[*]")
	var names strings.Builder
	for i, s := range m.states {
		fmt.Fprintf(&names, "    %s : %s\n", ids[i], mermaidText(fmt.Sprint(s)))
		if d := m.spec.limit(s); d > 0 {
			fmt.Fprintf(&names, "    note right of %s : at most %v\n", ids[i], d)
		}
	}
	return b.String() + names.String()
}

// DOT draws the machine for Graphviz.
func (m *Machine[S, E, D]) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %q {\n\tstart [shape=point]\n", cmp.Or(m.name, "machine"))
	var edges strings.Builder
	ids := m.draw(func(from, to string) { fmt.Fprintf(&edges, "\t%s -> %s\n", from, to) }, "start", "end")
	for i, s := range m.states {
		label := fmt.Sprint(s)
		if d := m.spec.limit(s); d > 0 {
			label += fmt.Sprintf("\nat most %v", d)
		}
		fmt.Fprintf(&b, "\t%s [label=%q]\n", ids[i], label)
	}
	return b.String() + edges.String() + "}\n"
}

// draw gives each arrow of the machine to edge, in the order of the table, and
// returns how it called the states.
func (m *Machine[S, E, D]) draw(edge func(from, to string), start, end string) []string {
	id := func(s S) string { return fmt.Sprintf("s%d", slices.Index(m.states, s)) }
	ids := make([]string, len(m.states))
	for _, s := range m.spec.First {
		edge(start, id(s))
	}
	for i, s := range m.states {
		ids[i] = id(s)
		for _, to := range m.spec.States[s].To {
			edge(id(s), id(to))
		}
		if len(m.spec.States[s].To) == 0 {
			edge(id(s), end)
		}
	}
	return ids
}

// mermaidText takes out what Mermaid reads as syntax.
func mermaidText(s string) string {
	return strings.NewReplacer("\n", " ", ":", "#58;", ";", "#59;").Replace(s)
}
