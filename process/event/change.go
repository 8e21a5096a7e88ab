package event

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// ErrNoHandler says that a manager has no handler of that ID.
var ErrNoHandler = errors.New("no such handler")

func noHandler(id string) error { return &HandlerError{id, ErrNoHandler} }

// Add adds a handler in front of the others, and returns when its Init is done.
// The error of an Init is wrapped in a [*HandlerError].
func Add[E, S any](ctx context.Context, to Target[E], h Handler[E, S]) error {
	return order(ctx, to, "add handler "+h.ID, func(_ context.Context, m *manager[E]) error {
		return m.add(h, nil)
	})
}

// AddSup is [Add] for a handler that the calling process owns: they live and
// end together. If the owner ends, the handler is removed; if the manager is
// killed, the owner has its exit signal, by link; at any other end of the
// handler, or of one that takes its place, the owner gets the message that gone
// makes.
func AddSup[E, S, M any](ctx context.Context, to Target[E], h Handler[E, S], gone func(Gone) M) error {
	o, err := own(ctx, gone)
	if err != nil {
		return err
	}
	return order(ctx, to, "add handler "+h.ID, func(_ context.Context, m *manager[E]) error { return m.add(h, o) })
}

func (m *manager[E]) add(h AnyHandler[E], o *owner) error {
	s, err := h.install(m.own)
	if err != nil {
		return &HandlerError{h.name(), err}
	}
	if s.owner = o; o != nil {
		m.bind(o)
	}
	m.push(s)
	return nil
}

// Delete takes a handler away and returns when its Terminate is done, with
// Terminate's error. To say something to it on its way out, or to have an
// answer, [Call] it with a request that returns Remove(nil).
func Delete[E any](ctx context.Context, to Target[E], id string) error {
	return order(ctx, to, "delete handler "+id, func(_ context.Context, m *manager[E]) error {
		h := m.find(id)
		if h == nil {
			return noHandler(id)
		}
		m.drop(h)
		return m.end(m.own, h, Gone{Cause: Deleted})
	})
}

// Swap puts a new handler, in front of the others, for the one with that ID.
// next makes it, given the old one's state, nil if there is none of that ID.
// Then the old one's Terminate runs, then the new one's Init, which can take
// over what the old one left in its state: no event falls in between. The owner
// stays the same. If Init fails, the old one is gone all the same, and its owner
// is told so.
func Swap[E, Old, New any](ctx context.Context, to Target[E], id string, next func(old *Old) Handler[E, New]) error {
	return order(ctx, to, "swap handler "+id, func(_ context.Context, m *manager[E]) error {
		return swap(m, id, nil, next)
	})
}

// SwapSup is [Swap]; the calling process owns the new handler, as with [AddSup].
func SwapSup[E, Old, New, M any](ctx context.Context, to Target[E], id string, next func(old *Old) Handler[E, New], gone func(Gone) M) error {
	o, err := own(ctx, gone)
	if err != nil {
		return err
	}
	return order(ctx, to, "swap handler "+id, func(_ context.Context, m *manager[E]) error { return swap(m, id, o, next) })
}

func swap[E, Old, New any](m *manager[E], id string, o *owner, next func(*Old) Handler[E, New]) error {
	h := m.find(id)
	var old *Old
	if h != nil {
		var err error
		if old, err = stateOf[E, Old](h); err != nil {
			return err
		}
		if o == nil {
			o = h.owner
		}
	}
	var with Handler[E, New]
	if err := guard(func() error { with = next(old); return with.validate() }); err != nil {
		return &HandlerError{id, err}
	}
	gone := Gone{Manager: process.Self(m.own), ID: id, Cause: Swapped, Next: with.ID, Owner: o.pid()}
	if h != nil {
		m.drop(h)
		m.reportUntidy(m.own, h, Swapped, h.terminate(m.own, gone))
	}
	err := m.add(with, o)
	if h != nil { // its owner is told last: how it went, and so that the link can stay
		gone.Reason = errors.Unwrap(err)
		m.tell(m.own, h.owner, gone)
	}
	return err
}

// stateOf gives the state of a handler if it is an S.
func stateOf[E, S any](h *slot[E]) (*S, error) {
	s, ok := h.code.state().(*S)
	if !ok {
		return nil, &HandlerError{h.id, fmt.Errorf("its state is a %T, not a %T", h.code.state(), s)}
	}
	return s, nil
}

// Handlers returns the IDs of a manager's handlers, the newest first.
func Handlers[E any](ctx context.Context, to Target[E]) ([]string, error) {
	return ask(ctx, to, "handlers", func(_ context.Context, m *manager[E]) ([]string, error) {
		ids := make([]string, len(m.handlers))
		for i, h := range m.handlers {
			ids[i] = h.id
		}
		return ids, nil
	})
}
