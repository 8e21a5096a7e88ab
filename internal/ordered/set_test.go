package ordered

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The set behaves as a slice without duplicates does.
func TestSetAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set[int]
		var want []int
		for i, n := 0, rapid.IntRange(0, 300).Draw(t, "operations"); i < n; i++ {
			v := rapid.IntRange(1, 40).Draw(t, "member")
			at := slices.Index(want, v)
			if rapid.Bool().Draw(t, "add") {
				if got := s.Add(v); got != (at < 0) {
					t.Fatalf("Add(%d) = %v with members %v", v, got, want)
				}
				if at < 0 {
					want = append(want, v)
				}
			} else {
				if got := s.Delete(v); got != (at >= 0) {
					t.Fatalf("Delete(%d) = %v with members %v", v, got, want)
				}
				if at >= 0 {
					want = slices.Delete(want, at, at+1)
				}
			}
			if s.Len() != len(want) || s.Has(v) != slices.Contains(want, v) || !slices.Equal(s.All(), want) {
				t.Fatalf("set %v (%d), want %v", s.All(), s.Len(), want)
			}
		}
	})
}
