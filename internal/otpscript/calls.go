package otpscript

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A call is one call of a supervisor's functions.
type call struct {
	*player
	*Step
	ctx  context.Context
	to   process.Target
	node *Node // what the scenario says of the supervisor; nil: it never started
}

// call makes a call and takes down its result.
func (p *player) call(ctx context.Context, i int, st *Step) {
	sup := p.at(st.Sup)
	c := &call{player: p, Step: st, ctx: ctx, to: sup, node: p.who(sup).node}
	if st.By != "" {
		c.to = process.Name(st.By)
	}
	value, err := c.do()
	if why, gone := exitOf(err); gone {
		p.raised(i, "exit", p.reasonTerm(why))
		return
	}
	if own, is := errors.AsType[*recorderError](err); is {
		p.raised(i, "error", own.Term)
		return
	}
	if err != nil {
		value = c.refusal(err)
	}
	p.result(i, value)
}

func (c *call) pool() bool { return c.node != nil && c.node.isPool() }

// do returns what OTP's function would, or an error for {error, Why}.
func (c *call) do() (Term, error) {
	if c.node != nil && c.node.isBridge() && c.Fn != "stop" {
		return c.doBridge()
	}
	if c.node != nil && c.node.isWorker() && c.Fn != "stop" {
		return c.doWorker()
	}
	switch c.Fn {
	case "start_child":
		return c.startChild()
	case "terminate_child":
		if pid, isPid := c.Child.Term.(Pid); isPid && c.pool() {
			return ok, supervisor.TerminateOne(c.ctx, c.to, c.at(string(pid)))
		}
		return ok, supervisor.TerminateChild(c.ctx, c.to, c.id())
	case "restart_child":
		return c.started(supervisor.RestartChild(c.ctx, c.to, c.id()))
	case "delete_child":
		return ok, supervisor.DeleteChild(c.ctx, c.to, c.id())
	case "get_childspec":
		return c.getChild()
	case "which_children":
		return c.whichChildren()
	case "count_children":
		return c.countChildren()
	case "stop":
		return ok, process.Stop(c.ctx, c.to, exitReason(c.Reason.or(normal)))
	}
	return nil, errors.New("otpscript: no such function: " + c.Fn)
}

// doBridge answers for a bridge, which takes no such calls in OTP either.
func (c *call) doBridge() (Term, error) {
	if c.Fn == "which_children" {
		return List{}, nil
	}
	return nil, &reason{Atom("badcall")}
}

// doWorker asks a worker what is meant for supervisors. OTP does not look whom it
// asks; the recorder's worker says ok to everything, of which its own code then
// made a list or not.
func (c *call) doWorker() (Term, error) {
	pid, err := c.to.Resolve(c.ctx)
	if err == nil {
		err = process.Do(c.ctx, pid, &surprise{})
	}
	if err != nil {
		return nil, err
	}
	switch c.Fn {
	case "which_children":
		return nil, &recorderError{reason{tuple(Atom("bad_generator"), ok)}}
	case "count_children":
		return nil, &recorderError{reason{Atom("function_clause")}}
	}
	return ok, nil
}

// A recorderError is one of the recorder's own code.
type recorderError struct{ reason }

func (c *call) id() string { return pathStep(c.Child.Term) }

func (c *call) startChild() (Term, error) {
	switch {
	case c.Raw.Term != nil: // no supervisor.Child, so Go's compiler refuses it
		return nil, &reason{tuple(Atom("invalid_child_spec"), c.Raw.Term)}
	case c.Spec == nil:
		key := pathStep(c.Key.Term)
		pid, err := supervisor.StartOne(c.ctx, c.to, key)
		if errors.Is(err, supervisor.ErrNotDynamic) { // OTP has one function for both
			return nil, &reason{tuple(Atom("invalid_child_spec"), List{Binary(key)})}
		}
		return c.started(pid, err)
	}
	if fault := c.Spec.childRefusedByTypes(); fault != nil {
		return nil, &reason{fault}
	}
	pid, err := supervisor.StartChild(c.ctx, c.to, c.child(c.who(c.at(c.Sup)), c.Sup, c.Spec, false))
	if errors.Is(err, supervisor.ErrDynamic) {
		return nil, &reason{tuple(Atom("EXIT"), tuple(Atom("badarg"), stack))}
	}
	if bad, is := errors.AsType[*supervisor.SpecError](err); is {
		return nil, &reason{c.Spec.faultTerm(firstFault(bad))}
	}
	if failed, is := errors.AsType[*supervisor.StartError](err); is {
		// OTP shows its record of the child as well.
		return nil, &reason{tuple(c.reasonTerm(failed.Err), tuple(Atom("child"), c.Spec.id()))}
	}
	if err == nil || errors.Is(err, process.ErrIgnore) {
		c.setSpec(c.Sup+"/"+c.Spec.step(), c.Spec)
	}
	return c.started(pid, err)
}

// started is the result of something that starts a child.
func (c *call) started(pid process.PID, err error) (Term, error) {
	switch {
	case err == nil:
		c.mu.Lock()
		extra := c.extras[pid]
		c.mu.Unlock()
		if extra != nil {
			return tuple(ok, c.pid(pid), extra), nil
		}
		return success(c.pid(pid)), nil
	case errors.Is(err, process.ErrIgnore):
		return success(undefined), nil
	}
	return nil, err
}

// refusal is {error, Why}. That a start failed is known to who asked for it, so
// OTP does not say it again.
func (c *call) refusal(err error) Term {
	if failed, is := errors.AsType[*supervisor.StartError](err); is {
		err = failed.Err
	}
	return failure(c.reasonTerm(err))
}

func (c *call) getChild() (Term, error) {
	id := c.id()
	if _, isPid := c.Child.Term.(Pid); isPid && c.pool() {
		id = c.node.Children[0].step() // all its children have that of the template
	}
	spec, err := supervisor.GetChild(c.ctx, c.to, id)
	if errors.Is(err, supervisor.ErrDynamic) {
		err = supervisor.ErrNotFound // coppice says why there is none
	}
	if err != nil {
		return nil, err
	}
	return success(c.childSpec(spec, c.kind(spec.ID))), nil
}

// kind is a child's type in its specification. Coppice has no such field: it
// sees what kind of process was started.
func (c *call) kind(id string) Term {
	if n := c.spec(c.Sup + "/" + id); n != nil && !n.isWorker() {
		return Atom("supervisor")
	}
	return Atom("worker")
}

func (c *call) whichChildren() (Term, error) {
	infos, err := supervisor.WhichChildren(c.ctx, c.to)
	if err != nil {
		return nil, err
	}
	l := List{}
	for _, info := range infos {
		id, pid := idTerm(info.ID), Term(undefined)
		switch info.Status {
		case supervisor.Running:
			pid = c.pid(info.PID)
		case supervisor.Restarting:
			pid = Atom("restarting")
		case supervisor.Down:
		}
		if c.pool() {
			id = undefined
		}
		l = append(l, tuple(id, pid, c.kind(info.ID)))
	}
	if c.pool() {
		slices.SortFunc(l, func(a, b Term) int { return cmp.Compare(pidText(a), pidText(b)) })
	}
	return l, nil
}

// pidText is the text of the process, or what stands for it, in an entry of
// which_children.
func pidText(entry Term) string {
	switch pid := entry.(Tuple)[1].(type) {
	case Pid:
		return string(pid)
	case Atom:
		return string(pid)
	}
	return ""
}

// countChildren splits the children into supervisors and workers by their
// specification. Coppice goes by the process, so it counts a child that never
// had one as a worker. If the supervisor is gone by the time it is asked which
// they are, the split stays as it is.
func (c *call) countChildren() (Term, error) {
	n, err := supervisor.CountChildren(c.ctx, c.to)
	if err != nil {
		return nil, err
	}
	infos, _ := supervisor.WhichChildren(c.ctx, c.to)
	for _, info := range infos {
		if c.kind(info.ID) == Atom("supervisor") && !info.Supervisor {
			n.Supervisors++
			n.Workers--
		}
	}
	return List{
		tuple(Atom("active"), Int(n.Active)),
		tuple(Atom("specs"), Int(n.Specs)),
		tuple(Atom("supervisors"), Int(n.Supervisors)),
		tuple(Atom("workers"), Int(n.Workers)),
	}, nil
}
