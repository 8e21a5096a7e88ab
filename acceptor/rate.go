package acceptor

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// A meter says whether one more connection is within Rate and Burst. Nil: there
// is no limit. It is shared by all acceptors.
type meter struct{ limit *rate.Limiter }

// meterOf returns the meter of these options, which goes on from the one before:
// what was used up is used up.
func meterOf(before *meter, o *Options, now time.Time) *meter {
	burst := burstOf(o)
	switch {
	case o.Rate == 0:
		return nil
	case before == nil:
		return &meter{rate.NewLimiter(rate.Limit(o.Rate), burst)}
	}
	before.limit.SetLimitAt(now, rate.Limit(o.Rate))
	before.limit.SetBurstAt(now, burst)
	return before
}

// burstOf is Burst, or what a second brings.
func burstOf(o *Options) int {
	if o.Burst > 0 {
		return o.Burst
	}
	return max(1, int(math.Ceil(min(o.Rate, maxBurst))))
}

const maxBurst = 1 << 30 // more than any machine accepts in a second

func (m *meter) allow(now time.Time) bool { return m == nil || m.limit.AllowN(now, 1) }
