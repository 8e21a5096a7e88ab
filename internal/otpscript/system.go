package otpscript

import (
	"context"
	"errors"
	"slices"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/process/statem"
	"github.com/coppice-go/coppice/process/system"
)

var systemOps = map[string]op{
	"suspend": func(_ *player, ctx context.Context, to process.PID, _ *Act) (Term, error) {
		return ok, system.Suspend(ctx, to)
	},
	"resume": func(_ *player, ctx context.Context, to process.PID, _ *Act) (Term, error) {
		return ok, system.Resume(ctx, to)
	},
	"terminate": func(p *player, ctx context.Context, to process.PID, a *Act) (Term, error) {
		return ok, system.Terminate(ctx, to, exitReason(p.resolve(a.Reason.Term)))
	},
	"get_state": func(p *player, ctx context.Context, to process.PID, _ *Act) (Term, error) {
		return p.state(ctx, to, nil)
	},
	"replace_state": func(p *player, ctx context.Context, to process.PID, a *Act) (Term, error) {
		return p.state(ctx, to, func(Term) Term {
			if a.Crash.Term != nil {
				throw(p.resolve(a.Crash.Term))
			}
			return p.resolve(a.Set.Term)
		})
	},
	"get_status": (*player).status,
	"statistics": (*player).statistics,
	"log":        (*player).systemLog,
}

// state returns OTP's state of a process, after replace, if that is not nil, has
// replaced it.
func (p *player) state(ctx context.Context, to process.PID, replace func(Term) Term) (Term, error) {
	if replace == nil {
		replace = func(old Term) Term { return old }
	}
	switch {
	case to.Is(server.Kind):
		s, err := system.ReplaceState(ctx, to, func(s scriptedServer) (scriptedServer, error) {
			s.value = replace(s.value)
			return s, nil
		})
		return s.value, callbackFailed("gen_server", err)
	case to.Is(statem.Kind):
		s, err := system.ReplaceState(ctx, to, replaceSnapshot(replace))
		if err != nil {
			return nil, callbackFailed("gen_statem", err)
		}
		return snapshotTerm(s), nil
	case to.Is(event.Kind):
		return handlerStates(ctx, to, replace)
	}
	// Whatever it is, it answers as a dead process does.
	_, err := system.State[Term](ctx, to)
	return nil, err
}

type snapshot = statem.Snapshot[state, scriptedMachine]

func snapshotTerm(s snapshot) Term { return tuple(s.State.term(), s.Data.value) }

func replaceSnapshot(replace func(Term) Term) func(snapshot) (snapshot, error) {
	return func(s snapshot) (snapshot, error) {
		if t, is := replace(snapshotTerm(s)).(Tuple); is && len(t) == 2 {
			s.State, s.Data.value = stateOf(t[0]), t[1]
		}
		return s, nil
	}
}

// handlerStates replaces the state of each handler; one whose replacement fails
// keeps its own, and nobody is told.
func handlerStates(ctx context.Context, to process.PID, replace func(Term) Term) (Term, error) {
	l := List{}
	all, err := system.ReplaceState(ctx, to, func(all event.States) (event.States, error) {
		for i := range all {
			h := all[i].State.(scriptedHandler)
			h.state = replace(h.state)
			all[i].State = h
		}
		return all, nil
	})
	if _, failed := errors.AsType[*process.PanicError](err); failed {
		all, err = system.State[event.States](ctx, to)
	}
	for _, h := range all {
		l = append(l, tuple(idTerm(h.ID), h.State.(scriptedHandler).state))
	}
	return l, err
}

// A callbackError is the failure of a function that was to replace a state.
type callbackError struct {
	module Atom
	err    *process.PanicError
}

func (e *callbackError) Error() string { return "callback failed: " + e.err.Error() }

func callbackFailed(module Atom, err error) error {
	if panicked, is := errors.AsType[*process.PanicError](err); is {
		return &callbackError{module, panicked}
	}
	return err
}

func (p *player) status(ctx context.Context, to process.PID, _ *Act) (Term, error) {
	r, err := system.Status(ctx, to)
	if err != nil {
		return nil, err
	}
	s, err := p.state(ctx, to, nil)
	t := tuple(Atom("status"), Atom(r.Status), s)
	if err != nil || !to.Is(statem.Kind) {
		return t, err
	}
	postponed, timers := List{}, List{}
	err = process.System(ctx, to, func(_ context.Context, b process.Behaviour) error {
		b.(system.Detailed).SystemStatus(func(_ string, v any) {
			switch v := v.(type) {
			case []occurrence:
				postponed = occurrences(v)
			case []statem.Timeout:
				timers = timeoutKinds(v)
			}
		})
		return nil
	})
	return append(t, postponed, timers), err
}

// occurrences lists events, the latest first.
func occurrences(evs []occurrence) List {
	l := List{}
	for _, ev := range slices.Backward(evs) {
		l = append(l, tuple(ev.occurs()))
	}
	return l
}

func timeoutKinds(names []statem.Timeout) List {
	l := List{}
	for _, name := range names {
		switch name {
		case statem.EventTimeout:
			l = append(l, timeout)
		case statem.StateTimeout:
			l = append(l, Atom("state_timeout"))
		default:
			l = append(l, idTerm(string(name)))
		}
	}
	return sorted(l)
}

func (p *player) statistics(ctx context.Context, to process.PID, a *Act) (Term, error) {
	if a.Flag.Term != Atom("get") {
		return ok, system.SetStatistics(ctx, to, a.Flag.Term == yes)
	}
	c, on, err := system.Statistics(ctx, to)
	if !on {
		return success(Atom("no_statistics")), err
	}
	return success(List{tuple(Atom("messages_in"), Int(c.In)), tuple(Atom("messages_out"), Int(c.Out))}), err
}

// systemLog is sys:log, which keeps ten events if it is not told otherwise.
func (p *player) systemLog(ctx context.Context, to process.PID, a *Act) (Term, error) {
	switch a.Flag.Term {
	case yes:
		return ok, system.SetLog(ctx, to, 10)
	case no:
		return ok, system.SetLog(ctx, to, 0)
	}
	events, err := system.Log(ctx, to)
	l := List{}
	for _, e := range events {
		if t := p.logged(e); t != nil {
			l = append(l, t)
		}
	}
	return success(l), err
}

// logged is an event of a log as OTP shows it; nil: it is the library's own
// business.
func (p *player) logged(e process.Event) Term {
	switch m := e.Msg.(type) {
	case occurrence:
		return tuple(m.occurs())
	case expired:
		return tuple(kindInfo, timeout)
	case *process.ExitSignal:
		return tuple(kindInfo, exitMessage(p, *m))
	case question:
		return tuple(kindCall, idTerm(e.Text), m.msg)
	case Term:
		if e.Kind == process.Replied {
			return tuple(Atom("out"), m)
		}
		return tuple(Atom("notify"), m)
	}
	return nil
}
