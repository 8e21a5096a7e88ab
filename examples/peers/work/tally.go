package work

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// A tally counts down what is to happen exactly so often.
type tally struct {
	left atomic.Int64
	zero chan struct{}
}

func newTally(n int) *tally {
	t := &tally{zero: make(chan struct{})}
	t.left.Store(int64(n))
	return t
}

func (t *tally) done() {
	if t.left.Add(-1) == 0 {
		close(t.zero)
	}
}

// wait returns when the count was zero, and what is wrong with it: too few when
// there is no time left, or too many a moment later.
func (t *tally) wait(b *Bench, what string, n int) (at time.Time, wrong string) {
	select {
	case <-t.zero:
	case <-time.After(time.Until(b.Until)):
	}
	at = time.Now()
	time.Sleep(5 * time.Millisecond)
	switch left := t.left.Load(); {
	case left > 0:
		wrong = fmt.Sprintf("%d of %d %s", int64(n)-left, n, what)
	case left < 0:
		wrong = fmt.Sprintf("%d more than %d %s", -left, n, what)
	}
	return at, wrong
}

// patience is how long nobody waits in vain.
const patience = 3 * time.Second

// An alarm rings for those who wait in vain. It is set anew now and then only:
// to set it for each wait would cost as much as half of what is measured.
type alarm struct {
	t   *time.Timer
	set time.Time
}

// rings is where it does, in three to four seconds.
func (a *alarm) rings() <-chan time.Time {
	switch now := time.Now(); {
	case a.t == nil:
		a.t, a.set = time.NewTimer(patience+time.Second), now
	case now.Sub(a.set) > time.Second:
		a.t.Reset(patience + time.Second)
		a.set = now
	}
	return a.t.C
}

// within is when waiting for d ends, or for all if that is sooner.
func (b *Bench) within(d time.Duration) time.Time {
	if t := time.Now().Add(d); t.Before(b.Until) {
		return t
	}
	return b.Until
}

// take receives from c unless time is over.
func take[T any](until time.Time, c <-chan T) (v T, ok bool) {
	select {
	case v = <-c:
		return v, true
	default:
	}
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case v = <-c:
		return v, true
	case <-t.C:
		return v, false
	}
}

// each is the share of one in n, in nanoseconds.
func each(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / float64(n) }

// percentile sorts what was measured, and returns the p-th of a hundred.
func percentile(d []time.Duration, p int) time.Duration {
	slices.Sort(d)
	return d[min(len(d)*p/100, len(d)-1)]
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
