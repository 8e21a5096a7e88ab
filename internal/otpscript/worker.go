package otpscript

import (
	"context"

	"github.com/coppice-go/coppice/process"
)

// A worker is a scripted process below a supervisor. It does what the scenario
// says at its start, when it is told to end itself, and when it is told to
// stop; and it takes down every message that it did not expect.
type worker struct {
	*player
	*actor
	node    *Node
	path    string
	outcome Outcome // of this start
}

// What a worker is sent.
type (
	// goAhead is sent once the worker's start has been written down.
	goAhead struct{}
	// endYourself says how, and for which reason.
	endYourself struct {
		how string
		why Term
	}
	// surprise is a call that is meant for somebody else.
	surprise struct{ process.Call }
)

func (w *worker) Init(ctx context.Context) error {
	w.enroll(process.Self(ctx), w.actor)
	return w.begin(ctx, w.path, &w.outcome)
}

func (w *worker) Handle(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case goAhead:
		return w.end(ctx, w.outcome.How, w.resolve(w.outcome.Value))
	case endYourself:
		return w.end(ctx, m.how, m.why)
	case *surprise:
		m.Reply(func() {}, nil)
	case *process.ExitSignal:
		w.add(w.actor, "info", fields{"id": w.name, "msg": tuple(Atom("EXIT"), w.pid(m.From), w.reasonTerm(m.Reason))})
	}
	return nil
}

// end ends the worker in one of the ways in which a gen_server can end itself.
// A thrown value is what the callback returns then, and no server knows it.
func (w *worker) end(ctx context.Context, how string, why Term) error {
	switch how {
	case "stop":
		return process.End(exitReason(why))
	case "exit":
		w.exit = inCallback
		process.Exit(ctx, exitReason(why))
	case "error":
		throw(why)
	case "throw":
		return &reason{tuple(Atom("bad_return_value"), why)}
	case "link":
		return process.Link(ctx, w.named(why))
	case "unlink":
		return process.Unlink(ctx, w.named(why))
	}
	return nil
}

func (w *worker) Terminate(ctx context.Context, why error) error {
	w.add(w.actor, "terminate", fields{"id": w.name, "reason": w.reasonTerm(why)})
	o := w.node.OnStop
	if o == nil {
		return nil
	}
	switch o.Kind {
	case "ignore":
		pause[any](w.player, ctx, nil)
	case "delay":
		w.passTime(ctx, o.delay())
	case "crash":
		throw(w.resolve(o.Value))
	case "exit":
		w.exit = inTerminate
		process.Exit(ctx, exitReason(w.resolve(o.Value)))
	}
	return nil
}
