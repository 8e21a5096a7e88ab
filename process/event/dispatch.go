package event

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// each has every handler do f with msg, the newest first, and does what comes
// of it before the next one's turn. A manager that was killed stops there.
func (m *manager[E]) each(msg any, f func(h *slot[E]) error) {
	for i := 0; i < len(m.handlers) && process.Self(m.own).Alive(); {
		h := m.handlers[i]
		err := guard(func() error { return f(h) })
		if m.settle(h, err, msg) {
			i++
		}
	}
}

// settle does what a handler's code returned: it goes on, or goes, or another
// takes its place. It reports whether there is one in its place.
func (m *manager[E]) settle(h *slot[E], err error, msg any) (stays bool) {
	if err == nil {
		return true
	}
	// The list is put right at the end: a Terminate that does not return leaves
	// h in it, marked as gone.
	switch e := err.(type) {
	case *removal:
		if e.reason == nil {
			m.cleanUp(m.own, h, Gone{Cause: Removed})
			m.drop(h)
			return false
		}
		err = e.reason
	case *becoming:
		next, ok := e.next.(AnyHandler[E])
		if ok {
			return m.become(h, next, msg)
		}
		err = fmt.Errorf("event: handler %q cannot become %q, a %T, in a %T", h.id, e.next.name(), e.next, Manager[E]{})
	}
	if obeys(m.own, err) {
		return true
	}
	m.cleanUp(m.own, h, Gone{Cause: Failed, Reason: err})
	m.report(h.id, h.code, Failed, err, msg)
	m.drop(h)
	return false
}

// obeys reports whether an error only says that the manager is being stopped.
// Then its own end is next, and that is no failure of the handler's.
func obeys(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}

// become puts next where h is.
func (m *manager[E]) become(h *slot[E], next AnyHandler[E], msg any) (stays bool) {
	owner := h.owner
	if owner != nil {
		m.bind(owner) // so that the link outlives the change
		defer m.release(owner)
	}
	m.cleanUp(m.own, h, Gone{Cause: Swapped, Next: next.name(), Owner: owner.pid()})
	s, err := next.install(m.own)
	if err != nil {
		m.drop(h)
		m.tell(m.own, owner, Gone{Manager: process.Self(m.own), ID: next.name(), Cause: NotStarted, Reason: err})
		m.report(next.name(), nil, NotStarted, err, msg)
		return false
	}
	if s.owner = owner; owner != nil {
		m.bind(owner)
	}
	m.handlers[slices.Index(m.handlers, h)] = s
	return true
}

// info gives handlers what is neither an event nor a request.
func (m *manager[E]) info(msg any) {
	taken := false
	m.each(msg, func(h *slot[E]) error {
		took, err := h.code.info(m.own, msg)
		taken = taken || took
		return err
	})
	if _, exit := msg.(*process.ExitSignal); taken || exit {
		return
	}
	process.Emit(m.own, process.Event{Kind: process.Warned, Level: process.LevelWarn, Msg: msg,
		Text: fmt.Sprintf("event manager ignored a message that no handler takes: %s", process.Format(msg))})
}

// push makes a handler the first.
func (m *manager[E]) push(s *slot[E]) { m.handlers = slices.Insert(m.handlers, 0, s) }

func (m *manager[E]) drop(h *slot[E]) {
	m.handlers = slices.DeleteFunc(m.handlers, func(s *slot[E]) bool { return s == h })
}

// find returns the handler of that ID that was added last, nil if there is none.
func (m *manager[E]) find(id string) *slot[E] {
	for _, h := range m.handlers {
		if h.id == id {
			return h
		}
	}
	return nil
}

// cleanUp is end for those who do not wait for how it went.
func (m *manager[E]) cleanUp(ctx context.Context, h *slot[E], gone Gone) {
	m.reportUntidy(ctx, h, gone.Cause, m.end(ctx, h, gone))
}

// end runs a handler's Terminate, once, and lets its owner know.
func (m *manager[E]) end(ctx context.Context, h *slot[E], gone Gone) error {
	if h.gone {
		return nil
	}
	gone.Manager, gone.ID = process.Self(ctx), h.id
	err := h.terminate(ctx, gone)
	m.tell(ctx, h.owner, gone)
	return err
}

func (h *slot[E]) terminate(ctx context.Context, gone Gone) error {
	h.gone = true
	return guard(func() error { return h.code.terminate(ctx, gone) })
}

// The texts of a manager's reports.
const (
	TextFailed = "event handler failed"           // it is gone
	TextUntidy = "event handler did not clean up" // its Terminate failed
)

// reportUntidy tells of a Terminate that has failed.
func (m *manager[E]) reportUntidy(ctx context.Context, h *slot[E], cause Cause, err error) {
	if err != nil {
		process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelWarn, Reason: err,
			Text: TextUntidy, Detail: &Report{ID: h.id, Cause: cause}})
	}
}

// report tells of a handler that has failed, or whose successor has.
func (m *manager[E]) report(id string, c code[E], cause Cause, reason error, msg any) {
	r := &Report{ID: id, Cause: cause}
	r.Panic, _ = errors.AsType[*process.PanicError](reason)
	if c != nil {
		if v := inspect(c); v != nil {
			r.State = process.Format(v)
		}
	}
	process.Emit(m.own, process.Event{Kind: process.Warned, Level: process.LevelError, Text: TextFailed,
		Reason: reason, Msg: msg, Detail: r})
}

// inspect asks a handler to show itself; it may be broken.
func inspect[E any](c code[E]) (v any) {
	if err := guard(func() error { v = c.inspect(); return nil }); err != nil {
		return "!PANIC in Inspect"
	}
	return v
}
