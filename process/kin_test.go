package process

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A process's half of its links is a list of whom it is linked to: its parent, its
// children and the others, each in the order in which they came.
func TestLinksAgainstLists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		up := &proc{}
		p := &proc{parent: up}
		var others []*proc
		for i := range 12 {
			q := &proc{}
			if i < 6 {
				q.parent = p
			}
			others = append(others, q)
		}
		var parent, children, strangers []*proc
		of := func(q *proc) *[]*proc {
			switch {
			case q == up:
				return &parent
			case q.parent == p:
				return &children
			}
			return &strangers
		}
		check := func(got []*proc, want ...[]*proc) {
			if all := slices.Concat(want...); !slices.Equal(got, all) {
				t.Fatalf("linked to %d, want %d, in the order in which they came", len(got), len(all))
			}
		}
		everybody := append([]*proc{up}, others...)
		for range rapid.IntRange(0, 80).Draw(t, "operations") {
			q := rapid.SampledFrom(everybody).Draw(t, "other")
			list := of(q)
			at := slices.Index(*list, q)
			if has := p.hasLink(q); has != (at >= 0) {
				t.Fatalf("linked: %v, want %v", has, at >= 0)
			}
			if rapid.Bool().Draw(t, "add") {
				if p.addLink(q); at < 0 {
					*list = append(*list, q)
				}
			} else {
				if had := p.dropLink(q); had != (at >= 0) {
					t.Fatalf("dropped: %v, want %v", had, at >= 0)
				}
				if at >= 0 {
					*list = slices.Delete(*list, at, at+1)
				}
			}
			check(p.linked(), parent, children, strangers)
		}
		check(p.takeLinks(), children, strangers)
		check(p.linked(), parent)
		for _, q := range others {
			if q.siblings != (links{}) || p.hasLink(q) {
				t.Fatal("one that was taken is still linked")
			}
		}
	})
}

// Of the waiters in a list each has its place, whoever leaves.
func TestWaitersAgainstAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := make([]waiter, 6)
		var l waiters
		var want []*waiter
		for range rapid.IntRange(0, 60).Draw(t, "operations") {
			w := &all[rapid.IntRange(0, len(all)-1).Draw(t, "waiter")]
			if at := slices.Index(want, w); at >= 0 {
				l.remove(w, callerSide)
				l.remove(w, callerSide) // a second time changes nothing
				want = slices.Delete(want, at, at+1)
			} else {
				l.add(w, callerSide)
				want = append(want, w)
			}
			var got []*waiter
			for w := l.first; w != nil; {
				got = append(got, w)
				if w = w.at[callerSide].next; w == l.first {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d in the list, want %d, in order", len(got), len(want))
			}
		}
		if l.clear(callerSide); l.first != nil {
			t.Fatal("a list that was cleared holds somebody")
		}
	})
}
