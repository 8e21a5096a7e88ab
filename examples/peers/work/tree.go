package work

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"
)

// A forest is N workers below a root, over ten supervisors, over ten each.
type forest struct {
	*Bench
	up, down *tally
	ended    atomic.Int64
	order    []int32 // who ended as which
	stop     func() error
}

type worker struct {
	Base
	i int32
	f *forest
}

func (h *worker) Init(Self) { h.f.up.done() }

func (h *worker) Terminate() {
	if k := h.f.ended.Add(1); int(k) <= len(h.f.order) {
		h.f.order[k-1] = h.i
	}
	h.f.down.done()
}

// start starts the tree and waits until all have started.
func (f *forest) start(d Driver) (took time.Duration, err error) {
	s, ok := d.(Forester)
	if !ok {
		return 0, lacks("supervisors")
	}
	if f.N%100 != 0 {
		return 0, fmt.Errorf("%d workers cannot be shared out evenly to a hundred supervisors", f.N)
	}
	f.up, f.down, f.order = newTally(f.N), newTally(f.N), make([]int32, f.N)
	runtime.GC()
	began := time.Now()
	f.stop = s.StartTree(10, 10, f.N/100, func(i int) Handler { return &worker{i: int32(i), f: f} })
	at, wrong := f.up.wait(f.Bench, "workers started", f.N)
	if wrong != "" {
		return 0, errors.New(wrong)
	}
	return at.Sub(began), nil
}

// end stops the tree, and says how that went.
func (f *forest) end(row string) (r Row, err error) {
	began := time.Now()
	if err := f.stop(); err != nil {
		return r, err
	}
	atReturn := int(f.ended.Load())
	at, wrong := f.down.wait(f.Bench, "workers ended", f.N)
	return Row{Name: row, Value: each(at.Sub(began), f.N), Failed: wrong, Lesser: f.lesser(atReturn)}, nil
}

// lesser says what is missing from a stop in reverse order, awaited.
func (f *forest) lesser(atReturn int) string {
	back := 0
	for k := 1; k < f.N; k++ {
		if f.order[k] < f.order[k-1] {
			back++
		}
	}
	if atReturn < f.N {
		return fmt.Sprintf("only %d of %d had ended when the stop returned", atReturn, f.N)
	}
	if back < f.N-1 {
		return fmt.Sprintf("not in reverse order: %.0f %% of steps were", 100*float64(back)/float64(f.N-1))
	}
	return ""
}

// tree starts and stops a tree of N workers.
func tree(b *Bench, d Driver) error {
	f := &forest{Bench: b}
	took, err := f.start(d)
	if err != nil {
		return err
	}
	b.Emit(Row{Name: "tree start", Value: each(took, b.N)})
	time.Sleep(50 * time.Millisecond) // some are still on their way to being idle
	r, err := f.end("tree stop")
	if err != nil {
		return err
	}
	b.Emit(r)
	return nil
}

// million spawns N processes, and looks at the memory of the whole program.
func million(b *Bench, d Driver) error {
	p, ok := d.(Spawner)
	if !ok {
		return lacks("processes")
	}
	alive := newTally(b.N)
	refs := make([]Ref, b.N)
	before, err := resident()
	if err != nil {
		return err
	}
	for i := range refs {
		refs[i] = p.Spawn(func() Handler { return &idler{alive: alive} })
	}
	time.Sleep(100 * time.Millisecond) // some are still on their way to being idle
	after, err := resident()
	if err != nil {
		return err
	}
	for _, r := range refs {
		p.Send(r, ping)
	}
	_, wrong := alive.wait(b, "answered", b.N)
	b.Emit(Row{Name: "million", Value: float64(after-before) / 1e6, Failed: wrong})
	return nil
}

// millionTree is tree with a look at the memory of the whole program.
func millionTree(b *Bench, d Driver) error {
	before, err := resident()
	if err != nil {
		return err
	}
	f := &forest{Bench: b}
	took, err := f.start(d)
	if err != nil {
		return err
	}
	after, err := resident()
	if err != nil {
		return err
	}
	b.Emit(Row{Name: "million tree", Value: float64(after-before) / 1e6, Detail: map[string]float64{"start s": took.Seconds()}})
	r, err := f.end("million stop")
	if err != nil {
		return err
	}
	r.Value *= float64(b.N) / 1e9
	b.Emit(r)
	return nil
}

// resident is how many bytes of memory the program occupies after a collection.
func resident() (int, error) {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("memory is measured on Linux only: %w", err)
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/self/statm: %q has no second field", text)
	}
	pages, err := strconv.Atoi(string(fields[1]))
	return pages * os.Getpagesize(), err
}
