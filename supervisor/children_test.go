package supervisor

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// In either form the children are what a plain list of them would be.
func TestChildrenAreAList(t *testing.T) {
	for _, dynamic := range []bool{false, true} {
		t.Run(fmt.Sprintf("dynamic=%v", dynamic), rapid.MakeCheck(func(t *rapid.T) {
			k := newChildren(dynamic, 4)
			var list []*child
			asked := rapid.IntRange(0, 5).Draw(t, "asked")
			for i, remove := range rapid.SliceOf(rapid.IntRange(-3, 20)).Draw(t, "removals") {
				if i == asked {
					k.find("0") // from now on they are known by ID
				}
				if remove < 0 || len(list) == 0 {
					c := &child{spec: &Child{ID: fmt.Sprint(i)}}
					k.add(c)
					list = append(list, c)
					continue
				}
				at := remove % len(list)
				k.remove(list[at])
				k.remove(list[at]) // a second time changes nothing
				list = slices.Delete(list, at, at+1)
			}
			if len(k.list) != len(list) {
				t.Fatalf("%d children, want %d", len(k.list), len(list))
			}
			for i, c := range list {
				at := k.index(c)
				if k.list[at] != c {
					t.Fatalf("child %s is not at its place %d", c.spec.ID, at)
				}
				if !dynamic && (at != i || k.find(c.spec.ID) != c) {
					t.Fatalf("child %s is at place %d, want %d", c.spec.ID, at, i)
				}
			}
			if !dynamic && len(k.byID) != len(list) {
				t.Fatalf("%d ids, want %d", len(k.byID), len(list))
			}
		}))
	}
}
