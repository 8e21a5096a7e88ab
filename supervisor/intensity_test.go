package supervisor

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWindow(t *testing.T) {
	start := time.Unix(1000, 0)
	tests := []struct {
		name string
		at   []time.Duration // of the restarts
		now  time.Duration
		want int
	}{
		{"none", nil, 0, 0},
		{"all within the period", []time.Duration{0, 1, 2}, 2, 3},
		{"exactly one period old counts", []time.Duration{0}, time.Second, 1},
		{"a nanosecond more does not", []time.Duration{0}, time.Second + 1, 0},
		{"the old are left out, the young are not", []time.Duration{0, 1, 2 * time.Second}, 2500 * time.Millisecond, 1},
		{"several at once", []time.Duration{0, 0, 0}, time.Second, 3},
	}
	for _, tt := range tests {
		w := window{period: time.Second}
		for _, d := range tt.at {
			w.add(start.Add(d))
		}
		if got := w.count(start.Add(tt.now)); got != tt.want {
			t.Errorf("%s: count is %d, want %d", tt.name, got, tt.want)
		}
	}
}

// The window gives what a list of all restarts would, and does not grow with
// them.
func TestWindowIsAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		period := time.Duration(rapid.IntRange(1, 50).Draw(t, "period"))
		w := window{period: period}
		now := time.Unix(1000, 0)
		var all []time.Time
		for _, step := range rapid.SliceOf(rapid.IntRange(0, 20)).Draw(t, "steps") {
			now = now.Add(time.Duration(step))
			w.add(now)
			all = append(all, now)
			later := now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "look")))
			want := 0
			for _, at := range all {
				if later.Sub(at) <= period {
					want++
				}
			}
			if got := w.count(later); got != want {
				t.Fatalf("count is %d, want %d", got, want)
			}
			if inPeriod := w.count(now); len(w.at) > 2*inPeriod+1 {
				t.Fatalf("%d restarts are kept, and %d count", len(w.at), inPeriod)
			}
		}
	})
}
