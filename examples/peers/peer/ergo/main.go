// Ergo runs the workloads on ergo v2 (github.com/ergo-services/ergo), with its
// gen.Server and gen.Supervisor.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"time"

	"github.com/coppice-go/coppice/examples/peers/work"
	"github.com/ergo-services/ergo"
	"github.com/ergo-services/ergo/etf"
	"github.com/ergo-services/ergo/gen"
	"github.com/ergo-services/ergo/node"
)

func main() { work.Main(&driver{}) }

type driver struct {
	node    node.Node
	outside gen.Process // sends what comes from outside any process
}

func (d *driver) Boot() (err error) {
	log.SetOutput(io.Discard)
	name := fmt.Sprintf("peers%d@127.0.0.1", os.Getpid())
	d.node, err = ergo.StartNode(name, "cookie", node.Options{
		StaticRoutesOnly: true, // no port mapper, it talks to nobody
		Listeners:        []node.Listener{{Listen: uint16(21000 + os.Getpid()%20000)}},
	})
	if err != nil {
		return err
	}
	d.outside, err = d.node.Spawn("", gen.ProcessOptions{}, &server{}, func() work.Handler { return work.Base{} })
	return err
}

func (d *driver) Halt() error {
	d.node.Stop()
	return nil
}

func (d *driver) Spawn(mk func() work.Handler) work.Ref { return d.SpawnNamed("", mk) }

func (d *driver) SpawnNamed(name string, mk func() work.Handler) work.Ref {
	p, err := d.node.Spawn(name, gen.ProcessOptions{}, &server{}, mk)
	work.Must(err)
	return p.Self()
}

func (d *driver) Whereis(name string) bool { return d.node.ProcessByName(name) != nil }

func (d *driver) Send(to work.Ref, msg any) { send(d.outside, to, msg) }

func (d *driver) CanCall()    {}
func (d *driver) CanMonitor() {}
func (d *driver) CanTime()    {}

// send tries until it is not refused: a mailbox holds a hundred messages, and
// refuses more.
func send(p gen.Process, to work.Ref, msg any) {
	for p.Send(to, msg) != nil {
		runtime.Gosched()
	}
}

type server struct{ gen.Server }

// A state is what a server works with.
type state struct {
	p *gen.ServerProcess
	h work.Handler
}

func (s *state) Ref() work.Ref                          { return s.p.Self() }
func (s *state) Send(to work.Ref, msg any)              { send(s.p, to, msg) }
func (s *state) Call(to work.Ref, req any) (any, error) { return s.p.Call(to, req) }
func (s *state) Monitor(to work.Ref)                    { s.p.MonitorProcess(to.(etf.Pid)) }
func (s *state) After(d time.Duration, msg any)         { s.p.SendAfter(s.p.Self(), msg, d) }

func (*server) Init(p *gen.ServerProcess, args ...etf.Term) error {
	s := &state{p: p}
	switch mk := args[0].(type) {
	case func() work.Handler:
		s.h = mk()
	case func(int) work.Handler:
		s.h = mk(args[1].(int))
	}
	p.State = s
	s.h.Init(s)
	return nil
}

func (*server) HandleInfo(p *gen.ServerProcess, msg etf.Term) gen.ServerStatus {
	s := p.State.(*state)
	if _, ok := msg.(gen.MessageDown); ok {
		msg = work.Down{}
	}
	switch s.h.Handle(s, msg) {
	case work.Stop:
		return gen.ServerStatusStop
	case work.Crash:
		return gen.ServerStatusStopWithReason("crash")
	}
	return nil
}

func (*server) HandleCall(p *gen.ServerProcess, _ gen.ServerFrom, req etf.Term) (etf.Term, gen.ServerStatus) {
	return p.State.(*state).h.Answer(req), nil
}

func (*server) Terminate(p *gen.ServerProcess, _ string) {
	if s, ok := p.State.(*state); ok {
		s.h.Terminate()
	}
}

type supervisor struct{ gen.Supervisor }

func (*supervisor) Init(args ...etf.Term) (gen.SupervisorSpec, error) {
	return args[0].(gen.SupervisorSpec), nil
}

func spec(children []gen.SupervisorChildSpec) gen.SupervisorSpec {
	return gen.SupervisorSpec{Children: children, Strategy: gen.SupervisorStrategy{
		Type: gen.SupervisorStrategyOneForOne, Restart: gen.SupervisorStrategyRestartPermanent,
		Intensity: 65535, Period: 1, // the most that it can
	}}
}

func workers(from, n int, mk func(int) work.Handler) gen.SupervisorSpec {
	children := make([]gen.SupervisorChildSpec, n)
	for i := range children {
		children[i] = gen.SupervisorChildSpec{Child: &server{}, Args: []etf.Term{mk, from + i}}
	}
	return spec(children)
}

func supervisors(n int, below func(i int) gen.SupervisorSpec) gen.SupervisorSpec {
	children := make([]gen.SupervisorChildSpec, n)
	for i := range children {
		children[i] = gen.SupervisorChildSpec{Child: &supervisor{}, Args: []etf.Term{below(i)}}
	}
	return spec(children)
}

func (d *driver) start(s gen.SupervisorSpec) (stop func() error) {
	p, err := d.node.Spawn("", gen.ProcessOptions{}, &supervisor{}, s)
	work.Must(err)
	return func() error {
		if err := p.Exit("shutdown"); err != nil {
			return err
		}
		p.Wait()
		return nil
	}
}

func (d *driver) StartChildren(n int, mk func(int) work.Handler) func() error {
	return d.start(workers(0, n, mk))
}

func (d *driver) StartTree(a, b, w int, mk func(int) work.Handler) func() error {
	return d.start(supervisors(a, func(i int) gen.SupervisorSpec {
		return supervisors(b, func(j int) gen.SupervisorSpec { return workers((i*b+j)*w, w, mk) })
	}))
}
