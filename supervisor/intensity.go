package supervisor

import (
	"slices"
	"time"
)

// A window remembers the restarts that still count. It is a value without a
// clock: whoever asks says what time it is.
//
// OTP counts in whole seconds, so its window is anything from one period to a
// second more. Ours is exact; what both agree on is that a restart exactly one
// period old still counts.
type window struct {
	limit  int
	period time.Duration
	at     []time.Time // the oldest first
}

// count returns how many restarts count at that time.
func (w *window) count(now time.Time) int {
	first, _ := slices.BinarySearchFunc(w.at, now.Add(-w.period), time.Time.Compare)
	return len(w.at) - first
}

// add records a restart. Those that count no longer are moved over once they
// are the greater part, so a restart costs the same however many are allowed.
func (w *window) add(now time.Time) {
	if old := len(w.at) - w.count(now); old > len(w.at)/2 {
		w.at = slices.Delete(w.at, 0, old)
	}
	w.at = append(w.at, now)
}
