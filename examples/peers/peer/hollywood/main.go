// Hollywood runs the workloads on hollywood (github.com/anthdm/hollywood).
package main

import (
	"errors"
	"log/slog"
	"time"

	"github.com/anthdm/hollywood/actor"
	"github.com/coppice-go/coppice/examples/peers/work"
)

func main() { work.Main(&driver{}) }

type driver struct{ engine *actor.Engine }

func (d *driver) Boot() (err error) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	d.engine, err = actor.NewEngine(actor.NewEngineConfig())
	return err
}

func (d *driver) Halt() error { return nil }

func (d *driver) Spawn(mk func() work.Handler) work.Ref { return d.engine.Spawn(producer(mk), "p") }

func (d *driver) SpawnNamed(name string, mk func() work.Handler) work.Ref {
	return d.engine.Spawn(producer(mk), "p", actor.WithID(name))
}

func (d *driver) Whereis(name string) bool { return d.engine.Registry.GetPID("p", name) != nil }

func (d *driver) Send(to work.Ref, msg any) { d.engine.Send(to.(*actor.PID), msg) }

func (d *driver) CanCall() {}

func producer(mk func() work.Handler) actor.Producer {
	return func() actor.Receiver { return &server{mk: mk} }
}

type server struct {
	mk  func() work.Handler
	h   work.Handler
	ctx *actor.Context
}

type request struct{ req any }

func (s *server) Receive(ctx *actor.Context) {
	s.ctx = ctx
	switch m := ctx.Message().(type) {
	case actor.Initialized:
	case actor.Started:
		s.h = s.mk()
		s.h.Init(s)
	case actor.Stopped:
		if s.h != nil {
			s.h.Terminate()
		}
	case *request:
		ctx.Respond(s.h.Answer(m.req))
	default:
		s.handle(m)
	}
}

var errCrash = errors.New("crash")

func (s *server) handle(msg any) {
	switch s.h.Handle(s, msg) {
	case work.Stop:
		s.ctx.Engine().Poison(s.ctx.PID())
	case work.Crash:
		panic(errCrash)
	}
}

func (s *server) Ref() work.Ref             { return s.ctx.PID() }
func (s *server) Send(to work.Ref, msg any) { s.ctx.Send(to.(*actor.PID), msg) }

func (s *server) Call(to work.Ref, req any) (any, error) {
	return s.ctx.Request(to.(*actor.PID), &request{req}, 5*time.Second).Result()
}

func (s *server) Monitor(work.Ref)         { panic("there are no monitors") }
func (s *server) After(time.Duration, any) { panic("there are no timers for one message") }

// StartChildren has no supervisor to give: every actor restarts itself, at once
// instead of after half a second, and there is nothing to stop.
func (d *driver) StartChildren(n int, mk func(int) work.Handler) func() error {
	for i := range n {
		d.engine.Spawn(producer(func() work.Handler { return mk(i) }), "child",
			actor.WithMaxRestarts(1<<30), actor.WithRestartDelay(0))
	}
	return func() error { return nil }
}

// A parent starts its children when it has started.
type parent struct{ start func(*actor.Context) }

func (p *parent) Receive(ctx *actor.Context) {
	if _, ok := ctx.Message().(actor.Started); ok {
		p.start(ctx)
	}
}

func parents(n int, below func(i int) actor.Producer) actor.Producer {
	return func() actor.Receiver {
		return &parent{func(ctx *actor.Context) {
			for i := range n {
				ctx.SpawnChild(below(i), "p")
			}
		}}
	}
}

func (d *driver) StartTree(a, b, w int, mk func(int) work.Handler) func() error {
	root := d.engine.Spawn(parents(a, func(i int) actor.Producer {
		return parents(b, func(j int) actor.Producer {
			return parents(w, func(k int) actor.Producer {
				return producer(func() work.Handler { return mk((i*b+j)*w + k) })
			})
		})
	}), "root")
	return func() error {
		<-d.engine.Poison(root).Done()
		return nil
	}
}
