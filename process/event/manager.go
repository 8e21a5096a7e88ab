package event

import (
	"context"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Kind is the process.Spec.Kind of event managers.
const Kind = "event"

// A Spec describes an event manager. The zero value is one without a name and
// without handlers.
type Spec[E any] struct {
	Name string // registered before the first Init runs; "": none
	// Handlers are there from the start, added in this order, so that a manager
	// that is restarted has them again. An error of one's Init is a failed start.
	Handlers []AnyHandler[E]
	Limit    int           // of messages in the mailbox; 0: none
	Grace    time.Duration // see process.Spec; 0: the supervisor's or node's
	Timeout  time.Duration // of all Inits; 0: none
}

// A Manager is the address of an event manager: one word, comparable.
type Manager[E any] struct{ pid process.PID }

// A Target is whatever can be asked for a manager of E: a [Manager], or a
// registry.Key of one.
type Target[E any] interface {
	Ref(ctx context.Context) (Manager[E], error)
}

// PID returns the manager's process.
func (m Manager[E]) PID() process.PID { return m.pid }

// Ref makes m a [Target].
func (m Manager[E]) Ref(context.Context) (Manager[E], error) { return m, nil }

// Resolve makes m a [process.Target].
func (m Manager[E]) Resolve(ctx context.Context) (process.PID, error) { return m.pid.Resolve(ctx) }

func (m Manager[E]) String() string { return m.pid.String() }

// As gives the typed address of a process that is a manager of E, or an error
// that names what it is.
func As[E any](pid process.PID) (Manager[E], error) {
	switch b := pid.Behaviour().(type) {
	case *manager[E]:
		return Manager[E]{pid}, nil
	case nil:
		return Manager[E]{}, pid.Gone(pid.Path())
	case process.Typed:
		return Manager[E]{}, fmt.Errorf("event: %v is a %T, not a %T", pid, b.TypedRef(pid), Manager[E]{})
	}
	return Manager[E]{}, fmt.Errorf("event: %v is not a %T", pid, Manager[E]{})
}

// Start starts a manager linked to the process that ctx belongs to.
func Start[E any](ctx context.Context, spec Spec[E]) (Manager[E], error) {
	pid, err := start(ctx, spec, process.Spec{Caller: process.CallerPC(1)})
	return Manager[E]{pid}, err
}

// StartUnlinked is Start without the link (OTP: gen_event:start): nobody hears
// of the manager's end but those who monitor it, and those who own a handler.
func StartUnlinked[E any](ctx context.Context, spec Spec[E]) (Manager[E], error) {
	pid, err := start(ctx, spec, process.Spec{Caller: process.CallerPC(1), Unlinked: true})
	return Manager[E]{pid}, err
}

// StartFunc makes a supervisor's start function of a Spec.
func StartFunc[E any](spec Spec[E]) func(context.Context) (process.PID, error) {
	pc := process.CallerPC(1)
	return func(ctx context.Context) (process.PID, error) { return start(ctx, spec, process.Spec{Caller: pc}) }
}

func start[E any](ctx context.Context, spec Spec[E], ps process.Spec) (process.PID, error) {
	if spec.Limit < 0 {
		return process.PID{}, fmt.Errorf("event: Spec %q: Limit is %d: use 0 for a mailbox without limit", spec.Name, spec.Limit)
	}
	ps.Name, ps.Limit, ps.Grace, ps.Timeout = spec.Name, spec.Limit, spec.Grace, spec.Timeout
	ps.Kind, ps.TrapExit, ps.Behaviour = Kind, true, &manager[E]{spec: spec}
	pid, err := process.Start(ctx, ps)
	if err != nil {
		return process.PID{}, err
	}
	return pid, nil
}

// manager is the behaviour of every manager, owned by its process.
type manager[E any] struct {
	spec     Spec[E]
	handlers []*slot[E] // newest first
	bonds    map[process.PID]*bond
	own      context.Context // the process's
	probe    process.Probe   // of package system; nil: nobody listens
}

func (m *manager[E]) Init(ctx context.Context) error {
	m.own = ctx
	for _, h := range m.spec.Handlers {
		s, err := h.install(ctx)
		if err != nil {
			// The handlers before it are running already.
			m.stop(ctx, process.ErrShutdown)
			return &HandlerError{h.name(), err}
		}
		m.push(s)
	}
	return nil
}

// Handle takes in turn: events, what is asked of the manager or of one handler,
// the ends of owners, and everything else.
func (m *manager[E]) Handle(ctx context.Context, msg any) error {
	if m.probe != nil {
		m.listen(ctx, msg)
	}
	switch msg := msg.(type) {
	case notice[E]:
		m.each(msg.event, func(h *slot[E]) error { return h.code.on(m.own, msg.event) })
		return nil
	case request[E]:
		msg.serve(ctx, m)
		return nil
	case *process.ExitSignal:
		m.ownerEnded(msg)
	}
	m.info(msg)
	return nil
}

// Terminate ends all handlers.
func (m *manager[E]) Terminate(ctx context.Context, reason error) error {
	if m.probe != nil {
		m.probe.Event(process.Event{Kind: process.Exited, PID: process.Self(ctx), Reason: reason})
	}
	m.stop(ctx, reason)
	return nil
}

func (m *manager[E]) stop(ctx context.Context, reason error) {
	for len(m.handlers) > 0 {
		h := m.handlers[0]
		m.handlers = m.handlers[1:]
		m.cleanUp(ctx, h, Gone{Cause: Stopped, Reason: reason})
	}
}

// Runs names the manager in reports by its events.
func (m *manager[E]) Runs() string { return fmt.Sprintf("%T", Manager[E]{}) }

// TypedRef makes the manager known to registries by its own type.
func (m *manager[E]) TypedRef(pid process.PID) any { return Manager[E]{pid} }
