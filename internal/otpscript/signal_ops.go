package otpscript

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// op does what one step of a signals scenario says, in the agent's own process.
// An error stands for OTP's badarg, or noproc.
func (a *agent) op(ctx context.Context, op Op) (Term, error) {
	word := op.word
	pid := func(i int) process.PID { return a.at(word(i)) }
	switch op.Name {
	case "link":
		return yes, process.Link(ctx, pid(0))
	case "unlink":
		return yes, process.Unlink(ctx, pid(0))
	case "links":
		return a.links(ctx), nil
	case "trap":
		return boolean(process.TrapExit(ctx, op.Args[0] == yes)), nil
	case "exit":
		return yes, a.sendExit(ctx, pid(0), op.Args[1])
	case "is_alive":
		return boolean(pid(0).Alive()), nil

	case "monitor":
		return ok, a.monitor(pid(0), word(1))
	case "monitor_name":
		return ok, a.monitor(process.Name(word(0)), word(1))
	case "monitor_alias":
		return ok, a.monitorAlias(ctx, pid(0), word(1), word(2))
	case "demonitor":
		was := process.Demonitor(ctx, a.label(word(0)).monitor)
		return boolean(was || !slices.Contains(op.Args[1:], Term(Atom("info")))), nil

	case "send":
		return ok, process.Send(ctx, pid(0), mail{a.name, a.resolve(op.Args[1])})
	case "send_name":
		to, err := process.Name(word(0)).Resolve(ctx)
		if err != nil {
			return nil, err
		}
		return ok, process.Send(ctx, to, mail{a.name, a.resolve(op.Args[1])})

	case "alias", "alias_reply":
		return ok, a.newAlias(ctx, word(0), op.Name == "alias_reply")
	case "send_alias":
		if alias := a.label(word(0)).alias; alias != nil {
			return ok, alias.Send(ctx, mail{a.name, a.resolve(op.Args[1])})
		}
		return ok, nil // to a reference that is no alias
	case "unalias":
		alias := a.label(word(0)).alias
		return boolean(alias != nil && alias.Close()), nil

	case "register":
		return yes, process.Register(ctx, registered(word(0)), pid(1))
	case "unregister":
		return yes, process.Unregister(ctx, word(0))
	case "whereis":
		if found, ok := process.Whereis(ctx, word(0)); ok {
			return a.pid(found), nil
		}
		return undefined, nil

	case "spawn":
		return a.spawn(ctx, word(0), word(1), op.Args[2] == yes)
	case "await_dead":
		_, err := process.Wait(ctx, pid(0))
		return ok, err
	case "await_mail":
		for n, _ := op.Args[0].(Int); a.in.Len() < int(n); {
			time.Sleep(time.Millisecond)
		}
		return ok, nil
	case "take":
		return a.takeIf(Atom("taken"), func(m any) bool {
			got, isMail := m.(mail)
			return isMail && Equal(got.msg, a.resolve(op.Args[0]))
		}), nil
	case "take_exit":
		return a.takeIf(nil, func(m any) bool {
			x, isExit := m.(process.ExitSignal)
			return isExit && x.From == pid(0)
		}), nil
	case "take_down":
		return a.takeIf(nil, func(m any) bool {
			d, isDown := m.(labelled)
			return isDown && d.label == word(0)
		}), nil
	}
	return nil, fmt.Errorf("otpscript: unknown op %q", op.Name)
}

const (
	yes = Atom("true")
	no  = Atom("false")
)

func boolean(b bool) Term {
	if b {
		return yes
	}
	return no
}

// registered is a name as coppice knows it. OTP refuses the name undefined,
// which is its way to say that there is none; ours is the empty one.
func registered(name string) string {
	if name == string(undefined) {
		return ""
	}
	return name
}

// links lists the names of those the agent is linked to.
func (a *agent) links(ctx context.Context) Term {
	l := List{}
	for _, pid := range process.Self(ctx).Info().Links {
		l = append(l, Binary(a.who(pid).name))
	}
	slices.SortFunc(l, Compare)
	return l
}

// sendExit is OTP's exit/2, where the reason kill is the untrappable signal.
func (p *player) sendExit(ctx context.Context, to process.PID, why Term) error {
	if why == kill {
		return process.Kill(ctx, to)
	}
	return process.SendExit(ctx, to, exitReason(p.resolve(why)))
}

func (a *agent) monitor(to process.Target, name string) error {
	ref, err := a.in.Monitor(to, a.down(name))
	a.setLabel(name, label{monitor: ref})
	return err
}

func (a *agent) monitorAlias(ctx context.Context, to process.PID, name, mode string) error {
	modes := map[string]process.AliasMode{
		"explicit_unalias": process.AliasExplicit,
		"demonitor":        process.AliasDemonitor,
		"reply_demonitor":  process.AliasReplyDemonitor,
	}
	ref, alias, err := process.MonitorAlias(ctx, to, a.down(name), modes[mode])
	a.setLabel(name, label{ref, alias})
	return err
}

func (a *agent) newAlias(ctx context.Context, name string, once bool) error {
	mode := process.AliasExplicit
	if once {
		mode = process.AliasOnce
	}
	alias, err := process.NewAlias(ctx, mode)
	a.setLabel(name, label{alias: alias})
	return err
}

func (a *agent) spawn(ctx context.Context, name, how string, trap bool) (Term, error) {
	pid, ref, err := a.spawnAgent(ctx, name, how, trap)
	if how == "monitor" {
		a.setLabel(name+"_mon", label{monitor: ref})
	}
	return a.pid(pid), err
}

// takeIf takes the first matching entry out of the mailbox, if there is one. The
// result is what, or the reason that a signal carries.
func (a *agent) takeIf(what Term, match func(any) bool) Term {
	m, found := a.in.TakeWithin(0, match)
	if !found {
		return Atom("none")
	}
	switch m := m.(type) {
	case process.ExitSignal:
		return a.reasonTerm(m.Reason)
	case labelled:
		return a.reasonTerm(m.Reason)
	}
	return what
}
