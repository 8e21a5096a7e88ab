package otpscript

import (
	"context"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
)

// A scriptedHandler is the state of an event handler that does what its rules
// say. All handlers of one manager share its script.
type scriptedHandler struct {
	*script
	id    Term
	spec  *HandlerSpec
	state Term
	arg   Term        // for its terminate, when it is swapped
	left  Term        // what its terminate returned
	gone  bool        // that has been called
	owner process.PID // who has added it; zero: nobody is told of its end
}

// handler makes a handler. arg gives what its init is called with: none, or what
// the one before has left.
func (s *script) handler(id Term, spec *HandlerSpec, arg func() Term) event.Handler[Term, scriptedHandler] {
	if spec == nil {
		spec = &HandlerSpec{}
	}
	h := &scriptedHandler{script: s, id: id, spec: spec, state: s.resolve(spec.State.or(none))}
	return event.Handler[Term, scriptedHandler]{
		ID: pathStep(id),
		Init: func(context.Context) (*scriptedHandler, error) {
			h.called("init", arg())
			return h, h.init()
		},
		On: func(h *scriptedHandler, _ context.Context, ev Term) error {
			_, err := h.callback("event", ev)
			return err
		},
		Info: func(h *scriptedHandler, _ context.Context, msg any) error {
			_, err := h.callback("info", messageTerm(h.player, msg))
			return err
		},
		Terminate: func(h *scriptedHandler, _ context.Context, g event.Gone) error {
			return h.terminate(h.argOf(g))
		},
	}
}

func (h *scriptedHandler) called(cb Atom, arg Term) {
	h.add(h.actor, "handler", fields{"id": h.name, "handler": h.id, "cb": cb, "arg": arg})
}

// A failure of a handler's is a reason that holds what OTP calls Why: the value
// that was thrown or returned, {'EXIT', R} after an exit, or a panic.
func exited(why Term) *reason { return &reason{tuple(Atom("EXIT"), why)} }

func (h *scriptedHandler) init() error {
	o := h.spec.Init
	if o == nil {
		return nil
	}
	value := h.resolve(orNone(o.Value))
	switch o.Kind {
	case "error":
		return &reason{failure(value)}
	case "crash":
		throw(value)
	case "exit":
		return exited(value)
	case "throw", "return":
		return &reason{value}
	}
	return nil
}

func orNone(t Term) Term { return Lit{t}.or(none) }

// callback is any callback but init and terminate. It returns the reply, if it
// was a call, and what the library wants to hear, a *reason for a failure.
func (h *scriptedHandler) callback(kind Atom, content Term) (Term, error) {
	h.called(kind, content)
	r := h.match(pathStep(h.id), h.spec.Rules, h.state, kind, content)
	if r == nil {
		return none, nil
	}
	switch {
	case r.Crash.Term != nil:
		throw(h.resolve(r.Crash.Term))
	case r.Exit.Term != nil: // process.Exit would end the manager
		return nil, exited(h.resolve(r.Exit.Term))
	case r.Throw.Term != nil:
		return nil, &reason{h.resolve(r.Throw.Term)}
	case r.Return.Term != nil:
		return nil, &reason{h.resolve(r.Return.Term)}
	}
	h.state = h.set(&r.Effects, h.state)
	reply := h.resolve(r.Reply.or(none))
	switch {
	case r.Remove:
		return reply, event.Remove(nil)
	case r.Swap != nil:
		h.arg = h.resolve(r.Swap.Arg)
		next := h.handler(r.Swap.Handler, r.Swap.Spec, func() Term { return tuple(Atom("swap"), h.left) })
		return reply, event.Become(h.asHeir(next))
	}
	return reply, nil
}

// asHeir has the init of a handler fail that wants to hibernate at once, if the
// play is to do as OTP does: that is a bad return value there for a handler that
// takes the place of another by the other's own wish.
func (h *scriptedHandler) asHeir(next event.Handler[Term, scriptedHandler]) event.Handler[Term, scriptedHandler] {
	if !h.odd {
		return next
	}
	init := next.Init
	owner := h.owner
	next.Init = func(ctx context.Context) (*scriptedHandler, error) {
		h, err := init(ctx)
		h.owner = owner
		if err == nil && h.spec.Init != nil && h.spec.Init.Kind == "hibernate" {
			err = &reason{Atom("crash")}
		}
		return h, err
	}
	return next
}

// relinked has the manager link itself to an owner again when another handler
// takes over, if the play is to do as OTP does: of one that is dead it then
// hears a second time.
func (h *scriptedHandler) relinked(next event.Handler[Term, scriptedHandler]) event.Handler[Term, scriptedHandler] {
	if !h.odd || h.owner.IsZero() {
		return next
	}
	init, owner := next.Init, h.owner
	next.Init = func(ctx context.Context) (*scriptedHandler, error) {
		if !owner.Alive() {
			h.must(process.Link(ctx, owner))
		}
		h, err := init(ctx)
		h.owner = owner
		return h, err
	}
	return next
}

// ownedBy remembers who adds a handler.
func ownedBy(owner process.PID, next event.Handler[Term, scriptedHandler]) event.Handler[Term, scriptedHandler] {
	init := next.Init
	next.Init = func(ctx context.Context) (*scriptedHandler, error) {
		h, err := init(ctx)
		h.owner = owner
		return h, err
	}
	return next
}

// A question is a call to a handler.
type question struct{ msg Term }

// Handle answers it. The error of a request would be the caller's alone, so a
// failure says that the handler goes.
func (q question) Handle(_ context.Context, h *scriptedHandler) (Term, error) {
	reply, err := h.callback("call", q.msg)
	if why, failed := err.(*reason); failed {
		return nil, event.Remove(why)
	}
	return reply, err
}

// A farewell is delete_handler with an argument for terminate, and its result.
type farewell struct{ arg Term }

// Handle does what event.Delete's comment says: to tell a handler something on
// its way out, and to have an answer, one calls it.
func (f farewell) Handle(_ context.Context, h *scriptedHandler) (Term, error) {
	// Its failure is what it leaves.
	_ = h.terminate(f.arg)
	return h.left, event.Remove(nil)
}

// argOf is what OTP calls terminate with.
func (h *scriptedHandler) argOf(g event.Gone) Term {
	switch g.Cause {
	case event.Removed:
		return Atom("remove_handler")
	case event.Failed:
		return failure(h.why(g.Reason))
	case event.Swapped:
		return h.arg
	case event.OwnerEnded:
		return tuple(Atom("stop"), h.reasonTerm(g.Reason))
	case event.Stopped:
		return Atom("stop")
	case event.Deleted, event.NotStarted:
	}
	return undefined // no recording has it
}

func (h *scriptedHandler) terminate(arg Term) error {
	if h.gone {
		return nil
	}
	h.gone, h.left = true, ok
	h.called("terminate", arg)
	e := h.spec.Terminate
	if e == nil {
		return nil
	}
	value := h.resolve(e.Value)
	switch e.How {
	case "crash":
		h.left = tuple(Atom("EXIT"), tuple(value, stack))
		return &process.PanicError{Value: value}
	case "exit":
		h.left = exited(value).Term
		return exited(value)
	case "throw":
		h.left = value
		return &reason{value}
	}
	h.left = value
	return nil
}
