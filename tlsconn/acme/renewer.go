package acme

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor/task"
)

// A renewer is the process of a Source.
type renewer struct {
	s      *Source
	failed map[string]*failure // by name
}

// A failure is of one or more attempts in a row.
type failure struct {
	times int
	next  time.Time // attempt
}

func (s *Source) renewing() server.Spec[renewer] {
	return server.Spec[renewer]{
		Init:      func(ctx context.Context) (*renewer, error) { return s.open(ctx) },
		TrapExit:  true,
		Exit:      func(context.Context, *renewer, process.ExitSignal) error { return nil }, // an attempt's: Await has told
		Terminate: func(ctx context.Context, r *renewer, _ error) error { r.forgive(ctx); return nil },
		Inspect:   func(r *renewer) any { return r.s.String() },
	}
}

// open obtains what is missing.
func (s *Source) open(ctx context.Context) (*renewer, error) {
	config, stop, err := s.configure()
	if err != nil {
		return nil, fmt.Errorf("acme: %w", err)
	}
	ref, err := server.As[renewer](process.Self(ctx))
	if err == nil {
		_, err = process.Keep(ctx, ref.PID(), stopper(stop))
	}
	if err != nil {
		stop()
		return nil, err
	}
	s.config.Store(config)
	r := &renewer{s: s, failed: make(map[string]*failure)}
	var faults []error
	for _, name := range s.spec.Names {
		if err := r.attempt(ctx, name, config.ObtainCertSync); err != nil {
			faults = append(faults, fmt.Errorf("acme: no certificate for %s from %s: %w", name, s.spec.Directory, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	s.keeper.Store(&ref)
	_, err = server.After(ctx, 0, look{})
	return r, err
}

// A stopper is called at the end of a process. What it stops is idle, and so stops at
// once.
type stopper func()

// Forget implements process.Keeper.
func (stop stopper) Forget(process.PID) { stop() }

// attempt runs what certmagic does in a process of its own, for as long as it may take.
func (r *renewer) attempt(ctx context.Context, name string, do func(context.Context, string) error) error {
	late := fmt.Errorf("not done within %v: %w", r.s.spec.Timeout, process.ErrTimeout)
	t, err := task.Async(ctx, func(ctx context.Context) (none struct{}, err error) {
		ctx, cancel := context.WithTimeoutCause(ctx, r.s.spec.Timeout, late)
		defer cancel()
		if err = do(ctx, name); err != nil && context.Cause(ctx) == late {
			err = fmt.Errorf("%w: %w", late, err)
		}
		return none, err
	})
	if err != nil {
		return err
	}
	_, err = t.Await(ctx)
	return err
}

// look is a timer: it is time to see what is due.
type look struct{}

func (look) Handle(ctx context.Context, r *renewer) error {
	for _, name := range r.s.spec.Names {
		if r.isDue(name, time.Now()) {
			r.renew(ctx, name, false)
		}
	}
	if ctx.Err() != nil {
		return nil // it is told to stop
	}
	_, err := server.After(ctx, r.s.spec.Every, look{})
	return err
}

func (r *renewer) isDue(name string, now time.Time) bool {
	if f := r.failed[name]; f != nil {
		return !now.Before(f.next)
	}
	chain, err := r.s.ReadFile(certmagic.StorageKeys.SiteCert(r.s.issuer, name))
	if err != nil {
		return true // it says why when it is tried
	}
	leaf, err := leafOf(chain)
	if err != nil {
		return true
	}
	is, _ := due(leaf, now)
	return is
}

// renew makes one attempt, and sees to the alarm.
func (r *renewer) renew(ctx context.Context, name string, force bool) error {
	config := r.s.config.Load()
	err := r.attempt(ctx, name, func(ctx context.Context, name string) error { return config.RenewCertSync(ctx, name, force) })
	switch {
	case err != nil && ctx.Err() != nil: // we are told to stop
	case err != nil:
		f := r.failed[name]
		if f == nil {
			f = &failure{}
			r.failed[name] = f
		}
		f.times++
		wait := retry(f.times)
		f.next = time.Now().Add(wait)
		raise(ctx, alarm.Alarm{ID: alarmOf(name), Err: err,
			Text: fmt.Sprintf("the certificate of %s could not be renewed by %s; the next attempt comes in %v", name, r.s.spec.Directory, wait)})
	default:
		process.Emit(ctx, process.Event{Kind: process.Network, Level: process.LevelInfo, Text: "the certificate of " + name + " is renewed"})
		r.clear(ctx, name)
	}
	return err
}

func (r *renewer) clear(ctx context.Context, name string) {
	if r.failed[name] != nil {
		delete(r.failed, name)
		lower(ctx, alarmOf(name))
	}
}

// forgive clears the alarms: whoever comes next tries again.
func (r *renewer) forgive(ctx context.Context) {
	for name := range r.failed {
		r.clear(ctx, name)
	}
}

// renew is a request: now.
type renew struct{ names []string }

func (m renew) Handle(ctx context.Context, r *renewer) (none struct{}, err error) {
	names := m.names
	if len(names) == 0 {
		names = r.s.spec.Names
	}
	var faults []error
	for _, name := range names {
		if !slices.Contains(r.s.spec.Names, name) {
			return none, fmt.Errorf("acme: %q is none of the Names %q: nothing was renewed", name, r.s.spec.Names)
		}
	}
	for _, name := range names {
		if err := r.renew(ctx, name, true); err != nil {
			faults = append(faults, fmt.Errorf("acme: %s: %w", name, err))
		}
	}
	return none, errors.Join(faults...)
}

func alarmOf(name string) string { return "acme " + name + ": cannot_renew" }

// raise sets an alarm, or, where nobody keeps alarms, says so.
func raise(ctx context.Context, a alarm.Alarm) {
	if alarm.Set(ctx, a) != nil {
		process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelWarn, Text: "alarm: " + a.ID + ": " + a.Text, Reason: a.Err})
	}
}

func lower(ctx context.Context, id string) {
	if alarm.Clear(ctx, id) != nil {
		process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelInfo, Text: "alarm over: " + id})
	}
}

// solver is DNS, if it is given. A nil pointer would be one, too.
func (s *Source) solver() acmez.Solver {
	if s.spec.DNS == nil {
		return nil
	}
	return s.spec.DNS
}
