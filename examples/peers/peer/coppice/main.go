// Coppice runs the workloads on this module, by its public API only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/coppice-go/coppice/examples/peers/work"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/trace"
)

var silent = flag.Bool("silent", false, "make no crash reports, instead of writing them to nobody")

func main() { work.Main(&driver{}) }

var errCrash = errors.New("crash")

// A driver has a node with a tracer whose reports go to nobody: they are made,
// as in any program, and written off the restart path.
type driver struct {
	node *process.Node
	ctx  context.Context
}

func (d *driver) Boot() error {
	d.node = process.NewNode(process.NodeSpec{})
	d.ctx = d.node.Context()
	if *silent {
		d.node.SetProbe(deaf{})
		return nil
	}
	_, err := trace.Start(d.ctx, trace.Options{Output: io.Discard, Form: trace.JSON})
	return err
}

func (d *driver) Halt() error { return d.node.Stop(context.Background()) }

// deaf is a probe that wants nothing.
type deaf struct{}

func (deaf) Wants() process.Kind { return 0 }
func (deaf) Event(process.Event) {}

// What BEAM does with a bare process is done with a behaviour, what it does
// with a gen_server with a server.
func (d *driver) Spawn(mk func() work.Handler) work.Ref { return d.SpawnNamed("", mk) }

func (d *driver) SpawnNamed(name string, mk func() work.Handler) work.Ref {
	pid, err := process.Start(d.ctx, process.Spec{Name: name, Unlinked: true, Behaviour: &bare{h: mk()}})
	work.Must(err)
	return pid
}

func (d *driver) Whereis(name string) bool {
	_, ok := process.Whereis(d.ctx, name)
	return ok
}

func (d *driver) SpawnServer(mk func() work.Handler) work.Ref {
	ref, err := server.Start(d.ctx, spec(mk))
	work.Must(err)
	return ref
}

func (d *driver) Send(to work.Ref, msg any) { send(d.ctx, to, msg) }

func (d *driver) CanCall()    {}
func (d *driver) CanMonitor() {}
func (d *driver) CanTime()    {}

func send(ctx context.Context, to work.Ref, msg any) {
	switch to := to.(type) {
	case process.PID:
		work.Must(process.Send(ctx, to, msg))
	case server.Ref[actor]:
		work.Must(server.Cast(ctx, to, tell{msg}))
	}
}

// A bare is a process without a server around it. It is its own ctx, but for
// the length of a request, and so remembers the one that Init gets.
type bare struct {
	ctx context.Context
	h   work.Handler
}

func (b *bare) Init(ctx context.Context) error {
	b.ctx = ctx
	b.h.Init(b)
	return nil
}

func (b *bare) Handle(_ context.Context, msg any) error {
	if _, ok := msg.(*process.Down); ok {
		msg = work.Down{}
	}
	switch b.h.Handle(b, msg) {
	case work.Stop:
		return process.End(nil)
	case work.Crash:
		return errCrash
	}
	return nil
}

func (b *bare) Terminate(context.Context, error) error {
	b.h.Terminate()
	return nil
}

func (b *bare) Ref() work.Ref                          { return process.Self(b.ctx) }
func (b *bare) Send(to work.Ref, msg any)              { send(b.ctx, to, msg) }
func (b *bare) After(d time.Duration, msg any)         { process.After(b.ctx, d, msg) }
func (b *bare) Call(to work.Ref, req any) (any, error) { return call(b.ctx, to, req) }

func (b *bare) Monitor(to work.Ref) {
	_, err := process.Monitor(b.ctx, to.(process.PID), nil)
	work.Must(err)
}

func call(ctx context.Context, to work.Ref, req any) (any, error) {
	ref, ok := to.(server.Ref[actor])
	if !ok {
		return nil, fmt.Errorf("%v is no server", to)
	}
	return server.Call(ctx, ref, ask{req})
}

// An actor is the state of a server.
type actor struct{ bare }

// An ask is a request, a tell is a notice.
type (
	ask  struct{ req any }
	tell struct{ msg any }
)

func (m ask) Handle(_ context.Context, a *actor) (any, error) { return a.h.Answer(m.req), nil }

func (m tell) Handle(ctx context.Context, a *actor) error {
	switch a.h.Handle(a, m.msg) {
	case work.Stop:
		return server.Stop(nil)
	case work.Crash:
		return errCrash
	}
	return nil
}

func (a *actor) Ref() work.Ref {
	ref, err := server.As[actor](process.Self(a.ctx))
	work.Must(err)
	return ref
}

// spec is a server that cleans up, whatever ends it.
func spec(mk func() work.Handler) server.Spec[actor] {
	return server.Spec[actor]{
		TrapExit: true,
		Init: func(ctx context.Context) (*actor, error) {
			a := &actor{bare{ctx, mk()}}
			a.h.Init(a)
			return a, nil
		},
		Terminate: func(_ context.Context, a *actor, _ error) error {
			a.h.Terminate()
			return nil
		},
	}
}

// often is more restarts than any workload asks for.
const often = 1_000_000

func workers(from, n int, mk func(int) work.Handler) supervisor.Spec {
	s := supervisor.Spec{Intensity: often, Period: time.Second, Children: make([]supervisor.Child, n)}
	for i := range s.Children {
		s.Children[i] = supervisor.Child{ID: fmt.Sprint(i), Start: server.StartFunc(spec(func() work.Handler { return mk(from + i) }))}
	}
	return s
}

func supervisors(n int, below func(i int) supervisor.Spec) supervisor.Spec {
	s := supervisor.Spec{Children: make([]supervisor.Child, n)}
	for i := range s.Children {
		s.Children[i] = supervisor.Child{ID: fmt.Sprint(i), Start: supervisor.StartFunc(below(i))}
	}
	return s
}

func (d *driver) start(s supervisor.Spec) (stop func() error) {
	pid, err := supervisor.Start(d.ctx, s)
	work.Must(err)
	return func() error { return process.Stop(d.ctx, pid, process.ErrShutdown) }
}

func (d *driver) StartChildren(n int, mk func(int) work.Handler) func() error {
	return d.start(workers(0, n, mk))
}

func (d *driver) StartTree(a, b, w int, mk func(int) work.Handler) func() error {
	return d.start(supervisors(a, func(i int) supervisor.Spec {
		return supervisors(b, func(j int) supervisor.Spec { return workers((i*b+j)*w, w, mk) })
	}))
}
