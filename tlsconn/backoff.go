package tlsconn

import (
	"cmp"
	"math/rand/v2"
	"time"
)

// A Backoff says how long a [Client] waits before it dials again. Each failure
// doubles the time, and part of it is left to chance, so that the clients of a
// server that comes back do not come all at once.
type Backoff struct {
	Min time.Duration // after the first failure; 0: 100 ms
	Max time.Duration // never longer; 0: 30 s
}

func (b Backoff) withDefaults() Backoff {
	b.Min = cmp.Or(b.Min, 100*time.Millisecond)
	b.Max = max(cmp.Or(b.Max, 30*time.Second), b.Min)
	return b
}

// span is the longest wait after that many failures in a row, which is one at
// least; the wait is something between half of it and all.
func (b Backoff) span(failures int) time.Duration {
	d := b.Min
	for ; failures > 1 && d < b.Max; failures-- {
		d *= 2
	}
	return min(d, b.Max)
}

// wait draws one.
func (b Backoff) wait(failures int) time.Duration {
	d := b.span(failures)
	return d/2 + rand.N(d/2+1)
}
