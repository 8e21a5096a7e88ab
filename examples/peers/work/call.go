package work

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// A caller calls to so often, and notes how long each takes.
type caller struct {
	Base
	to   Ref
	took []time.Duration
	bad  string // what is wrong with an answer
	done chan struct{}
}

func (h *caller) Handle(p Self, _ any) Next {
	for i := range h.took {
		began := time.Now()
		got, err := p.Call(h.to, ping)
		h.took[i] = time.Since(began)
		if err != nil || got != ping {
			h.bad = fmt.Sprintf("call %d: answer %v, error %v", i, got, err)
			break
		}
	}
	h.done <- struct{}{}
	return Go
}

// calls has a process call another K times, and returns the caller.
func calls(b *Bench, d Driver) (*caller, error) {
	p, ok := d.(Spawner)
	if _, can := d.(Caller); !ok || !can {
		return nil, lacks("calls")
	}
	serve := p.Spawn
	if s, ok := d.(ServerSpawner); ok {
		serve = s.SpawnServer
	}
	h := &caller{to: serve(func() Handler { return Base{} }), took: make([]time.Duration, b.K), done: make(chan struct{}, 1)}
	p.Send(p.Spawn(func() Handler { return h }), ping)
	if _, ok := take(b.Until, h.done); !ok {
		return nil, fmt.Errorf("%d calls did not end in time", b.K)
	}
	return h, nil
}

// call measures calls between two processes that have nothing else to do.
func call(b *Bench, d Driver) error {
	h, err := calls(b, d)
	if err != nil {
		return err
	}
	b.Emit(Row{Name: "call p50", Value: float64(percentile(h.took, 50)), Failed: h.bad})
	b.Emit(Row{Name: "call p99", Value: float64(percentile(h.took, 99)), Failed: h.bad})
	return nil
}

type spinner struct {
	Base
	stop *atomic.Bool
}

func (h *spinner) Handle(Self, any) Next {
	for x := uint32(1); !h.stop.Load(); x++ {
		for range 1000 {
			x = x*1664525 + 1013904223
		}
	}
	return Stop
}

// spin measures the same while as many handlers compute as there are
// processors, and none gives its up.
func spin(b *Bench, d Driver) error {
	p, ok := d.(Spawner)
	if !ok {
		return lacks("processes")
	}
	var stop atomic.Bool
	for range runtime.GOMAXPROCS(0) {
		p.Send(p.Spawn(func() Handler { return &spinner{stop: &stop} }), ping)
	}
	h, err := calls(b, d)
	stop.Store(true)
	if err != nil {
		return err
	}
	var sum time.Duration
	for _, t := range h.took {
		sum += t
	}
	b.Emit(Row{Name: "spin", Value: micros(sum) / float64(b.K), Failed: h.bad,
		Detail: map[string]float64{"p50": micros(percentile(h.took, 50)), "p99": micros(percentile(h.took, 99))}})
	return nil
}

type blocker struct {
	Base
	d    time.Duration
	done *tally
}

func (h *blocker) Handle(Self, any) Next {
	time.Sleep(h.d)
	h.done.done()
	return Go
}

// block has N handlers wait for K milliseconds, all at once.
func block(b *Bench, d Driver) error {
	p, ok := d.(Spawner)
	if !ok {
		return lacks("processes")
	}
	done := newTally(b.N)
	refs := make([]Ref, b.N)
	for i := range refs {
		refs[i] = p.Spawn(func() Handler { return &blocker{d: time.Duration(b.K) * time.Millisecond, done: done} })
	}
	began := time.Now()
	for _, r := range refs {
		p.Send(r, ping)
	}
	at, wrong := done.wait(b, "came back", b.N)
	b.Emit(Row{Name: "block", Value: micros(at.Sub(began)) / 1e3, Failed: wrong})
	return nil
}
