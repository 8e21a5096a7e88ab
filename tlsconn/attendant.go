package tlsconn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// An attendant is the process of a Server: it reads the files again, tells by
// number what got no line of its own, and sees to the alarms.
type attendant struct {
	s      *Server
	keys   *keyLog
	timer  *process.Timer  // of the next look
	raised map[string]bool // IDs of alarms about files
}

// A wardrobe is the identities of a Server, as they are and as they are looked
// at. It belongs to the attendant; after its end, to the next one that may have it.
type wardrobe struct {
	rotations []*identity.Rotation // none: none was ever good
	pairs     []*identity.Pair
	due       []time.Time     // zero: never
	raised    map[string]bool // the attendant's
	starter   process.PID     // of the attendant
	stopped   bool            // the attendant ended in order
}

// passes reports whether the next attendant goes on with what there is: if the one
// before it crashed, or if a supervisor only starts it again, or something that it is
// part of, because of another one's crash. What is served must not depend on what the
// files hold in that moment.
func (w *wardrobe) passes(starter process.PID) bool {
	return w.rotations != nil && (!w.stopped || related(w.starter, starter))
}

// related reports whether the same supervisor is above both, or is one of them.
func related(a, b process.PID) bool {
	for ; !a.IsZero(); a = a.Parent() {
		for c := b; a.Is(process.KindSupervisor) && !c.IsZero(); c = c.Parent() {
			if a == c {
				return true
			}
		}
	}
	return false
}

// attend describes the process.
func (s *Server) attend() server.Spec[attendant] {
	return server.Spec[attendant]{
		Init:      s.open,
		TrapExit:  true,
		Terminate: func(ctx context.Context, a *attendant, reason error) error { return a.close(ctx, reason) },
		Inspect:   func(a *attendant) any { return a.s.Info() },
	}
}

func (s *Server) open(ctx context.Context) (*attendant, error) {
	ref, err := server.As[attendant](process.Self(ctx))
	if err != nil {
		return nil, err
	}
	var last process.PID
	before := s.attendant.Load()
	if before != nil {
		last = before.PID()
	}
	if !outlived(ctx, last) || !s.attendant.CompareAndSwap(before, &ref) {
		return nil, fmt.Errorf("tlsconn: server %q is started already: make another for another listener", s.spec.Name)
	}
	s.dressing.Lock()
	defer s.dressing.Unlock()
	a := &attendant{s: s, raised: make(map[string]bool)}
	if err := a.prepare(ctx); err != nil {
		s.attendant.Store(before)
		return nil, errors.Join(fmt.Errorf("tlsconn: server %q does not start:\n%w", s.spec.Name, err), a.keys.close())
	}
	s.ep.tally.attend(func() {
		// Refused only when it has ended; its Terminate has told the rest.
		_ = server.Cast(ctx, ref, stirred{})
	})
	return a, a.plan(ctx)
}

// outlived reports whether a process that was started before has ended; of one that is
// about to, because it or the one above it was killed, it waits for that.
func outlived(ctx context.Context, before process.PID) bool {
	if before.Alive() && (before.Parent().IsZero() || before.Parent().Alive()) {
		return false
	}
	if before.IsZero() {
		return true
	}
	_, err := process.Wait(ctx, before)
	return err == nil
}

// prepare does all that can fail, and reports all of it.
func (a *attendant) prepare(ctx context.Context) (err error) {
	s := a.s
	faults := s.spec.faults()
	if a.keys, err = newKeyLog(ctx, s.spec.Name, s.spec.KeyLog); err != nil {
		faults = append(faults, fmt.Errorf("KeyLog: %w", err))
	}
	if s.spec.Source != nil {
		// It may take its time, and before it has started it need not have anything.
		if len(faults) == 0 {
			faults = append(faults, a.source(ctx))
		}
		if err := errors.Join(faults...); err != nil {
			return err
		}
	}
	starter := process.Self(ctx).Parent()
	again := s.wardrobe.passes(starter)
	if again {
		a.raised = s.wardrobe.raised
	} else {
		s.wardrobe = s.newWardrobe(a.raised)
	}
	s.wardrobe.starter, s.wardrobe.stopped = starter, false
	if err := a.look(ctx, time.Now(), true, true); err != nil && !again {
		s.wardrobe = wardrobe{}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (s *Server) newWardrobe(raised map[string]bool) wardrobe {
	w := wardrobe{raised: raised}
	for _, f := range s.spec.files() {
		w.rotations = append(w.rotations, &identity.Rotation{Files: f, Every: s.spec.Reload})
	}
	w.pairs = make([]*identity.Pair, len(w.rotations))
	w.due = make([]time.Time, len(w.rotations))
	return w
}

// look reads the files of those identities that are due, or of all, and serves
// what is new, or all anew. The error says what is wrong with them; what was good
// is served all the same.
func (a *attendant) look(ctx context.Context, now time.Time, all, anew bool) error {
	var faults []error
	w := &a.s.wardrobe
	for i, r := range w.rotations {
		if !all && (w.due[i].IsZero() || now.Before(w.due[i])) {
			continue
		}
		var c identity.Change
		if !all && a.s.spec.Reload == process.Infinity {
			c = r.Age(now)
		} else {
			var err error
			r.Rehearse = func(p *identity.Pair) error { return a.s.spec.rehearse(ctx, p, r.Files) }
			if c, err = r.Look(now); err != nil {
				faults = append(faults, a.s.spec.of(i, err))
			}
		}
		anew = anew || c.Fresh
		w.pairs[i], w.due[i] = c.Pair, c.Next
		a.alarms(ctx, i, c.Alarms)
	}
	if anew && !slices.Contains(w.pairs, nil) {
		a.serve(ctx)
	}
	return errors.Join(faults...)
}

// of says which identity an error is about.
func (s *Spec) of(i int, err error) error {
	if i == 0 {
		return err
	}
	return fmt.Errorf("of Sites[%d]: %w", i-1, err)
}

// serve puts what there is into use, for connections from now on. What clients
// said of the certificates before does not count any more.
func (a *attendant) serve(ctx context.Context) {
	var all []material
	var served []Served
	for i, p := range a.s.wardrobe.pairs {
		all = append(all, materialOf(p))
		served = append(served, servedBy(p, a.s.wardrobe.rotations[i].Files))
	}
	set := a.s.spec.newSet(all[0], all[1:], a.keys.writer())
	set.served = served
	a.s.set.Store(set)
	a.s.ep.alarms(ctx, a.s.ep.tally.forgive())
}

// alarms tells of what a look came to.
func (a *attendant) alarms(ctx context.Context, i int, all []identity.Alarm) {
	for _, one := range all {
		what := string(one.Kind)
		if i > 0 {
			what += " " + a.s.wardrobe.rotations[i].Files.Cert
		}
		id := a.s.ep.alarm(what)
		if one.Set {
			a.raised[id] = true
			setAlarm(ctx, alarm.Alarm{ID: id, Text: one.Text, Err: one.Err})
		} else {
			delete(a.raised, id)
			clearAlarm(ctx, id)
		}
	}
}

// plan sets the timer for the next look.
func (a *attendant) plan(ctx context.Context) (err error) {
	a.timer.Stop()
	a.timer = nil
	var next time.Time
	for _, due := range a.s.wardrobe.due {
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	if !next.IsZero() {
		a.timer, err = server.After(ctx, time.Until(next), look{})
	}
	return err
}

// close tells what is left to tell. Whoever comes next tells anew of what is wrong.
func (a *attendant) close(ctx context.Context, reason error) error {
	a.s.dressing.Lock()
	defer a.s.dressing.Unlock()
	ep := a.s.ep
	ep.tally.attend(nil)
	ep.report(ctx, time.Now(), true)
	for id := range a.raised {
		clearAlarm(ctx, id)
	}
	clear(a.raised)
	for _, r := range a.s.wardrobe.rotations {
		r.Remind()
	}
	a.s.wardrobe.stopped = process.Clean(reason)
	return a.keys.close()
}

type (
	look    struct{} // a timer: some files are due
	stirred struct{} // there is something in the tally
	tell    struct{} // a timer: it is due
	reload  struct{} // a request: all files are
)

func (look) Handle(ctx context.Context, a *attendant) error {
	a.s.dressing.Lock()
	defer a.s.dressing.Unlock()
	// What is wrong with the files has become an alarm, or will if it lasts.
	_ = a.look(ctx, time.Now(), false, false)
	return a.plan(ctx)
}

func (stirred) Handle(ctx context.Context, a *attendant) error {
	_, err := server.After(ctx, tick, tell{})
	return err
}

func (tell) Handle(ctx context.Context, a *attendant) error {
	now := time.Now()
	a.s.ep.report(ctx, now, false)
	if a.s.ep.tally.settled(now) {
		return nil
	}
	return stirred{}.Handle(ctx, a)
}

func (reload) Handle(ctx context.Context, a *attendant) (struct{}, error) {
	a.s.dressing.Lock()
	defer a.s.dressing.Unlock()
	err := a.look(ctx, time.Now(), true, false)
	if planned := a.plan(ctx); planned != nil {
		return struct{}{}, server.Stop(planned)
	}
	return struct{}{}, err
}
