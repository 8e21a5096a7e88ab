package supervisor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/coppice-go/coppice/process"
)

// start runs a child's start function and takes on its process. nil: the child
// is running; else it is down, and nothing that was started for it is left.
func (s *supervisor) start(ctx context.Context, c *child) error {
	c.cancel()
	pid, err := s.call(ctx, c)
	if err == nil {
		err = s.admit(ctx, c, pid)
	}
	if err != nil {
		s.discard(ctx, c, pid)
		c.status = Down
		return err
	}
	s.kids.bind(c, pid, time.Since(s.born))
	if !s.kids.dynamic {
		s.emit(ctx, process.LevelDebug, TextStarted, c, nil)
	}
	return nil
}

// call runs the start function, in our own process: a panic there would be
// ours, so it is caught.
func (s *supervisor) call(ctx context.Context, c *child) (pid process.PID, err error) {
	defer func() {
		if v := recover(); v != nil {
			pcs := make([]uintptr, 64)
			n := runtime.Callers(3, pcs)
			pid, err = process.PID{}, &StartPanicError{&process.PanicError{Value: v, Stack: pcs[:n:n]}}
		}
	}()
	if c.arg != nil {
		ctx = withArgument(ctx, c.arg)
	}
	if c.spec.Start == nil {
		return process.PID{}, ErrNoStart
	}
	ctx = process.WithBirth(ctx, process.Birth{ID: c.spec.ID, Grace: c.spec.Grace})
	if c.spec.StartTimeout > 0 {
		return s.callWithin(ctx, c)
	}
	return c.spec.Start(ctx)
}

// callWithin runs a start function that has a deadline. The function itself
// sees it in its ctx; a process that sits in its Init is killed.
func (s *supervisor) callWithin(ctx context.Context, c *child) (process.PID, error) {
	limit := c.spec.StartTimeout
	late := fmt.Errorf("did not start within %v: %w", limit, process.ErrTimeout)
	deadline, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	began, newest := time.Now(), s.kids.newest
	stop := context.AfterFunc(deadline, func() {
		for _, pid := range startedSince(process.Self(ctx), began, newest) {
			// Refused only if we have ended, and then the child ends with us.
			_ = process.Kill(ctx, pid)
		}
	})
	pid, err := c.spec.Start(deadline)
	if inTime := stop(); !inTime {
		return pid, late // whatever it says: its process is being killed
	}
	return pid, err
}

// startedSince lists the processes that pid has started since then, after that
// child of its, and that are linked to it. It looks at all of them, which is
// dear; but it is needed only when a start has hung for its whole time.
func startedSince(pid process.PID, then time.Time, child uint64) (out []process.PID) {
	for _, p := range pid.Info().Links {
		if p.ID() <= child || p.Parent() != pid {
			continue
		}
		// The age is read first: so whatever is younger than then counts.
		if age := p.Info().Age; age <= time.Since(then) {
			out = append(out, p)
		}
	}
	return out
}

// admit checks that what a start function returned can be supervised.
func (s *supervisor) admit(ctx context.Context, c *child, pid process.PID) error {
	other := s.kids.byPID[pid]
	switch self := process.Self(ctx); {
	case pid.IsZero():
		return ErrNoProcess
	case other != nil && other.status == Running:
		return fmt.Errorf("%v: %w: it is %q", pid, ErrNotNew, other.spec.ID)
	case pid == self, pid == self.Parent():
		return fmt.Errorf("%v: %w", pid, ErrNotNew)
	case pid.Linked(self):
		return nil
	case pid.Alive():
		return fmt.Errorf("%v: %w", pid, ErrNotLinked)
	}
	// It has ended already. If it was linked its exit waits in our mailbox; if
	// it was not, linking it now brings one. A second one finds nobody.
	return process.Link(ctx, pid)
}

// discard stops the process of a start that failed nevertheless. What is not
// linked to us is not ours to stop.
func (s *supervisor) discard(ctx context.Context, c *child, pid process.PID) {
	if self := process.Self(ctx); pid.IsZero() || !pid.Linked(self) || pid == self.Parent() || s.kids.byPID[pid] != nil {
		return
	}
	// The error of the start is what is reported, not how this one ends.
	_, _ = stopProcess(ctx, pid, c.spec.shutdown(pid.Is(process.KindSupervisor)))
}

// declined deals with a child whose start function does not want it to run now,
// and reports whether err says so. A temporary or dynamic child is forgotten.
func (s *supervisor) declined(c *child, err error) bool {
	if !errors.Is(err, process.ErrIgnore) {
		return false
	}
	if c.spec.Restart == Temporary || s.kids.dynamic {
		s.kids.remove(c)
	}
	return true
}
