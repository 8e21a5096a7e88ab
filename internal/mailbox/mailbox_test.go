package mailbox

import (
	"testing"

	"pgregory.net/rapid"
)

// A queue with its batch is first in first out, whatever the rhythm of pushing
// and taking; the naive twin is a slice.
func TestQueueAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var pool Pool[int]
		var q Queue[int]
		var b Batch[int]
		var want []int
		next := func() {
			var v int
			ok := b.Next(&v, &pool)
			if !ok && q.Len() > 0 {
				q.Take(&v, &b)
				ok = true
			}
			if ok != (len(want) > 0) {
				t.Fatalf("Next ok = %v with %d entries left", ok, len(want))
			}
			if !ok {
				return
			}
			if v != want[0] {
				t.Fatalf("Next = %d, want %d", v, want[0])
			}
			want = want[1:]
			if got := q.Len() + b.Len(); got != len(want) {
				t.Fatalf("%d are left, want %d", got, len(want))
			}
		}
		for i, n := 0, rapid.IntRange(0, 400).Draw(t, "operations"); i < n; i++ {
			if rapid.IntRange(0, 2).Draw(t, "op") > 0 {
				q.Push(i, &pool)
				want = append(want, i)
			} else {
				next()
			}
		}
		for len(want) > 0 {
			next()
		}
		next()
		if q.Len() != 0 {
			t.Fatalf("Len = %d after everything was taken", q.Len())
		}
	})
}

func TestDrop(t *testing.T) {
	var pool Pool[int]
	var q Queue[int]
	for i := range 100 {
		q.Push(i, &pool)
	}
	q.Drop()
	if q.Len() != 0 {
		t.Fatal("a dropped queue still holds entries")
	}
	q.Push(7, &pool)
	var b Batch[int]
	var v int
	if q.Take(&v, &b); v != 7 || b.Len() != 0 {
		t.Fatalf("took %d, with %d behind it, from a queue with 7 alone", v, b.Len())
	}
}

func BenchmarkPushNext(b *testing.B) {
	var pool Pool[[3]uintptr]
	var q Queue[[3]uintptr]
	var batch Batch[[3]uintptr]
	b.ReportAllocs()
	for b.Loop() {
		var v [3]uintptr
		for range 8 {
			q.Push(v, &pool)
		}
		q.Take(&v, &batch)
		for batch.Next(&v, &pool) {
		}
	}
}
