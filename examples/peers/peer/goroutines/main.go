// Goroutines runs the workloads on what the language has: a goroutine, a
// channel, a map behind a lock. It is what the others are built on, and does
// less than any of them: nobody is told of an end, and nothing is supervised.
package main

import (
	"sync"
	"time"

	"github.com/coppice-go/coppice/examples/peers/work"
)

func main() { work.Main(&driver{names: map[string]*proc{}, box: 1}) }

type driver struct {
	box   int // how many messages a channel has room for
	mu    sync.RWMutex
	names map[string]*proc
}

func (*driver) Boot() error { return nil }
func (*driver) Halt() error { return nil }
func (*driver) CanCall()    {}
func (*driver) CanTime()    {}
func (d *driver) Box(n int) { d.box = n }

func (d *driver) Spawn(mk func() work.Handler) work.Ref {
	p := &proc{in: make(chan any, d.box), h: mk()}
	go p.run()
	return p
}

func (d *driver) Send(to work.Ref, msg any) { to.(*proc).in <- msg }

func (d *driver) SpawnNamed(name string, mk func() work.Handler) work.Ref {
	p := d.Spawn(mk).(*proc)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[name] = p
	return p
}

func (d *driver) Whereis(name string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	_, ok := d.names[name]
	return ok
}

type proc struct {
	in    chan any
	h     work.Handler
	reply chan any
}

type request struct {
	req   any
	reply chan any
}

func (p *proc) run() {
	p.h.Init(p)
	defer p.h.Terminate()
	for m := range p.in {
		if r, ok := m.(*request); ok {
			r.reply <- p.h.Answer(r.req)
		} else if p.h.Handle(p, m) != work.Go {
			return
		}
	}
}

func (p *proc) Ref() work.Ref                  { return p }
func (p *proc) Send(to work.Ref, msg any)      { to.(*proc).in <- msg }
func (p *proc) Monitor(work.Ref)               { panic("there are no monitors") }
func (p *proc) After(d time.Duration, msg any) { time.AfterFunc(d, func() { p.in <- msg }) }

// Call waits for ever: a deadline is for those who write one.
func (p *proc) Call(to work.Ref, req any) (any, error) {
	if p.reply == nil {
		p.reply = make(chan any, 1)
	}
	to.(*proc).in <- &request{req, p.reply}
	return <-p.reply, nil
}
