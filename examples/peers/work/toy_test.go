package work

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// A toy is a peer of a few lines that does what a Driver must, and less where a
// test says so.
type toy struct {
	faults
	mu    sync.Mutex
	names map[string]*toyProc
	quit  chan struct{}
	wg    sync.WaitGroup
	sent  int
}

// faults are what a toy gets wrong.
type faults struct {
	dropSends     int // each so many-th message from a process is lost
	dropChild     bool
	dropDown      bool
	dropTimer     bool
	earlyTimer    bool
	wrongAnswer   bool
	failCall      bool
	dieTwice      bool // Terminate runs twice
	noTerminate   bool
	forgetNames   bool
	stopInOrder   bool // not in reverse
	stopUnawaited bool
	stopFails     bool
}

func newToy(f faults) *toy {
	return &toy{faults: f, names: map[string]*toyProc{}, quit: make(chan struct{})}
}

func (t *toy) Boot() error { return nil }

func (t *toy) Halt() error {
	close(t.quit)
	t.wg.Wait()
	return nil
}

func (*toy) CanCall()    {}
func (*toy) CanMonitor() {}
func (*toy) CanTime()    {}

type toyProc struct {
	t        *toy
	in       chan any
	h        Handler
	mu       sync.Mutex
	watchers []*toyProc
	dead     chan struct{}
}

func (t *toy) start(h Handler, ended func(Next)) *toyProc {
	p := &toyProc{t: t, in: make(chan any, 10_000), h: h, dead: make(chan struct{})}
	h.Init(p)
	t.wg.Go(func() {
		next := p.run()
		if ended != nil {
			ended(next)
		}
	})
	return p
}

type toyRequest struct {
	req   any
	reply chan any
}

type toyStop struct{}

func (p *toyProc) run() (next Next) {
	defer p.end()
	for next == Go {
		select {
		case <-p.t.quit:
			return Stop
		case m := <-p.in:
			switch m := m.(type) {
			case toyStop:
				return Stop
			case *toyRequest:
				m.reply <- p.h.Answer(m.req)
			default:
				next = p.h.Handle(p, m)
			}
		}
	}
	return next
}

func (p *toyProc) end() {
	if !p.t.noTerminate {
		p.h.Terminate()
	}
	if p.t.dieTwice {
		p.h.Terminate()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, w := range p.watchers {
		if i > 0 || !p.t.dropDown {
			w.in <- Down{}
		}
	}
	close(p.dead)
}

func (p *toyProc) Ref() Ref { return p }

func (p *toyProc) Send(to Ref, msg any) {
	p.t.mu.Lock()
	p.t.sent++
	lost := p.t.dropSends > 0 && p.t.sent%p.t.dropSends == 0
	p.t.mu.Unlock()
	if !lost {
		to.(*toyProc).in <- msg
	}
}

func (p *toyProc) Call(to Ref, req any) (any, error) {
	if p.t.failCall {
		return nil, errors.New("timed out")
	}
	r := &toyRequest{req, make(chan any, 1)}
	to.(*toyProc).in <- r
	a := <-r.reply
	if p.t.wrongAnswer {
		return "something else", nil
	}
	return a, nil
}

func (p *toyProc) Monitor(to Ref) {
	q := to.(*toyProc)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.watchers = append(q.watchers, p)
}

func (p *toyProc) After(d time.Duration, msg any) {
	p.t.mu.Lock()
	p.t.sent++
	first := p.t.sent == 1
	p.t.mu.Unlock()
	if first && p.t.dropTimer {
		return
	}
	if first && p.t.earlyTimer {
		d /= 2
	}
	time.AfterFunc(d, func() { p.in <- msg })
}

func (t *toy) Spawn(mk func() Handler) Ref { return t.start(mk(), nil) }
func (t *toy) Send(to Ref, msg any)        { to.(*toyProc).in <- msg }

func (t *toy) SpawnNamed(name string, mk func() Handler) Ref {
	p := t.start(mk(), nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.forgetNames || len(t.names) > 0 {
		t.names[name] = p
	} else {
		t.names["another"] = p
	}
	return p
}

func (t *toy) Whereis(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names[name] != nil
}

func (t *toy) StartChildren(n int, mk func(int) Handler) func() error {
	for i := range n {
		t.child(i, mk)
	}
	return t.stopped
}

func (t *toy) stopped() error {
	if t.stopFails {
		return errors.New("something is still there")
	}
	return nil
}

func (t *toy) child(i int, mk func(int) Handler) {
	t.start(mk(i), func(n Next) {
		if n == Crash && !t.dropChild {
			t.child(i, mk)
		}
	})
}

func (t *toy) StartTree(a, b, w int, mk func(int) Handler) func() error {
	var all []*toyProc
	for i := range a * b * w {
		all = append(all, t.start(mk(i), nil))
	}
	return func() error {
		if !t.stopInOrder {
			slices.Reverse(all)
		}
		for _, p := range all {
			p.in <- toyStop{}
			if !t.stopUnawaited {
				<-p.dead
			}
		}
		return t.stopped()
	}
}
