package process

import (
	"testing"

	"pgregory.net/rapid"
)

// A table holds whom a map would.
func TestTableAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table table
		want := map[uint64]*proc{}
		var next uint64
		for range rapid.IntRange(0, 30).Draw(t, "operations") {
			switch rapid.IntRange(0, 2).Draw(t, "operation") {
			case 0: // some come
				for range rapid.IntRange(1, 1000).Draw(t, "come") {
					next++
					p := &proc{id: next}
					table.add(p)
					want[p.id] = p
				}
			case 1: // some go
				for id, p := range want {
					if id%3 == next%3 {
						table.remove(p)
						table.remove(p) // a second time changes nothing
						delete(want, id)
					}
				}
			case 2: // all go
				for id, p := range want {
					table.remove(p)
					delete(want, id)
				}
			}
			all := table.all()
			if len(all) != len(want) {
				t.Fatalf("%d in the table, want %d", len(all), len(want))
			}
			for _, p := range all {
				if want[p.id] != p {
					t.Fatalf("process %d is in the table", p.id)
				}
			}
			id := 1 + next/2
			if got := table.find(id); got != want[id] {
				t.Fatalf("process %d: found %v, want %v", id, got != nil, want[id] != nil)
			}
		}
	})
}
