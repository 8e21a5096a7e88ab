package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Counts is what a process has done since [SetStatistics] switched it on.
type Counts struct {
	Since time.Time
	In    int // messages, requests and time-outs it was given, and events that a state machine inserted
	Out   int // answers that its handlers returned; not those that were deferred
}

func (c *Counts) count(e process.Event) {
	switch e.Kind {
	case process.Received:
		c.In++
	case process.Replied:
		c.Out++
	}
}

// SetStatistics switches the counting on or off. Switching it on again begins
// anew.
func SetStatistics(ctx context.Context, to process.Target, on bool) error {
	return set(ctx, to, func(r *recorder) error {
		r.stats = nil
		if on {
			r.stats = &Counts{Since: time.Now()}
		}
		return nil
	})
}

// Statistics returns the counts; on is false if they are switched off.
func Statistics(ctx context.Context, to process.Target) (c Counts, on bool, err error) {
	now, err := record(ctx, to, func(r *recorder) (*Counts, error) {
		if r.stats == nil {
			return nil, nil
		}
		c := *r.stats
		return &c, nil
	})
	if now == nil {
		return Counts{}, false, err
	}
	return *now, true, nil
}

// ErrInstalled says that a function with that id is installed already. There is
// one of an id at most.
var ErrInstalled = errors.New("system: already installed")

// Install has f called with every event of a process, in that process, until f
// reports that it is done, panics, or is taken away by [Remove] (OTP:
// sys:install). The process waits for it, so it must be quick; what it keeps of
// an event is still the process's.
func Install(ctx context.Context, to process.Target, id string, f func(process.Event) (done bool)) error {
	if f == nil {
		return fmt.Errorf("system: install %q: no function", id)
	}
	return set(ctx, to, func(r *recorder) error {
		for _, has := range r.installed {
			if has.id == id {
				return fmt.Errorf("%w: %q", ErrInstalled, id)
			}
		}
		r.installed = append(r.installed, installed{id, func(e process.Event) (bool, error) { return f(e), nil }})
		return nil
	})
}

// Remove takes an installed function away, and reports whether it was there.
func Remove(ctx context.Context, to process.Target, id string) (was bool, err error) {
	return record(ctx, to, func(r *recorder) (bool, error) { return r.remove(id), nil })
}

// traceID is the id under which [Trace] installs itself.
const traceID = "trace"

// Trace writes a line to w for every event of a process, as it happens (OTP:
// sys:trace, and sys:log_to_file if w is a file); a nil w ends it. The process
// waits for w; one that fails ends the trace, and is reported.
func Trace(ctx context.Context, to process.Target, w io.Writer) error {
	return set(ctx, to, func(r *recorder) error {
		r.remove(traceID)
		if w == nil {
			return nil
		}
		r.installed = append(r.installed, installed{traceID, func(e process.Event) (bool, error) {
			_, err := fmt.Fprintln(w, Format(e))
			return false, err
		}})
		return nil
	})
}

// Format shows an event as a line of a [Trace]. It must be called where the
// event happens: in a function given to [Install], or on one whose message does
// not change any more.
func Format(e process.Event) string {
	who := e.PID.Name()
	if who == "" {
		who = e.PID.String()
	}
	text, msg := e.Text, process.Format(e.Msg)
	if text != "" {
		text = " " + text
	}
	switch e.Kind {
	case process.Received:
		if !e.Peer.IsZero() {
			return fmt.Sprintf("%s got%s %s from %v", who, text, msg, e.Peer)
		}
		return fmt.Sprintf("%s got%s %s", who, text, msg)
	case process.Replied:
		if e.Reason != nil {
			msg = e.Reason.Error()
		}
		if !e.Peer.IsZero() {
			return fmt.Sprintf("%s sent%s %s to %v", who, text, msg, e.Peer)
		}
		return fmt.Sprintf("%s sent%s %s", who, text, msg)
	case process.Exited:
		return fmt.Sprintf("%s terminates: %v", who, reason(e.Reason))
	}
	return fmt.Sprintf("%s%s %s", who, text, msg)
}

func reason(err error) string {
	if err == nil {
		return "normal"
	}
	return err.Error()
}
