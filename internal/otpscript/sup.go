package otpscript

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// start is the start function of everything in a tree. It runs in the
// supervisor's process; over is nil for the top of a tree.
func (p *player) start(ctx context.Context, over *actor, path string, n *Node) (process.PID, error) {
	by, self := nobody, process.Self(ctx)
	if over != nil {
		by = over
		p.enroll(self, over)
	}
	p.inStart(self, +1)
	defer p.inStart(self, -1)
	nth := p.attempt(path)
	a := &actor{name: fmt.Sprintf("%s#%d", path, nth), over: over, pool: n.isPool(), node: n}
	p.add(by, "start", fields{"id": a.name})
	pid, err := p.startNode(ctx, a, path, n, nth)
	switch {
	case err == nil:
		p.started(pid, path, a)
		p.add(by, "start_ok", fields{"id": a.name})
		p.afterStart(ctx, pid, n.outcome(nth))
	case process.Uninterrupted(ctx).Err() != nil: // killed meanwhile: nobody is left to tell
	case errors.Is(err, process.ErrIgnore):
		p.add(by, "start_ignore", fields{"id": a.name})
	default:
		p.add(by, "start_error", fields{"id": a.name, "reason": p.reasonTerm(err)})
		if f, crashes := err.(*funCrash); crashes {
			throw(f.Term)
		}
	}
	return pid, err
}

// startNode starts one process.
func (p *player) startNode(ctx context.Context, a *actor, path string, n *Node, nth int) (process.PID, error) {
	switch {
	case n.isBridge():
		return p.startBridge(ctx, a, path, n)
	case !n.isWorker():
		return p.startSup(ctx, a, path, n)
	}
	o := n.outcome(nth)
	switch o.Kind {
	case "return":
		return process.PID{}, returnedError(p.resolve(o.Value))
	case "fun_crash":
		return process.PID{}, &funCrash{reason{p.resolve(o.Value)}}
	}
	return process.Start(ctx, process.Spec{
		Name:      n.Register,
		TrapExit:  n.traps(),
		Behaviour: &worker{player: p, actor: a, node: n, path: path, outcome: o},
	})
}

// returnedError is the error for which a start function returns that value. Go's
// return an error or a process; garbage is an error as well.
func returnedError(t Term) error {
	if t == Atom("ignore") {
		return process.ErrIgnore
	}
	if pair, is := t.(Tuple); is && len(pair) == 2 && pair[0] == Atom("error") {
		return startError(pair[1])
	}
	return startError(t)
}

// A funCrash is the panic of a start function that is about to happen.
type funCrash struct{ reason }

// afterStart does what the script has the start function and the worker do
// once the start is written down.
func (p *player) afterStart(ctx context.Context, pid process.PID, o Outcome) {
	switch {
	case o.Kind == "then":
		p.must(process.Send(ctx, pid, goAhead{}))
	case o.Kind == "ok" && o.Value != nil:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.extras[pid] = o.Value
	}
}

// startSup starts a supervisor. One whose init says ignore is not started at
// all: coppice has the Spec instead of OTP's init.
func (p *player) startSup(ctx context.Context, a *actor, path string, n *Node) (process.PID, error) {
	if n.Init != nil && n.Init.Kind == "ignore" {
		return process.PID{}, process.ErrIgnore
	}
	if err := n.refusedByTypes(); err != nil {
		return process.PID{}, err
	}
	pid, err := supervisor.Start(ctx, p.supSpec(a, path, n))
	if faults, is := errors.AsType[*supervisor.SpecError](err); is {
		err = &reason{n.specTerm(faults)}
	}
	return pid, err
}

// supervised takes down what a supervisor says.
func (p *player) supervised(a *actor, e process.Event) {
	contexts := map[string]Atom{
		supervisor.TextTerminated: "child_terminated",
		supervisor.TextStartError: "start_error",
		supervisor.TextStopError:  "shutdown_error",
		supervisor.TextShutdown:   "shutdown",
	}
	if e.Text == supervisor.TextStopping {
		p.add(a, "terminate", fields{"id": a.name, "reason": p.reasonTerm(e.Reason)})
		return
	}
	r, is := e.Detail.(*supervisor.Report)
	ctx, known := contexts[e.Text]
	if !is || !known {
		return
	}
	child := idTerm(r.Child.ID)
	if r.Count > 0 {
		child = tuple(child, Int(r.Count))
	}
	p.add(a, "report", fields{"ctx": ctx, "id": a.name, "reason": p.reasonTerm(e.Reason), "child": child})
}
