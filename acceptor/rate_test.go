package acceptor

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMeter(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		o           Options
		burst, more int // at once; and after one second
	}{
		{Options{Rate: 10}, 10, 10},
		{Options{Rate: 10, Burst: 3}, 3, 3},
		{Options{Rate: 2, Burst: 5}, 5, 2},
		{Options{Rate: 0.5}, 1, 0},
		{Options{Rate: 2.5}, 3, 2},
	} {
		m := meterOf(nil, &c.o, now)
		for i, want := range []int{c.burst, c.more} {
			at, got := now.Add(time.Duration(i)*time.Second), 0
			for range 100 {
				if m.allow(at) {
					got++
				}
			}
			if got != want {
				t.Errorf("rate %v, burst %d: %d in second %d, want %d", c.o.Rate, c.o.Burst, got, i, want)
			}
		}
	}
	var none *meter
	if m := meterOf(none, &Options{}, now); m != nil || !m.allow(now) {
		t.Error("without a Rate there is a limit")
	}
}

// Over any time no more pass than the burst and what the rate brings, whatever
// the options were changed to and back meanwhile: a change gives nothing away.
func TestMeterBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Rate: rapid.Float64Range(0.1, 100).Draw(t, "rate"), Burst: rapid.IntRange(1, 50).Draw(t, "burst")}
		start := time.Now()
		now := start
		m := meterOf(nil, &o, now)
		passed := 0
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 500).Draw(t, "ms")) * time.Millisecond)
			if rapid.IntRange(0, 9).Draw(t, "change") == 0 {
				m = meterOf(m, &o, now)
			}
			if m.allow(now) {
				passed++
			}
		}
		if most := float64(o.Burst) + o.Rate*now.Sub(start).Seconds() + 1e-3; float64(passed) > most {
			t.Fatalf("%d passed in %v, want at most %v", passed, now.Sub(start), most)
		}
	})
}
