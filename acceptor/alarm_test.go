package acceptor

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSiren(t *testing.T) {
	const s = time.Second
	a := Alarm{Name: "many", Threshold: 10}
	set, clear, call := sounding{set: true, call: true}, sounding{clear: true}, sounding{call: true}
	type look struct {
		at   time.Duration
		n    int
		want sounding
		next time.Duration // 0: never
	}
	for name, looks := range map[string][]look{
		"below":     {{0, 9, sounding{}, 0}},
		"reached":   {{s, 10, set, 6 * s}, {2 * s, 11, sounding{}, 6 * s}, {6 * s, 12, call, 11 * s}, {13 * s, 12, call, 18 * s}},
		"over":      {{s, 10, set, 6 * s}, {3 * s, 9, sounding{}, 8 * s}, {7 * s, 0, sounding{}, 8 * s}, {8 * s, 1, clear, 0}, {9 * s, 1, sounding{}, 0}},
		"not over":  {{s, 10, set, 6 * s}, {3 * s, 9, sounding{}, 8 * s}, {4 * s, 10, sounding{}, 6 * s}, {5 * s, 9, sounding{}, 10 * s}, {9 * s, 9, sounding{}, 10 * s}, {10 * s, 9, clear, 0}},
		"and again": {{s, 10, set, 6 * s}, {2 * s, 9, sounding{}, 7 * s}, {7 * s, 9, clear, 0}, {7 * s, 10, set, 12 * s}},
	} {
		base := time.Now()
		var sr siren
		for i, l := range looks {
			if do := sr.look(a, l.n, base.Add(l.at)); do != l.want {
				t.Errorf("%s: look %d: %+v, want %+v", name, i, do, l.want)
			}
			want := time.Time{}
			if l.next > 0 {
				want = base.Add(l.next)
			}
			if got := sr.next(a); !got.Equal(want) {
				t.Errorf("%s: after look %d the next is %v, want %v", name, i, got.Sub(base), l.next)
			}
		}
	}
}

// Set and cleared take turns; calls are a cooldown apart and come only while it
// is set; it is set exactly when there are enough, and cleared only when there
// have been fewer for a cooldown, at the very moment that next tells.
func TestSirenRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Alarm{Threshold: 5, Cooldown: time.Duration(rapid.IntRange(1, 10).Draw(t, "cooldown")) * time.Second}
		var s siren
		now := time.Now()
		var called, low time.Time
		on := false
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
			if due := s.next(a); !due.IsZero() && due.Before(now) && rapid.Bool().Draw(t, "prompt") {
				now = due // as the gate would
			}
			n := rapid.IntRange(0, 8).Draw(t, "n")
			many := n >= 5
			if many || !on {
				low = time.Time{}
			} else if low.IsZero() {
				low = now
			}
			do := s.look(a, n, now)
			if do.set != (many && !on) || do.clear != (on && !many && now.Sub(low) >= a.Cooldown) {
				t.Fatalf("with %d, set %v: %+v", n, on, do)
			}
			on = (on || do.set) && !do.clear
			if do.call {
				if !many || !called.IsZero() && now.Sub(called) < a.Cooldown {
					t.Fatalf("called with %d, %v after the last time", n, now.Sub(called))
				}
				called = now
			} else if many && now.Sub(called) >= a.Cooldown {
				t.Fatal("not called")
			}
			if next := s.next(a); next.IsZero() == on || on && !next.After(now) {
				t.Fatalf("set %v, next in %v", on, next.Sub(now))
			}
		}
	})
}
