package supervisor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// stopAll stops all children: in reverse order of their start, one by one, or
// all at once if they have no order.
func (s *supervisor) stopAll(ctx context.Context) {
	if s.kids.dynamic {
		s.stopTogether(ctx)
		return
	}
	for _, c := range slices.Backward(s.kids.list) {
		if s.stop(ctx, c) != nil {
			return // we have been killed: they die with us, by their links
		}
	}
}

// stop stops one child and waits until it is gone. A child that waits for a
// restart waits no longer. The error is that we have been killed meanwhile.
func (s *supervisor) stop(ctx context.Context, c *child) error {
	running := c.status == Running
	c.down()
	if !running {
		return nil
	}
	reason, err := stopProcess(ctx, c.pid, c.shutdown())
	if err != nil {
		return err
	}
	if !c.quiet(reason) {
		s.report(ctx, TextStopError, c, reason)
	}
	return nil
}

// quiet reports whether a child that was stopped ended as it should: as it was
// told, or, if it may end by itself at all, cleanly.
//
// A child that had just died by itself is stopped too, and its own reason is
// the one that counts here.
func (c *child) quiet(reason error) bool {
	asked := process.ErrShutdown
	if c.shutdown() == BrutalKill {
		asked = process.ErrKilled
	}
	return reason == asked || c.spec.Restart != Permanent && process.Clean(reason)
}

// stopProcess ends a process within its time, or kills it, and returns its
// reason. After a kill the runtime waits for the process's Grace at most and
// then abandons its goroutine, so this comes to an end whatever the process
// does; only Infinity waits for ever.
//
// It waits for the death, not for the exit signal of the link, so a process
// that has unlinked itself is stopped all the same.
func stopProcess(ctx context.Context, pid process.PID, within time.Duration) (reason, err error) {
	ctx = process.Uninterrupted(ctx)
	if err := tell(ctx, pid, within); err != nil {
		return nil, err
	}
	if within < 0 {
		return process.Wait(ctx, pid)
	}
	reason, err = process.WaitFor(ctx, pid, within)
	if err != process.ErrTimeout {
		return reason, err
	}
	if err := process.Kill(ctx, pid); err != nil {
		return nil, err
	}
	return process.Wait(ctx, pid)
}

// tell is the first word to a process that has that much time to stop.
func tell(ctx context.Context, pid process.PID, within time.Duration) error {
	switch {
	case within == BrutalKill:
		return process.Kill(ctx, pid)
	case within != AtOnce:
		return process.SendExit(ctx, pid, process.ErrShutdown)
	case !pid.Info().TrapExit: // who traps would only begin to say goodbye
		if err := process.SendExit(ctx, pid, process.ErrShutdown); err != nil {
			return err
		}
	}
	return process.Kill(ctx, pid)
}

// moment is what [AtOnce] leaves to children that are stopped together. OTP sets
// a timer of 0 ms for them, which fires with the next tick of its clock, and who
// has no more to do than to return is done by then.
const moment = time.Millisecond

// together is how long a child has that is stopped together with others.
func (c *child) together() time.Duration {
	if within := c.shutdown(); within != AtOnce {
		return within
	}
	return moment
}

// stopTogether stops the children of a dynamic supervisor, which may be very
// many: all are told, then all are awaited, under one timer for each value of
// Shutdown. When that is over the rest of them are killed at once, so all of
// them together have one Shutdown and one Grace.
func (s *supervisor) stopTogether(ctx context.Context) {
	ctx = process.Uninterrupted(ctx)
	var told, killed []*child
	for _, c := range s.kids.list {
		switch within := c.together(); {
		case c.status != Running, tell(ctx, c.pid, within) != nil:
		case within == BrutalKill:
			killed = append(killed, c)
		default:
			told = append(told, c)
		}
		c.down()
	}
	// Who has the least time comes first; with a template all have the same.
	slices.SortStableFunc(told, func(a, b *child) int {
		return cmp.Compare(uint64(a.together()), uint64(b.together())) // Infinity is -1: the greatest
	})
	var failed failures
	begin := time.Now()
	for _, c := range told {
		limit := c.together()
		if limit != Infinity {
			limit = max(0, limit-time.Since(begin))
		}
		switch reason, err := process.WaitFor(ctx, c.pid, limit); {
		case err == process.ErrTimeout:
			// Refused only if we have been killed, and then so is the next wait.
			_ = process.Kill(ctx, c.pid)
			killed = append(killed, c)
		case err != nil:
			return // we have been killed
		default:
			failed.add(c, reason)
		}
	}
	for _, c := range killed {
		reason, err := process.Wait(ctx, c.pid)
		if err != nil {
			return
		}
		failed.add(c, reason)
	}
	for _, f := range failed {
		if s.heard(ctx, process.LevelError) {
			r := s.describe(f.first)
			r.Count = f.count
			s.give(ctx, process.LevelError, TextStopError, f.first, f.reason, r)
		}
	}
}

// failures counts the children that stopped badly, by reason, so that ten
// thousand that had to be killed are one report.
type failures []failure

type failure struct {
	first  *child
	reason error
	count  int
}

// add counts c among those that ended with that reason, if it is a bad one.
// Reasons are the same if they read the same: two panics of one kind are two
// values.
func (f *failures) add(c *child, reason error) {
	if c.quiet(reason) {
		return
	}
	text := fmt.Sprint(reason)
	for i := range *f {
		if fmt.Sprint((*f)[i].reason) == text {
			(*f)[i].count++
			return
		}
	}
	*f = append(*f, failure{c, reason, 1})
}
