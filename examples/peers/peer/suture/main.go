// Suture runs the workloads of supervisors on suture
// (github.com/thejerf/suture). It has no processes: what it supervises here is
// a goroutine that reads a channel.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/coppice-go/coppice/examples/peers/work"
	"github.com/thejerf/suture/v4"
)

func main() { work.Main(driver{}) }

type driver struct{}

func (driver) Boot() error { return nil }
func (driver) Halt() error { return nil }

func (driver) Send(to work.Ref, msg any) { to.(*service).in <- msg }

// A service outlives its crashes, as does its channel.
type service struct {
	in chan any
	mk func() work.Handler
}

var errCrash = errors.New("crash")

func (s *service) Serve(ctx context.Context) error {
	h := s.mk()
	p := self{s}
	h.Init(p)
	defer h.Terminate()
	for {
		select {
		case m := <-s.in:
			switch h.Handle(p, m) {
			case work.Stop:
				return suture.ErrDoNotRestart
			case work.Crash:
				return errCrash
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

type self struct{ s *service }

func (p self) Ref() work.Ref                 { return p.s }
func (p self) Send(to work.Ref, msg any)     { to.(*service).in <- msg }
func (self) Call(work.Ref, any) (any, error) { panic("there are no calls") }
func (self) Monitor(work.Ref)                { panic("there are no monitors") }
func (self) After(time.Duration, any)        { panic("there are no timers") }

// newSupervisor restarts as often as it takes, without a pause.
func newSupervisor() *suture.Supervisor {
	return suture.New("supervisor", suture.Spec{EventHook: func(suture.Event) {},
		FailureThreshold: 1e12, FailureDecay: 1e12, FailureBackoff: time.Microsecond, Timeout: time.Minute})
}

func workers(from, n int, mk func(int) work.Handler) *suture.Supervisor {
	s := newSupervisor()
	for i := range n {
		s.Add(&service{in: make(chan any, 8), mk: func() work.Handler { return mk(from + i) }})
	}
	return s
}

func supervisors(n int, below func(i int) *suture.Supervisor) *suture.Supervisor {
	s := newSupervisor()
	for i := range n {
		s.Add(below(i))
	}
	return s
}

func start(s *suture.Supervisor) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := s.ServeBackground(ctx)
	return func() error {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
}

func (driver) StartChildren(n int, mk func(int) work.Handler) func() error {
	return start(workers(0, n, mk))
}

func (driver) StartTree(a, b, w int, mk func(int) work.Handler) func() error {
	return start(supervisors(a, func(i int) *suture.Supervisor {
		return supervisors(b, func(j int) *suture.Supervisor { return workers((i*b+j)*w, w, mk) })
	}))
}
