package work

import (
	"fmt"
	"math/rand/v2"
	"time"
)

type crash struct{}

var crashNow any = &crash{}

// A probe is answered by a child that lives.
type probe struct{ c chan struct{} }

// A birth says which child has started, and where it is now.
type birth struct {
	i   int
	ref Ref
}

type child struct {
	Base
	i  int
	up chan birth
}

func (h *child) Init(p Self) {
	select {
	case h.up <- birth{h.i, p.Ref()}:
	default:
		panic("more starts than there were crashes")
	}
}

func (h *child) Handle(_ Self, m any) Next {
	switch m := m.(type) {
	case *crash:
		return Crash
	case *probe:
		m.c <- struct{}{}
	}
	return Go
}

// A nursery is N children below one supervisor.
type nursery struct {
	*Bench
	d    Supervisor
	up   chan birth
	refs []Ref
	stop func() error
	alarm
}

func startNursery(b *Bench, d Driver) (*nursery, error) {
	s, ok := d.(Supervisor)
	if !ok {
		return nil, lacks("supervisors")
	}
	n := &nursery{Bench: b, d: s, up: make(chan birth, b.N+b.K), refs: make([]Ref, b.N)}
	n.stop = s.StartChildren(b.N, func(i int) Handler { return &child{i: i, up: n.up} })
	for k := range b.N {
		if !n.grow() {
			return nil, fmt.Errorf("%d of %d children started", k, b.N)
		}
	}
	return n, nil
}

// grow waits for a child that starts.
func (n *nursery) grow() bool {
	select {
	case c := <-n.up:
		n.refs[c.i] = c.ref
		return true
	case <-n.rings():
		return false
	}
}

// answers reports whether a child answers.
func (n *nursery) answers(i int) bool {
	p := &probe{make(chan struct{}, 1)}
	n.d.Send(n.refs[i], p)
	select {
	case <-p.c:
		return true
	case <-n.rings():
		return false
	}
}

// restart crashes one of N children, waits until the next one answers, and so
// on, K times.
func restart(row string) func(*Bench, Driver) error {
	return func(b *Bench, d Driver) error {
		n, err := startNursery(b, d)
		if err != nil {
			return err
		}
		r := rand.New(rand.NewPCG(1, 2))
		took := make([]time.Duration, 0, b.K)
		for range b.K {
			i := r.IntN(b.N)
			began := time.Now()
			n.d.Send(n.refs[i], crashNow)
			if !n.grow() || !n.answers(i) {
				b.Emit(Row{Name: row, Failed: fmt.Sprintf("crash %d of %d: the child did not come back", len(took)+1, b.K)})
				return nil
			}
			took = append(took, time.Since(began))
		}
		b.Emit(Row{Name: row, Value: micros(percentile(took, 50)), Detail: map[string]float64{"p99": micros(percentile(took, 99))}})
		return n.stop()
	}
}

// burst crashes K of N children at once.
func burst(b *Bench, d Driver) error {
	n, err := startNursery(b, d)
	if err != nil {
		return err
	}
	back := 0
	began := time.Now()
	for i := range b.K {
		n.d.Send(n.refs[i], crashNow)
	}
	for back < b.K && n.grow() {
		back++
	}
	took := time.Since(began)
	for i := 0; i < back && back == b.K; i++ {
		if !n.answers(i) {
			b.Emit(Row{Name: "burst", Failed: "a child that came back does not answer"})
			return nil
		}
	}
	if back < b.K {
		b.Emit(Row{Name: "burst", Failed: fmt.Sprintf("%d of %d children came back", back, b.K)})
		return nil
	}
	b.Emit(Row{Name: "burst", Value: micros(took) / float64(b.K)})
	return n.stop()
}
