package supervisor

import (
	"context"
	"fmt"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// StartChild adds a child behind the others and starts it. It is an error if
// there is one with this ID: a *process.AlreadyStartedError if that one is
// running, else [ErrAlreadyPresent]. A child that fails to start is not added,
// and the error is a [*StartError]. One that returns process.ErrIgnore is
// added, unless it is temporary, and process.ErrIgnore is what StartChild
// returns.
//
// Children added like this are not part of the Spec: they are gone when the
// supervisor is itself restarted.
//
// A [Mixed] supervisor keeps its children in no order, takes any number with the
// same ID, and keeps none that returns process.ErrIgnore. It refuses one too many
// with [ErrMaxChildren].
func StartChild(ctx context.Context, sup process.Target, c Child) (process.PID, error) {
	return ask(ctx, sup, "start child "+c.ID, func(ctx context.Context, s *supervisor) (process.PID, error) {
		return s.startChild(ctx, c)
	})
}

func (s *supervisor) startChild(ctx context.Context, spec Child) (process.PID, error) {
	if s.template != nil {
		return process.PID{}, ErrDynamic
	}
	if err := specError(s.spec.Name, spec.faults(-1, s.spec.AutoShutdown)); err != nil {
		return process.PID{}, err
	}
	if c := s.kids.find(spec.ID); c != nil {
		if c.status == Running {
			return process.PID{}, &process.AlreadyStartedError{Name: spec.ID, PID: c.pid}
		}
		return process.PID{}, fmt.Errorf("%q: %w", spec.ID, ErrAlreadyPresent)
	}
	pid, err := s.addAndStart(ctx, &child{spec: &spec})
	if spec.Restart == Temporary {
		spec.Start = nil // it will not be needed again, and may hold on to much
	}
	return pid, err
}

// addAndStart starts a child that somebody asked for, and keeps it if that
// succeeds.
func (s *supervisor) addAndStart(ctx context.Context, c *child) (process.PID, error) {
	if n := s.spec.MaxChildren; n > 0 && len(s.kids.list) >= n {
		return process.PID{}, fmt.Errorf("%w: there are %d", ErrMaxChildren, len(s.kids.list))
	}
	s.kids.add(c)
	err := s.start(ctx, c)
	switch {
	case err == nil:
		return c.pid, nil
	case s.declined(c, err):
		return process.PID{}, err
	}
	s.kids.remove(c)
	return process.PID{}, &StartError{c.spec.ID, err}
}

// TerminateChild stops a child and waits until it is gone. It stays as one that
// is [Down], unless it is temporary; if it was waiting for a restart, that is
// cancelled. Stopping one that is down already is no error. It never causes an
// auto-shutdown.
func TerminateChild(ctx context.Context, sup process.Target, id string) error {
	return order(ctx, sup, "terminate child "+id, func(ctx context.Context, s *supervisor) error {
		c, err := s.find(id)
		if err != nil {
			return err
		}
		return s.terminate(ctx, c)
	})
}

// terminate stops a child because somebody asked for it.
func (s *supervisor) terminate(ctx context.Context, c *child) error {
	if err := s.stop(ctx, c); err != nil {
		return err
	}
	if c.spec.Restart == Temporary || s.kids.dynamic {
		s.kids.remove(c)
	}
	return nil
}

// RestartChild starts a child that is [Down]: [ErrRunning] or [ErrRestarting]
// if it is not. If it fails it stays down, and the error is a [*StartError]; if
// it returns process.ErrIgnore, so does RestartChild. It does not count towards
// the intensity.
func RestartChild(ctx context.Context, sup process.Target, id string) (process.PID, error) {
	return ask(ctx, sup, "restart child "+id, func(ctx context.Context, s *supervisor) (process.PID, error) {
		c, err := s.findDown(id)
		if err != nil {
			return process.PID{}, err
		}
		c.failures = 0
		switch err := s.start(ctx, c); {
		case err == nil:
			return c.pid, nil
		case s.declined(c, err):
			return process.PID{}, err
		default:
			return process.PID{}, &StartError{id, err}
		}
	})
}

// DeleteChild forgets a child that is [Down]: [ErrRunning] or [ErrRestarting]
// if it is not.
func DeleteChild(ctx context.Context, sup process.Target, id string) error {
	return order(ctx, sup, "delete child "+id, func(_ context.Context, s *supervisor) error {
		c, err := s.findDown(id)
		if err != nil {
			return err
		}
		s.kids.remove(c)
		return nil
	})
}

// A ChildInfo is one line of [WhichChildren].
type ChildInfo struct {
	ID         string      // of a dynamic child: the template's
	PID        process.PID // zero unless it is Running
	Status     Status
	Supervisor bool // its latest process is or was a supervisor
}

// WhichChildren lists the children, the one that was started last first. Those
// of a dynamic supervisor have no order. A [Bridge] has none, which is no error:
// so who walks a tree need not know what it meets.
func WhichChildren(ctx context.Context, sup process.Target) ([]ChildInfo, error) {
	if pid, err := sup.Resolve(ctx); err == nil {
		if _, is := pid.Behaviour().(*bridge); is {
			return nil, nil
		}
	}
	return ask(ctx, sup, "which children", func(_ context.Context, s *supervisor) ([]ChildInfo, error) {
		out := make([]ChildInfo, 0, len(s.kids.list))
		for _, c := range slices.Backward(s.kids.list) {
			out = append(out, c.info())
		}
		return out, nil
	})
}

// WhichChild is the line of one child in [WhichChildren].
func WhichChild(ctx context.Context, sup process.Target, id string) (ChildInfo, error) {
	return ask(ctx, sup, "which child "+id, func(_ context.Context, s *supervisor) (ChildInfo, error) {
		c, err := s.find(id)
		if err != nil {
			return ChildInfo{}, err
		}
		return c.info(), nil
	})
}

func (c *child) info() ChildInfo {
	info := ChildInfo{ID: c.spec.ID, Status: c.status, Supervisor: c.sup}
	if c.status == Running {
		info.PID = c.pid
	}
	return info
}

// Counts is what [CountChildren] returns.
type Counts struct {
	Specs       int // children that it has; 1 if they have a template
	Active      int // of them, those whose process is alive
	Supervisors int // those that are, or were when they last ran, supervisors
	Workers     int // all others
}

// CountChildren counts the children.
func CountChildren(ctx context.Context, sup process.Target) (Counts, error) {
	return ask(ctx, sup, "count children", func(_ context.Context, s *supervisor) (Counts, error) {
		n := Counts{Specs: len(s.kids.list)}
		if s.template != nil {
			n.Specs = 1
		}
		for _, c := range s.kids.list {
			if c.status == Running && c.pid.Alive() {
				n.Active++
			}
			if c.sup {
				n.Supervisors++
			} else {
				n.Workers++
			}
		}
		return n, nil
	})
}

// GetChild returns what a child was specified as, with its Shutdown filled in.
// A dynamic supervisor has the template. The Start of a temporary child that was
// added with [StartChild] is gone: the child would only keep alive what it holds.
func GetChild(ctx context.Context, sup process.Target, id string) (Child, error) {
	return ask(ctx, sup, "get child "+id, func(_ context.Context, s *supervisor) (Child, error) {
		if t := s.template; t != nil && t.ID == id {
			return t.resolved(false), nil
		}
		c, err := s.find(id)
		if err != nil {
			return Child{}, err
		}
		return c.spec.resolved(c.sup), nil
	})
}

// resolved returns the Child with what zero means for it.
func (c Child) resolved(isSupervisor bool) Child {
	c.Shutdown = c.shutdown(isSupervisor)
	return c
}

// find returns the child with that ID.
func (s *supervisor) find(id string) (*child, error) {
	if s.kids.dynamic {
		return nil, ErrDynamic
	}
	if c := s.kids.find(id); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrNotFound, id)
}

// findDown returns the child with that ID if nothing is going on with it.
func (s *supervisor) findDown(id string) (*child, error) {
	c, err := s.find(id)
	if err != nil {
		return nil, err
	}
	switch c.status {
	case Running:
		return nil, fmt.Errorf("%q: %w", id, ErrRunning)
	case Restarting:
		return nil, fmt.Errorf("%q: %w", id, ErrRestarting)
	case Down:
	}
	return c, nil
}
