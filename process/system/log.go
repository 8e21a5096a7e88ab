package system

import (
	"context"
	"fmt"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// SetLog lets a process keep its last n events, and 0 forgets them. A log that
// is there already changes its size and keeps what fits, the latest.
func SetLog(ctx context.Context, to process.Target, n int) error {
	if n < 0 {
		return fmt.Errorf("system: log of %d events: use 0 to switch it off", n)
	}
	return set(ctx, to, func(r *recorder) error {
		switch {
		case n == 0:
			r.log = nil
		case r.log == nil:
			r.log = &ring{size: n}
		default:
			r.log = &ring{size: n, events: r.log.last(n)}
		}
		return nil
	})
}

// Log returns what a process has kept, the oldest first; nothing if [SetLog]
// was not called. Msg is what the process was given, not a copy: it is for
// those who know that it does not change. [Format] shows an event, if that is
// done in the process; see [Trace].
func Log(ctx context.Context, to process.Target) ([]process.Event, error) {
	return record(ctx, to, func(r *recorder) ([]process.Event, error) {
		if r.log == nil {
			return nil, nil
		}
		return r.log.last(r.log.size), nil
	})
}

// A ring keeps the last of what it is given.
type ring struct {
	size   int
	events []process.Event
	next   int // where the next goes, once it is full
}

func (r *ring) add(e process.Event) {
	if len(r.events) < r.size {
		r.events = append(r.events, e)
		return
	}
	r.events[r.next] = e
	r.next = (r.next + 1) % r.size
}

// last returns the n latest, oldest first, in a slice of its own.
func (r *ring) last(n int) []process.Event {
	all := slices.Concat(r.events[r.next:], r.events[:r.next])
	return slices.Clone(all[max(0, len(all)-n):])
}
