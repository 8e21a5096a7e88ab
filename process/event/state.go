package event

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// This file is what package process/system needs of a manager.

// States is the state of a manager, as system.State shows it: those of its
// handlers, the newest first.
type States []HandlerState

// A HandlerState is the state of one handler. State is an S of the [Handler],
// copied; what it points to belongs to the manager's process.
type HandlerState struct {
	ID    string
	State any
}

// StateOf returns the state of one handler, copied. It is a system request: see
// [process.System].
func StateOf[S, E any](ctx context.Context, to Target[E], id string) (S, error) {
	return ReplaceState(ctx, to, id, func(s S) (S, error) { return s, nil })
}

// ReplaceState lets f make a new state for one handler, in the manager's
// process, and returns it. If f fails the state stays. It is a system request:
// see [process.System].
func ReplaceState[S, E any](ctx context.Context, to Target[E], id string, f func(S) (S, error)) (S, error) {
	ref, err := to.Ref(ctx)
	if err != nil {
		return *new(S), err
	}
	out := new(S)
	err = process.System(ctx, ref, func(_ context.Context, b process.Behaviour) (err error) {
		if m, ok := b.(*manager[E]); ok {
			*out, err = replace(m, id, f)
			return err
		}
		return fmt.Errorf("event: %v is not a %T", ref, ref)
	})
	if err != nil {
		return *new(S), err // f may still run and write to out, for a caller that has given up
	}
	return *out, nil
}

func replace[E, S any](m *manager[E], id string, f func(S) (S, error)) (v S, err error) {
	h := m.find(id)
	if h == nil {
		return v, noHandler(id)
	}
	s, err := stateOf[E, S](h)
	if err != nil {
		return v, err
	}
	if v, err = f(*s); err == nil {
		*s = v
	}
	return v, err
}

// SystemState gives a copy of the States.
func (m *manager[E]) SystemState() any {
	all := make(States, len(m.handlers))
	for i, h := range m.handlers {
		all[i] = HandlerState{h.id, h.code.value()}
	}
	return &all
}

// SetSystemState sets the states of the handlers, place by place. One that does
// not fit its handler leaves that one as it is.
func (m *manager[E]) SetSystemState(state any) error {
	all, ok := state.(*States)
	if !ok {
		return fmt.Errorf("event: the state of a manager is %T, not %T", States{}, state)
	}
	if len(*all) != len(m.handlers) {
		return fmt.Errorf("event: %d states for %d handlers", len(*all), len(m.handlers))
	}
	var faults []error
	for i, h := range m.handlers {
		if s := (*all)[i]; s.ID != h.id {
			faults = append(faults, &HandlerError{h.id, fmt.Errorf("state for %q in its place", s.ID)})
		} else if err := h.code.setState(s.State); err != nil {
			faults = append(faults, &HandlerError{h.id, err})
		}
	}
	return errors.Join(faults...)
}

func (i *installed[E, S]) state() any { return i.s }

func (i *installed[E, S]) value() any { return *i.s }

func (i *installed[E, S]) setState(v any) error {
	s, ok := v.(S)
	if !ok && (v != nil || any(s) != nil) { // a nil S of an interface type is one
		return fmt.Errorf("its state is a %T, not a %T", *i.s, v)
	}
	*i.s = s
	return nil
}

// SystemStatus shows the handlers and who owns them.
func (m *manager[E]) SystemStatus(f func(key string, value any)) {
	f("handlers", len(m.handlers))
	for _, h := range m.handlers {
		if h.owner != nil {
			f("owner of "+h.id, h.owner.pid())
		}
	}
}

// InspectState is what crash reports and tools show: what the handlers' Inspect
// allow.
func (m *manager[E]) InspectState() any {
	all := make(States, len(m.handlers))
	for i, h := range m.handlers {
		all[i] = HandlerState{h.id, inspect(h.code)}
	}
	return all
}

// SystemProbe is where package system listens.
func (m *manager[E]) SystemProbe() *process.Probe { return &m.probe }

// listen tells it what the manager was given.
func (m *manager[E]) listen(ctx context.Context, msg any) {
	e := process.Event{Kind: process.Received, PID: process.Self(ctx), Msg: msg}
	if c := process.CallOf(ctx); c != nil {
		e.Peer = c.From()
	}
	if h, ok := msg.(interface{ handler() string }); ok {
		e.Text = h.handler()
	}
	if v, ok := msg.(interface{ Message() any }); ok {
		e.Msg = v.Message()
	}
	m.probe.Event(e)
}
