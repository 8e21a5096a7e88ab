package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Start starts a supervisor, linked to the process that ctx belongs to, and
// returns when all its children have started.
//
// The first child that fails ends it: those before it are stopped in reverse,
// and the error is process.Shutdown of a [*StartError] that names the child. A
// Spec that is wrong gives a [*SpecError], before anything is started.
func Start(ctx context.Context, spec Spec) (process.PID, error) {
	pc := process.CallerPC(1)
	spec.Children = slices.Clone(spec.Children)
	return start(ctx, spec, pc)
}

// StartFunc is Start as a [Child]'s Start, for supervisors below supervisors.
// Each start begins with the Spec as it is given here.
func StartFunc(spec Spec) func(context.Context) (process.PID, error) {
	pc := process.CallerPC(1)
	spec.Children = slices.Clone(spec.Children)
	return func(ctx context.Context) (process.PID, error) { return start(ctx, spec, pc) }
}

// start starts a supervisor whose Children nobody changes any more.
func start(ctx context.Context, spec Spec, pc uintptr) (process.PID, error) {
	if err := spec.validate(); err != nil {
		return process.PID{}, err
	}
	return process.Start(ctx, process.Spec{
		Name: spec.Name, TrapExit: true, Kind: process.KindSupervisor, Grace: spec.Grace, Caller: pc,
		Behaviour: newSupervisor(spec.withDefaults()),
	})
}

// A supervisor is the behaviour of a supervisor's process, which owns all of
// it. It carries out what its strategy decided; it decides nothing itself.
type supervisor struct {
	spec     Spec   // with defaults
	template *Child // of a dynamic supervisor that is not mixed, else nil
	kids     children
	restarts window
	born     time.Time
}

func newSupervisor(spec Spec) *supervisor {
	dynamic, _ := isDynamic(spec.Strategy)
	return &supervisor{
		spec:     spec,
		kids:     newChildren(dynamic, len(spec.Children)),
		restarts: window{limit: spec.Intensity, period: spec.Period},
		born:     time.Now(),
	}
}

// Init starts the children.
func (s *supervisor) Init(ctx context.Context) error {
	if s.spec.Init != nil {
		if err := s.complete(ctx); err != nil {
			return err
		}
	}
	if s.kids.dynamic {
		if len(s.spec.Children) > 0 {
			template := s.spec.Children[0]
			s.template = &template
		}
		return nil
	}
	kids := make([]child, len(s.spec.Children)) // one piece of memory for all of them
	for i := range kids {
		c := &kids[i]
		c.spec = &s.spec.Children[i]
		s.kids.add(c)
		if err := s.start(ctx, c); err != nil && !s.declined(c, err) {
			s.report(ctx, TextStartError, c, err)
			s.stopAll(ctx)
			return process.Shutdown(&StartError{c.spec.ID, err})
		}
	}
	return nil
}

// complete adds the children that the Spec's Init makes, and checks them.
func (s *supervisor) complete(ctx context.Context) error {
	more, err := s.spec.Init(ctx)
	if err != nil {
		return err
	}
	s.spec.Children, s.spec.Init = slices.Concat(s.spec.Children, more), nil
	return s.spec.validate()
}

// Handle takes in turn: the ends of children, attempts that are due, and what
// is asked of the supervisor.
func (s *supervisor) Handle(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case *process.ExitSignal:
		// Of a stranger, or left over from a start that failed or a child that
		// was stopped: nothing to do. Nor does a child end by saying so.
		if c := s.kids.byPID[m.From]; c != nil && c.status == Running && !m.From.Alive() {
			return s.exited(ctx, c, m.Reason)
		}
	case *again:
		if m.c.next == m {
			m.c.next = nil
			return s.decide(ctx, m.c, Event{Kind: m.kind, Reason: m.reason}, time.Now())
		}
	case request:
		m.serve(ctx, s)
	default:
		s.unexpected(ctx, msg)
	}
	return nil
}

func (s *supervisor) unexpected(ctx context.Context, msg any) {
	process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelError, Msg: msg,
		Text: fmt.Sprintf("supervisor received an unexpected message: %T", msg)})
}

// Terminate stops the children.
func (s *supervisor) Terminate(ctx context.Context, reason error) error {
	process.Emit(ctx, process.Event{Kind: process.Supervised, Text: TextStopping, Reason: reason})
	s.stopAll(ctx)
	return nil
}

// exited takes note of a child that ended by itself.
func (s *supervisor) exited(ctx context.Context, c *child, reason error) error {
	now := time.Now()
	c.status = Down
	if c.spec.Restart.Wants(reason) {
		if now.Sub(s.born)-c.since > s.spec.Period {
			c.failures = 0
		}
		c.failures++
	}
	return s.decide(ctx, c, Event{Kind: Exited, Reason: reason}, now)
}

// decide asks the strategy and does what it says.
func (s *supervisor) decide(ctx context.Context, c *child, e Event, now time.Time) error {
	e.Child = s.kids.index(c)
	p := s.spec.Strategy.Decide(s, e, now)
	if p.Count {
		s.restarts.add(now)
	}
	s.reportDecision(ctx, c, &e, &p)
	if err := p.check(&e, len(s.kids.list), s.kids.dynamic); err != nil {
		return err
	}
	return s.carryOut(ctx, c, &p)
}

// carryOut does what a plan says. It returns how the supervisor ends, nil if it
// goes on.
func (s *supervisor) carryOut(ctx context.Context, c *child, p *Plan) error {
	if p.End != nil {
		return s.giveUp(ctx, c, p.End)
	}
	if c.status == Restarting {
		c.status = Down // it has had its attempt; the plan may make another
	}
	// Places are those of before: nothing may shift until both spans are read.
	var a, b [1]*child // mostly there is one
	stop, start := s.kids.in(p.Stop, a[:0]), s.kids.in(p.Start, b[:0])
	for _, c := range slices.Backward(stop) {
		if err := s.sweep(ctx, c); err != nil {
			return err
		}
	}
	if p.Drop {
		s.kids.remove(c)
	}
	if p.Wait > 0 {
		s.wait(ctx, c, p.Wait)
		return nil
	}
	for _, c := range start {
		if !s.restart(ctx, c) {
			break
		}
	}
	return nil
}

// sweep stops a child that a plan wants stopped. A temporary one does not stay.
func (s *supervisor) sweep(ctx context.Context, c *child) error {
	running := c.status == Running
	err := s.stop(ctx, c)
	if running && c.spec.Restart == Temporary {
		s.kids.remove(c)
	}
	return err
}

// giveUp ends the supervisor because its strategy says so.
func (s *supervisor) giveUp(ctx context.Context, c *child, why error) error {
	if why != process.ErrShutdown {
		s.report(ctx, TextShutdown, c, why)
	}
	if errors.Is(why, ErrIntensity) {
		why = process.ErrShutdown
	}
	return process.End(why)
}

// wait puts the next attempt to start a child off.
func (s *supervisor) wait(ctx context.Context, c *child, d time.Duration) {
	if c.gone || c.status == Running {
		return
	}
	c.cancel()
	c.status = Restarting
	c.next = &again{c: c, kind: WaitOver}
	c.next.timer = process.After(ctx, d, c.next)
}

// restart starts a child that a plan wants started, and reports whether the
// plan goes on. If the start fails, the next attempt is a message to ourselves:
// what was asked in the meantime comes first, an order to stop above all.
func (s *supervisor) restart(ctx context.Context, c *child) (ok bool) {
	if c.gone || c.status == Running {
		return true
	}
	err := s.start(ctx, c)
	if err == nil || s.declined(c, err) {
		return true
	}
	s.report(ctx, TextStartError, c, err)
	c.failures++
	c.status, c.since = Restarting, time.Since(s.born)
	c.next = &again{c: c, kind: StartFailed, reason: err}
	// Sending to ourselves fails only if we have been killed.
	_ = process.SendSelf(ctx, c.next)
	return false
}

// A supervisor is the View of its strategy.

func (s *supervisor) Len() int { return len(s.kids.list) }

func (s *supervisor) At(i int) ChildView {
	c := s.kids.list[i]
	return ChildView{ID: c.spec.ID, Restart: c.spec.Restart, Significant: c.spec.Significant,
		Status: c.status, Failures: int(c.failures), Since: s.born.Add(c.since)}
}

func (s *supervisor) Restarts(now time.Time) (n, max int) {
	return s.restarts.count(now), s.restarts.limit
}

func (s *supervisor) AutoShutdown() AutoShutdown { return s.spec.AutoShutdown }
