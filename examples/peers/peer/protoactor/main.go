// Protoactor runs the workloads on protoactor-go.
package main

import (
	"errors"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/scheduler"
	"github.com/coppice-go/coppice/examples/peers/work"
)

func main() { work.Main(&driver{}) }

type driver struct{ system *actor.ActorSystem }

func (d *driver) Boot() error {
	d.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
	return nil
}

func (d *driver) Halt() error { return nil }

func (d *driver) Spawn(mk func() work.Handler) work.Ref { return d.system.Root.Spawn(props(mk)) }

func (d *driver) SpawnNamed(name string, mk func() work.Handler) work.Ref {
	pid, err := d.system.Root.SpawnNamed(props(mk), name)
	work.Must(err)
	return pid
}

func (d *driver) Whereis(name string) bool {
	_, ok := d.system.ProcessRegistry.GetLocal(name)
	return ok
}

func (d *driver) Send(to work.Ref, msg any) { d.system.Root.Send(to.(*actor.PID), msg) }

func (d *driver) CanCall()    {}
func (d *driver) CanMonitor() {}
func (d *driver) CanTime()    {}

func props(mk func() work.Handler) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return &server{mk: mk} })
}

type server struct {
	mk  func() work.Handler
	h   work.Handler
	ctx actor.Context
}

type request struct{ req any }

func (s *server) Receive(ctx actor.Context) {
	s.ctx = ctx
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.h = s.mk()
		s.h.Init(s)
	case *actor.Stopping, *actor.Restarting:
	case *actor.Stopped:
		if s.h != nil {
			s.h.Terminate()
		}
	case *actor.Terminated:
		s.handle(work.Down{})
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
		s.ctx.Stop(s.ctx.Self())
	case work.Crash:
		panic(errCrash)
	}
}

func (s *server) Ref() work.Ref             { return s.ctx.Self() }
func (s *server) Send(to work.Ref, msg any) { s.ctx.Send(to.(*actor.PID), msg) }
func (s *server) Monitor(to work.Ref)       { s.ctx.Watch(to.(*actor.PID)) }

func (s *server) Call(to work.Ref, req any) (any, error) {
	return s.ctx.RequestFuture(to.(*actor.PID), &request{req}, 5*time.Second).Result()
}

func (s *server) After(d time.Duration, msg any) {
	scheduler.NewTimerScheduler(s.ctx).SendOnce(d, s.ctx.Self(), msg)
}

// A parent starts its children when it has started, and supervises them.
type parent struct{ start func(actor.Context) }

func (p *parent) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); ok {
		p.start(ctx)
	}
}

func parentOf(start func(actor.Context)) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return &parent{start} },
		actor.WithSupervisor(actor.NewOneForOneStrategy(1<<30, time.Second, actor.DefaultDecider)))
}

func workers(from, n int, mk func(int) work.Handler) *actor.Props {
	return parentOf(func(ctx actor.Context) {
		for i := range n {
			ctx.Spawn(props(func() work.Handler { return mk(from + i) }))
		}
	})
}

func parents(n int, below func(i int) *actor.Props) *actor.Props {
	return parentOf(func(ctx actor.Context) {
		for i := range n {
			ctx.Spawn(below(i))
		}
	})
}

func (d *driver) start(p *actor.Props) (stop func() error) {
	pid := d.system.Root.Spawn(p)
	return func() error { return d.system.Root.StopFuture(pid).Wait() }
}

func (d *driver) StartChildren(n int, mk func(int) work.Handler) func() error {
	return d.start(workers(0, n, mk))
}

func (d *driver) StartTree(a, b, w int, mk func(int) work.Handler) func() error {
	return d.start(parents(a, func(i int) *actor.Props {
		return parents(b, func(j int) *actor.Props { return workers((i*b+j)*w, w, mk) })
	}))
}
