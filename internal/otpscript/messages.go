package otpscript

import (
	"context"
	"errors"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/process/statem"
)

// What the scripted processes are sent. Each of these is a message of a scripted
// server, by its Handle, and an occurrence for a scripted state machine.
type (
	ask struct { // a call
		msg  Term
		from statem.Reply[Term] // of a state machine
	}
	told    struct{ msg Term } // a cast
	plain   struct{ msg Term } // what is sent by !
	goOn    struct{ msg Term } // what a server continues with
	expired struct{}           // a server's timeout
)

// An occurrence is an event of a scripted state machine: its type and content.
type occurrence interface{ occurs() (kind, content Term) }

const (
	kindCall     = Atom("call")
	kindCast     = Atom("cast")
	kindInfo     = Atom("info")
	kindContinue = Atom("continue")
	kindEnter    = Atom("enter")
	timeout      = Atom("timeout")
)

func (m ask) occurs() (Term, Term)   { return kindCall, m.msg }
func (m told) occurs() (Term, Term)  { return kindCast, m.msg }
func (m plain) occurs() (Term, Term) { return kindInfo, m.msg }

// With makes a call the event that carries the right to answer it.
func (m ask) With(r statem.Reply[Term]) occurrence { m.from = r; return m }

// Message shows agents what they were sent.
func (m told) seen() Term  { return tuple(Atom("$gen_cast"), m.msg) }
func (m plain) seen() Term { return m.msg }

// dest is who is meant by a name: a process of the scenario, or else whoever is
// registered so.
func (p *player) dest(ctx context.Context, name string) (process.PID, error) {
	if name == "self" {
		return process.Self(ctx), nil
	}
	p.mu.Lock()
	pid, started := p.latest[name]
	p.mu.Unlock()
	if started {
		return pid, nil
	}
	if name == "p" {
		return p.dead, nil
	}
	return process.Name(name).Resolve(ctx)
}

// request is gen_server:call, which gen_statem's is the same as.
func (p *player) request(ctx context.Context, to process.PID, msg Term, limit time.Duration) (Term, error) {
	p.expect(p.own, limit)
	ctx = process.WithCallTimeout(ctx, limit)
	if machine, err := statem.As[occurrence](to); err == nil {
		return statem.Call(ctx, machine, ask{msg: msg})
	}
	ref, err := server.As[scriptedServer](to)
	if err != nil {
		if _, dead := errors.AsType[*process.ExitError](err); !dead { // one that takes no calls
			err = process.Do(ctx, to, &process.Call{})
		}
		return nil, err
	}
	answer, err := server.Call(ctx, ref, ask{msg: msg})
	if answer != nil {
		err = nil // it is also told why the server stops, which OTP's is not
	}
	return answer, err
}

// cast is gen_server:cast or gen_statem:cast.
func (p *player) cast(ctx context.Context, to process.PID, msg Term) error {
	if machine, err := statem.As[occurrence](to); err == nil {
		return machine.Cast(ctx, told{msg})
	}
	if ref, err := server.As[scriptedServer](to); err == nil {
		return server.Cast(ctx, ref, told{msg})
	}
	return process.Send(ctx, to, told{msg})
}

// send is Pid ! Msg.
func (p *player) send(ctx context.Context, to process.PID, msg Term) error {
	return process.Send(ctx, to, plain{msg})
}
