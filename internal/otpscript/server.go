package otpscript

import (
	"context"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A scriptedServer is the state of a server that does what its rules say. Its
// messages, in messages.go, look the rules up.
type scriptedServer struct {
	*script
	machine *Machine
	value   Term // OTP's state
	clock   *process.Timer
}

// startServer starts a scripted server. OTP's call terminate whether they trap
// or not, and set trapping themselves; so does this one.
func (p *player) startServer(ctx context.Context, proc *Proc) (process.PID, error) {
	s := &scriptedServer{script: newScript(p, &actor{name: proc.Name}), machine: proc.Machine, value: none}
	ref, err := server.Start(ctx, server.Spec[scriptedServer]{
		Name:     proc.Register,
		TrapExit: true,
		Init:     s.init,
		Exit: func(ctx context.Context, s *scriptedServer, x process.ExitSignal) error {
			return s.callback(ctx, kindInfo, exitMessage(s.player, x), nil).end()
		},
		Terminate: func(ctx context.Context, s *scriptedServer, why error) error { return s.terminate(ctx, why) },
	})
	return p.begun(ref.PID(), s.actor, err)
}

// exitMessage is {'EXIT', From, Reason}.
func exitMessage(p *player, x process.ExitSignal) Term {
	return tuple(Atom("EXIT"), p.pid(x.From), p.reasonTerm(x.Reason))
}

func (s *scriptedServer) init(ctx context.Context) (*scriptedServer, error) {
	s.enroll(process.Self(ctx), s.actor)
	process.TrapExit(ctx, s.machine.Trap)
	begin := &s.machine.Init
	s.do(ctx, begin.Do)
	s.value = s.set(&begin.Effects, s.value)
	if err := s.begin(ctx, s.name, begin.Outcome); err != nil {
		return nil, err
	}
	return s, s.then(ctx, extra(&begin.Effects))
}

func (s *scriptedServer) terminate(ctx context.Context, why error) error {
	s.add(s.actor, "terminate", fields{"id": s.name, "reason": s.reasonTerm(why)})
	if o := s.machine.OnStop; o != nil && o.Kind == "crash" {
		throw(s.resolve(o.Value))
	} else if o != nil {
		s.exit = inTerminate
		process.Exit(ctx, exitReason(s.resolve(o.Value)))
	}
	return nil
}

// Handle answers a call, or puts the answer off.
func (m ask) Handle(ctx context.Context, s *scriptedServer) (Term, error) {
	from := &serverCaller{}
	v := s.callback(ctx, kindCall, m.msg, from)
	if v.reply != nil && !from.saved {
		return v.reply, v.end()
	}
	reply, err := server.Defer[Term](ctx)
	if err != nil {
		return nil, err
	}
	if v.reply != nil {
		reply.Send(v.reply, nil)
	}
	return nil, v.end()
}

func (m told) Handle(ctx context.Context, s *scriptedServer) error {
	return s.callback(ctx, kindCast, m.msg, nil).end()
}

func (m plain) Handle(ctx context.Context, s *scriptedServer) error {
	return s.callback(ctx, kindInfo, m.msg, nil).end()
}

func (m goOn) Handle(ctx context.Context, s *scriptedServer) error {
	return s.callback(ctx, kindContinue, m.msg, nil).end()
}

func (expired) Handle(ctx context.Context, s *scriptedServer) error {
	return s.callback(ctx, kindInfo, timeout, nil).end()
}

// A serverCaller is a caller whose right to be answered is taken if the rule
// saves it.
type serverCaller struct {
	server.Reply[Term]
	saved bool
}

func (c *serverCaller) answer(t Term) { c.Send(t, nil) }

// callback is one of the server's callbacks. from is nil but in a call.
func (s *scriptedServer) callback(ctx context.Context, kind Atom, content Term, from *serverCaller) verdict {
	s.clock.Stop()
	s.add(s.actor, "cb", fields{"content": content, "id": s.name, "type": kind})
	r := s.match("", s.machine.Rules, s.value, kind, content)
	if r == nil {
		return verdict{}
	}
	if r.SaveFrom != "" {
		s.saveCaller(ctx, r.SaveFrom, from)
	}
	for _, a := range r.Replies {
		s.answerSaved(a.Key, a.Value)
	}
	s.do(ctx, r.Do)
	v := s.decide(ctx, r, kind)
	if v.state != nil {
		s.value = v.state
	}
	if !v.stops {
		s.must(s.then(ctx, v.extra))
	}
	return v
}

func (s *scriptedServer) saveCaller(ctx context.Context, key string, from *serverCaller) {
	if from == nil {
		s.save(key, nil)
		return
	}
	var err error
	from.Reply, err = server.Defer[Term](ctx)
	s.must(err)
	from.saved = true
	s.save(key, from)
}

// then does what OTP's callbacks ask for in the last element of what they
// return.
func (s *scriptedServer) then(ctx context.Context, e Effects) error {
	if e.Continue.Term != nil {
		return server.Continue(ctx, goOn{s.resolve(e.Continue.Term)})
	}
	var err error
	if e.Timeout != nil {
		s.clock, err = server.After(ctx, s.later(s.actor, *e.Timeout), expired{})
	}
	return err
}
