package work

import (
	"fmt"
	"time"
)

type receiver struct {
	Base
	left int
	done chan struct{}
}

// howMany asks a receiver what it still waits for; it stands behind whatever
// has arrived.
type howMany struct{ left chan int }

func (h *receiver) Handle(_ Self, m any) Next {
	if q, ok := m.(*howMany); ok {
		q.left <- h.left
		return Go
	}
	if h.left--; h.left == 0 {
		h.done <- struct{}{}
	}
	return Go
}

type sender struct {
	Base
	to []Ref
	n  int
}

func (h *sender) Handle(p Self, _ any) Next {
	if len(h.to) == 1 {
		to := h.to[0]
		for range h.n {
			p.Send(to, ping)
		}
		return Go
	}
	j := 0
	for range h.n {
		p.Send(h.to[j], ping)
		if j++; j == len(h.to) {
			j = 0
		}
	}
	return Go
}

// send has so many processes send K messages in all to others, in turn.
func send(row string, from, to int) func(*Bench, Driver) error {
	return func(b *Bench, d Driver) error {
		p, ok := d.(Spawner)
		if !ok {
			return lacks("processes")
		}
		if x, ok := d.(Boxer); ok {
			x.Box(128)
		}
		share := b.K / from / to // of one sender for one receiver
		n := from * to * share
		done := make(chan struct{}, to)
		receivers, senders := make([]Ref, to), make([]Ref, from)
		for i := range receivers {
			receivers[i] = p.Spawn(func() Handler { return &receiver{left: from * share, done: done} })
		}
		for i := range senders {
			senders[i] = p.Spawn(func() Handler { return &sender{to: receivers, n: to * share} })
		}
		began := time.Now()
		for _, s := range senders {
			p.Send(s, ping)
		}
		r := Row{Name: row}
		for range receivers {
			if _, ok := take(b.Until, done); !ok {
				r.Failed = lost(p, receivers, n, "messages")
				break
			}
		}
		r.Value = each(time.Since(began), n)
		b.Emit(r)
		return nil
	}
}

// lost asks receivers that have not got everything how much is missing.
func lost(p Spawner, receivers []Ref, n int, what string) string {
	missing := 0
	for _, r := range receivers {
		q := &howMany{make(chan int, 1)}
		p.Send(r, q)
		select {
		case left := <-q.left:
			missing += left
		case <-time.After(time.Second):
			return fmt.Sprintf("of %d %s, a receiver stands still before the last", n, what)
		}
	}
	return fmt.Sprintf("%d of %d %s lost", missing, n, what)
}

// A ball is what two players send each other: it says who has sent it.
type ball struct{ from Ref }

type player struct {
	Base
	peer  Ref // of the one who serves; nil: the other
	left  int
	stack bool
	mine  *ball
	done  *tally
}

func (h *player) Init(p Self) { h.mine = &ball{from: p.Ref()} }

func (h *player) Handle(p Self, m any) Next {
	if h.stack {
		useStack(7)
	}
	if h.peer == nil {
		p.Send(m.(*ball).from, h.mine)
		return Go
	}
	if h.left--; h.left < 0 {
		h.done.done()
		return Go
	}
	p.Send(h.peer, h.mine)
	return Go
}

// useStack needs more stack than a goroutine is born with.
//
//go:noinline
func useStack(n byte) byte {
	var a [10 << 10]byte
	a[int(n)] = n
	return a[int(n)*3] + a[int(n)]
}

// play has N pairs send each other K balls and back, all at once; if stack, by
// handlers that need 10 kB of it.
func play(row string, stack bool) func(*Bench, Driver) error {
	return func(b *Bench, d Driver) error {
		p, ok := d.(Spawner)
		if !ok {
			return lacks("processes")
		}
		done := newTally(b.N)
		servers := make([]Ref, b.N)
		for i := range servers {
			other := p.Spawn(func() Handler { return &player{stack: stack} })
			servers[i] = p.Spawn(func() Handler { return &player{peer: other, left: b.K, stack: stack, done: done} })
		}
		began := time.Now()
		for _, s := range servers {
			p.Send(s, ping)
		}
		at, wrong := done.wait(b, "pairs finished", b.N)
		b.Emit(Row{Name: row, Value: each(at.Sub(began), 2*b.N*b.K), Failed: wrong})
		return nil
	}
}
