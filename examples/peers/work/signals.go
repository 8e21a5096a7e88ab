package work

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

type watcher struct {
	Base
	on        Ref
	set, told *tally
}

func (h *watcher) Handle(p Self, m any) Next {
	if _, ok := m.(Down); ok {
		h.told.done()
		return Go
	}
	p.Monitor(h.on)
	h.set.done()
	return Go
}

type stopper struct{ Base }

func (*stopper) Handle(Self, any) Next { return Stop }

// monitor ends a process that N others monitor.
func monitor(b *Bench, d Driver) error {
	p, ok := d.(Spawner)
	if _, can := d.(Monitorer); !ok || !can {
		return lacks("monitors")
	}
	on := p.Spawn(func() Handler { return &stopper{} })
	set, told := newTally(b.N), newTally(b.N)
	for range b.N {
		p.Send(p.Spawn(func() Handler { return &watcher{on: on, set: set, told: told} }), ping)
	}
	if _, wrong := set.wait(b, "monitors set", b.N); wrong != "" {
		return errors.New(wrong)
	}
	time.Sleep(20 * time.Millisecond) // some are still on their way to being idle
	began := time.Now()
	p.Send(on, ping)
	at, wrong := told.wait(b, "were told", b.N)
	b.Emit(Row{Name: "monitor", Value: each(at.Sub(began), b.N), Failed: wrong})
	return nil
}

// due is when a timer is to be over.
type due struct{ at time.Time }

type alarms struct {
	Base
	wait  []time.Duration
	due   []due
	took  time.Duration // to set them all
	late  []time.Duration
	early int
	done  chan struct{}
}

func (h *alarms) Handle(p Self, m any) Next {
	switch m := m.(type) {
	case *due:
		h.over(time.Since(m.at))
		return Go
	case *howMany:
		m.left <- len(h.wait) - len(h.late)
		return Go
	}
	began := time.Now()
	for i, d := range h.wait {
		h.due[i].at = time.Now().Add(d)
		p.After(d, &h.due[i])
	}
	h.took = time.Since(began)
	return Go
}

func (h *alarms) over(late time.Duration) {
	if late < 0 {
		h.early++
	}
	if h.late = append(h.late, late); len(h.late) == len(h.wait) {
		h.done <- struct{}{}
	}
}

// timer sets N timers of K milliseconds and up to twice that, and waits for
// them all.
func timer(b *Bench, d Driver) error {
	p, ok := d.(Spawner)
	if _, can := d.(Timer); !ok || !can {
		return lacks("timers")
	}
	if x, ok := d.(Boxer); ok {
		x.Box(128)
	}
	h := &alarms{wait: make([]time.Duration, b.N), due: make([]due, b.N), done: make(chan struct{}, 1)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range h.wait {
		h.wait[i] = time.Duration(b.K+r.IntN(b.K)) * time.Millisecond
	}
	pid := p.Spawn(func() Handler { return h })
	p.Send(pid, ping)
	// The timers themselves are over soon: who is late by seconds is lost, and by a
	// few more if there are a million.
	until := b.within(time.Duration(2*b.K)*time.Millisecond + patience + time.Duration(b.N)*5*time.Microsecond)
	if _, ok := take(until, h.done); !ok {
		b.Emit(Row{Name: "timer", Failed: lost(p, []Ref{pid}, b.N, "timers")})
		return nil
	}
	row := Row{Name: "timer", Value: each(h.took, b.N), Detail: map[string]float64{
		"late p99 ms": micros(percentile(h.late, 99)) / 1e3}}
	if h.early > 0 {
		row.Failed = fmt.Sprintf("%d of %d came early", h.early, b.N)
	}
	b.Emit(row)
	return nil
}
