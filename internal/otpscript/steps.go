package otpscript

import (
	"context"
	"time"

	"github.com/coppice-go/coppice/process"
)

// perform does one step of a sup or app scenario. What may have to wait is done
// by a client process; its result is written whenever it comes.
func (p *player) perform(i int, st *Step) {
	switch st.Op {
	case "exit":
		how := st.How
		if how == "" {
			how = "stop"
		}
		p.toLiving(i, st.Path, func(pid process.PID) error {
			if n := p.who(pid).node; n != nil && !n.isWorker() {
				p.crash(pid, n)
				return nil
			}
			return process.Send(p.ctx, pid, endYourself{how, p.resolve(st.Reason.Term)})
		})
	case "signal":
		p.toLiving(i, st.Path, func(pid process.PID) error { return p.sendExit(p.ctx, pid, st.Reason.Term) })
	case "stop_top":
		p.must(process.Send(p.ctx, p.root, stopTop{st.Reason.or(shutdown)}))
		p.result(i, ok)
	case "start_top":
		p.must(process.Send(p.ctx, p.root, startTop{i, st.Tree}))
	case "call":
		p.client(func(ctx context.Context) { p.call(ctx, i, st) })
	case "release":
		if p.release(st.Path) {
			p.result(i, ok)
		} else {
			p.result(i, Atom("not_gated"))
		}
	case "wait":
		time.Sleep(time.Duration(st.MS) * time.Millisecond)
	case "observe":
		p.must(process.Send(p.ctx, p.observer(st.As), observe{st.Mode, p.at(st.Path)}))
		p.result(i, ok)
	default:
		p.performApp(i, st)
	}
}

// toLiving does something to the latest instance of a path, if that lives.
func (p *player) toLiving(i int, path string, do func(process.PID) error) {
	pid := p.at(path)
	if !pid.Alive() {
		p.result(i, noproc)
		return
	}
	p.must(do(pid))
	p.result(i, ok)
}

// crash is what becomes of a supervisor that is told to end itself as a worker
// is: to OTP's that is a cast that it does not know, and it crashes. One of
// coppice's cannot be brought to that, so it is stopped for that reason. A
// bridge ignores it.
func (p *player) crash(pid process.PID, n *Node) {
	if n.isBridge() {
		return
	}
	p.client(func(ctx context.Context) {
		// It may end for another reason first.
		_ = process.Stop(ctx, pid, &process.PanicError{Value: Atom("function_clause")})
	})
}

// A root is the parent of the top supervisor. It traps exits and ignores them.
type root struct {
	*player
	top process.PID
}

// What a root is told.
type (
	startTop struct {
		step int
		tree *Node
	}
	stopTop struct{ why Term }
)

// startRoot starts the root, and the tree as step 0.
func (p *player) startRoot(tree *Node) {
	pid, err := process.Start(p.ctx, process.Spec{TrapExit: true, Behaviour: &root{player: p}})
	p.must(err)
	p.root = pid
	p.must(process.Send(p.ctx, pid, startTop{0, tree}))
}

func (r *root) Init(context.Context) error { return nil }

func (r *root) Handle(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case startTop:
		pid, err := r.start(ctx, nil, m.tree.step(), m.tree)
		if err == nil {
			r.top = pid
		}
		r.result(m.step, r.startResult(pid, err))
	case stopTop:
		if !r.top.IsZero() {
			return r.sendExit(ctx, r.top, m.why)
		}
	}
	return nil
}

func (r *root) Terminate(context.Context, error) error { return nil }

// startResult is what OTP's start_link returns.
func (p *player) startResult(pid process.PID, err error) Term {
	switch {
	case err == nil:
		return success(p.pid(pid))
	case err == process.ErrIgnore:
		return Atom("ignore")
	}
	return failure(p.reasonTerm(err))
}

// An observer traps exits and takes down what it receives.
type observer struct {
	*player
	*actor
}

// observe is what an observer is told: to monitor, link or unlink somebody.
type observe struct {
	mode string
	pid  process.PID
}

// observer returns the observer of that name, made on first use.
func (p *player) observer(name string) process.PID {
	if pid, known := p.observers[name]; known {
		return pid
	}
	a := &actor{name: name}
	pid, err := process.Start(p.ctx, process.Spec{TrapExit: true, Behaviour: &observer{p, a}})
	p.must(err)
	p.enroll(pid, a)
	p.observers[name] = pid
	return pid
}

func (o *observer) Init(context.Context) error { return nil }

func (o *observer) Handle(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case observe:
		switch m.mode {
		case "monitor":
			_, err := process.Monitor(ctx, m.pid, nil)
			return err
		case "link":
			return process.Link(ctx, m.pid)
		case "unlink":
			return process.Unlink(ctx, m.pid)
		}
	case *process.ExitSignal:
		o.received(tuple(Atom("EXIT"), o.pid(m.From), o.reasonTerm(m.Reason)))
	case *process.Down:
		o.received(tuple(Atom("DOWN"), Ref("?"), Atom("process"), o.pid(m.PID), o.reasonTerm(m.Reason)))
	}
	return nil
}

func (o *observer) Terminate(context.Context, error) error { return nil }

func (o *observer) received(msg Term) {
	o.add(o.actor, "recv", fields{"id": o.name, "msg": msg})
}
