package work

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// ping is a message that carries nothing: a pointer, so that boxing it costs
// nobody anything.
type pinged struct{ _ int }

var ping any = &pinged{}

type mortal struct {
	Base
	ended *tally
}

func (*mortal) Handle(Self, any) Next { return Stop }
func (h *mortal) Terminate()          { h.ended.done() }

// spawn makes N processes, then stops each by a message.
func spawn(b *Bench, d Driver) error {
	p, ok := d.(Spawner)
	if !ok {
		return lacks("processes")
	}
	ended := newTally(b.N)
	refs := make([]Ref, b.N)
	runtime.GC()
	began := time.Now()
	for i := range refs {
		refs[i] = p.Spawn(func() Handler { return &mortal{ended: ended} })
	}
	spawned := time.Since(began)
	for _, r := range refs {
		p.Send(r, ping)
	}
	at, wrong := ended.wait(b, "ended", b.N)
	b.Emit(Row{Name: "spawn", Value: each(spawned, b.N)})
	b.Emit(Row{Name: "spawn+stop", Value: each(at.Sub(began), b.N), Failed: wrong})
	return nil
}

type idler struct {
	Base
	alive *tally
}

func (h *idler) Handle(Self, any) Next { h.alive.done(); return Go }

// idle measures what a process takes that waits for a message, then sends each
// one, to see that it does.
func idle(b *Bench, d Driver) error {
	p, ok := d.(Spawner)
	if !ok {
		return lacks("processes")
	}
	alive := newTally(b.N)
	refs := make([]Ref, b.N)
	before := live()
	for i := range refs {
		refs[i] = p.Spawn(func() Handler { return &idler{alive: alive} })
	}
	time.Sleep(100 * time.Millisecond) // some are still on their way to being idle
	taken := live() - before
	for _, r := range refs {
		p.Send(r, ping)
	}
	_, wrong := alive.wait(b, "answered", b.N)
	b.Emit(Row{Name: "idle", Value: float64(taken) / float64(b.N), Failed: wrong})
	return nil
}

// live is what is in use after a collection, stacks included.
func live() int64 {
	debug.FreeOSMemory()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// name gives N processes names, from as many goroutines as there are
// processors, then looks K of them up from each.
func name(b *Bench, d Driver) error {
	p, ok := d.(Namer)
	if !ok {
		return lacks("registry")
	}
	procs := runtime.GOMAXPROCS(0)
	names := make([]string, b.N)
	for i := range names {
		names[i] = fmt.Sprint("name", i)
	}
	named := inParallel(procs, func(k int) (missed int) {
		for i := k; i < b.N; i += procs {
			p.SpawnNamed(names[i], func() Handler { return &idler{} })
		}
		return 0
	})
	b.Emit(Row{Name: "name", Value: each(named.took, b.N)})
	looked := inParallel(procs, func(k int) (missed int) {
		x := uint32(k*7919 + 1)
		for range b.K {
			x = x*1664525 + 1013904223
			if !p.Whereis(names[int(x>>8)%b.N]) {
				missed++
			}
		}
		return missed
	})
	r := Row{Name: "lookup", Value: each(looked.took, procs*b.K)}
	if looked.missed > 0 {
		r.Failed = fmt.Sprintf("%d of %d not found", looked.missed, procs*b.K)
	}
	b.Emit(r)
	return nil
}

type parallel struct {
	took   time.Duration
	missed int
}

// inParallel runs f in so many goroutines, and adds up what they miss.
func inParallel(n int, f func(k int) (missed int)) (r parallel) {
	missed := make(chan int, n)
	began := time.Now()
	for k := range n {
		go func() { missed <- f(k) }()
	}
	for range n {
		r.missed += <-missed
	}
	r.took = time.Since(began)
	return r
}
