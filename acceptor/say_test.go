package acceptor

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestThrottle(t *testing.T) {
	th := throttle{every: time.Minute}
	now := time.Now()
	for i, c := range []struct {
		after time.Duration
		ok    bool
		times int
	}{{0, true, 1}, {0, false, 0}, {59 * time.Second, false, 0}, {time.Minute, true, 3}, {time.Hour, true, 1}} {
		times, ok := th.allow(now.Add(c.after))
		if ok != c.ok || times != c.times {
			t.Errorf("line %d after %v: %v, for %d times; want %v, %d", i, c.after, ok, times, c.ok, c.times)
		}
	}
}

// Whatever the order: no two lines come within a minute of each other, but for
// the last one; what is owed is owed until told; and together the lines tell of
// everything.
func TestThrottleTellsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		th := throttle{every: time.Minute}
		now := time.Now()
		var last time.Time
		happened, told := 0, 0
		wrote := func(times int) {
			if !last.IsZero() && now.Sub(last) < time.Minute {
				t.Fatalf("two lines within %v", now.Sub(last))
			}
			last, told = now, told+times
		}
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			if rapid.Bool().Draw(t, "happens") {
				happened++
				if times, ok := th.allow(now); ok {
					wrote(times)
				}
			} else if times := th.rest(now, false); times > 0 {
				wrote(times)
			}
			if due := th.owed(); due.IsZero() != (told == happened) || !due.IsZero() && due.Sub(now) > time.Minute {
				t.Fatalf("%d of %d told, the rest is due %v", told, happened, due)
			}
		}
		if told += th.rest(now, true); told != happened {
			t.Fatalf("the lines tell of %d, %d happened", told, happened)
		}
	})
}
