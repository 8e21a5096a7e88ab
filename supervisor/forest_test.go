package supervisor_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// Trees of all shapes are crashed, killed, stopped, added to and deleted from, by
// several at once, while they restart and stop with all the time that takes. A
// ledger, which sees every process come and go, holds that
//
//   - a supervisor stops its children in reverse order, one at a time, and
//     starts none while one is stopping;
//   - nothing is left of a supervisor when it has ended, or, if it was killed,
//     when all is quiet;
//   - a supervisor gives up exactly when it has to restart once more than its
//     intensity within its period;
//   - no name outlives its process.
func TestForest(t *testing.T) {
	seeds := uint64(80)
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			f := &forest{}
			f.ledger.forest = f
			f.node = process.NewNode(process.NodeSpec{Probe: &f.ledger})
			f.ctx = f.node.Context()
			f.live(t, seed)
			if err := f.node.Stop(t.Context()); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			synctest.Wait()
			f.ledger.atRest()
			for _, fault := range f.ledger.faults {
				t.Errorf("seed %d: %s", seed, fault)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// A forest is one such tree.
type forest struct {
	node   *process.Node
	ctx    context.Context
	ledger ledger
	ids    atomic.Int64
	top    process.PID
}

// live lets a tree grow, and several see to it that it has no peace.
func (f *forest) live(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 4))
	spec := f.spec(r, 3)
	spec.Name, spec.Intensity, spec.Strategy = "top", 1<<20, supervisor.OneForOne
	for {
		top, err := supervisor.Start(f.ctx, spec)
		if f.top = top; err == nil {
			break // one that did not start well is tried again, as a supervisor would
		}
	}
	var clients []process.PID
	for i := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 5+i))
		clients = append(clients, must(process.Go(f.ctx, func(ctx context.Context) error {
			for range 30 {
				f.disturb(ctx, r)
				time.Sleep(time.Duration(r.IntN(40)) * time.Millisecond)
			}
			return nil
		})))
	}
	for _, pid := range clients {
		if reason, err := process.Wait(f.ctx, pid); reason != nil || err != nil {
			t.Errorf("seed %d: a client ended with %v (%v)", seed, reason, err)
		}
	}
	time.Sleep(10 * time.Second)
	synctest.Wait()
	f.ledger.atRest()
	if !f.top.Alive() {
		t.Errorf("seed %d: the top has ended", seed)
	}
}

// spec makes a supervisor up, with what hangs below it.
func (f *forest) spec(r *rand.Rand, depth int) supervisor.Spec {
	strategies := []supervisor.Strategy{supervisor.OneForOne, supervisor.OneForAll, supervisor.RestForOne}
	s := supervisor.Spec{
		Strategy:  strategies[r.IntN(len(strategies))],
		Intensity: []int{supervisor.NoRestart, 1, 2, 5}[r.IntN(4)],
		Period:    time.Duration(50+r.IntN(500)) * time.Millisecond,
	}
	for range r.IntN(5) {
		s.Children = append(s.Children, f.child(r, depth))
	}
	return s
}

// child makes a child up. No two of them ever have the same ID.
func (f *forest) child(r *rand.Rand, depth int) supervisor.Child {
	c := supervisor.Child{ID: fmt.Sprint("c", f.ids.Add(1)), Restart: supervisor.Restart(r.IntN(3))}
	var start func(ctx context.Context) (process.PID, error)
	if depth > 0 && r.IntN(3) == 0 {
		spec := f.spec(r, depth-1)
		spec.Name = c.ID
		start = supervisor.StartFunc(spec)
	} else {
		c.Shutdown = time.Duration(1+r.IntN(60)) * time.Millisecond
		k := &timber{f: f, takes: time.Duration(r.IntN(60)) * time.Millisecond, fails: int64(3 + r.IntN(8))}
		start = func(ctx context.Context) (process.PID, error) {
			return process.Start(ctx, process.Spec{Name: c.ID, TrapExit: true, Behaviour: k})
		}
	}
	c.Start = func(ctx context.Context) (process.PID, error) {
		// What was below a killed supervisor may have its name for a while yet; if
		// no time passed, neither would that while.
		time.Sleep(time.Millisecond)
		return start(ctx)
	}
	return c
}

// disturb does one thing to some process of the tree. Whether it is refused does
// not matter here: much of it comes too late.
func (f *forest) disturb(ctx context.Context, r *rand.Rand) {
	sups, all := f.ledger.living(f.top)
	victim, sup := all[r.IntN(len(all))], sups[r.IntN(len(sups))]
	infos, _ := supervisor.WhichChildren(ctx, sup)
	id := "nobody"
	if len(infos) > 0 {
		id = infos[r.IntN(len(infos))].ID
	}
	switch r.IntN(8) {
	case 0:
		if victim != f.top {
			_ = process.Kill(ctx, victim)
		}
	case 1:
		if victim != f.top {
			_ = process.Stop(ctx, victim, errNo)
		}
	case 2, 3:
		_ = process.Send(ctx, victim, end{[]error{nil, errBoom}[r.IntN(2)]})
	case 4:
		_, _ = supervisor.StartChild(ctx, sup, f.child(r, 1))
	case 5:
		_ = supervisor.TerminateChild(ctx, sup, id)
	case 6:
		_ = supervisor.DeleteChild(ctx, sup, id)
	case 7:
		_, _ = supervisor.RestartChild(ctx, sup, id)
	}
}

// A timber is a worker of a forest. Every so many starts it fails.
type timber struct {
	f      *forest
	takes  time.Duration
	fails  int64
	starts atomic.Int64
}

func (k *timber) Init(context.Context) error {
	time.Sleep(k.takes / 4)
	if k.starts.Add(1)%k.fails == 0 {
		return errNo
	}
	return nil
}

func (k *timber) Handle(_ context.Context, msg any) error {
	if e, ok := msg.(end); ok {
		return process.End(e.reason)
	}
	return nil
}

func (k *timber) Terminate(ctx context.Context, why error) error {
	if why == process.ErrShutdown {
		k.f.ledger.stops(process.Self(ctx))
	}
	return taking(k.takes)(ctx, why)
}

// A ledger is a probe that knows who lives, below whom, and what each supervisor
// is doing.
type ledger struct {
	forest *forest
	mu     sync.Mutex
	page   map[process.PID]*page
	faults []string
}

// A page is about one process, and, if it is a supervisor, about its children.
type page struct {
	pid, parent process.PID
	name        string
	gaveUp      bool // it ends because of its intensity
	children    []process.PID
	places      map[string]int // of each child ever, by name
	stopping    process.PID    // the child that it has told to stop
	inOrder     bool           // it is stopping several, all of them by one plan
	last        int            // the place of the latest of them
	restarts    []time.Time
}

func (l *ledger) Wants() process.Kind { return process.Spawned | process.Exited | process.Supervised }

func (l *ledger) Event(e process.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case process.Spawned:
		l.born(e.PID)
	case process.Exited:
		l.died(e.PID, e.Reason)
	case process.Supervised:
		if p := l.page[e.PID]; p != nil {
			l.said(p, e)
		}
	}
}

func (l *ledger) fault(format string, args ...any) {
	if len(l.faults) < 10 {
		l.faults = append(l.faults, fmt.Sprintf(format, args...))
	}
}

// born notes a new process. Those of the clients have no name.
func (l *ledger) born(pid process.PID) {
	if pid.Name() == "" {
		return
	}
	if l.page == nil {
		l.page = map[process.PID]*page{}
	}
	p := &page{pid: pid, parent: pid.Parent(), name: pid.Name(), places: map[string]int{}}
	l.page[pid] = p
	over := l.page[p.parent]
	if over == nil {
		return
	}
	over.children = append(over.children, pid)
	over.inOrder = false
	if _, known := over.places[p.name]; !known {
		over.places[p.name] = len(over.places)
	}
	if !over.stopping.IsZero() {
		l.fault("%v starts %v while %v is stopping", over.pid, pid, over.stopping)
	}
}

// stops notes that a process says goodbye because its supervisor told it to.
func (l *ledger) stops(pid process.PID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopsLocked(l.page[pid])
}

func (l *ledger) stopsLocked(p *page) {
	over := l.page[p.parent]
	if over == nil || !over.pid.Alive() { // the top, or it was killed: then there is no order
		return
	}
	if !over.stopping.IsZero() {
		l.fault("%v stops %v while %v is stopping", over.pid, p.pid, over.stopping)
	}
	place := over.places[p.name]
	if over.inOrder && place >= over.last {
		l.fault("%v stops %v, its child %d, after its child %d", over.pid, p.pid, place, over.last)
	}
	over.stopping, over.last = p.pid, place
}

// died notes an end. By now the name must be free, and, if it was an orderly end,
// the children gone.
func (l *ledger) died(pid process.PID, why error) {
	p := l.page[pid]
	if p == nil {
		return
	}
	delete(l.page, pid)
	if now, ok := process.Whereis(l.forest.ctx, p.name); ok && now == pid {
		l.fault("%v has ended, and has its name still", pid)
	}
	if len(p.children) > 0 && why != process.ErrKilled {
		l.fault("%v has ended with %v, and its children live: %v", pid, why, p.children)
	}
	if p.gaveUp && why != process.ErrShutdown && why != process.ErrKilled {
		l.fault("%v gave up, and ended with %v", pid, why)
	}
	if over := l.page[p.parent]; over != nil {
		over.children = slices.DeleteFunc(over.children, func(c process.PID) bool { return c == pid })
		if over.stopping == pid {
			over.stopping = process.PID{}
		}
	}
}

// said takes note of what a supervisor reports.
func (l *ledger) said(p *page, e process.Event) {
	switch e.Text {
	case supervisor.TextDecided:
		l.decided(p, e)
	case supervisor.TextStopping:
		if e.Reason == process.ErrShutdown && !p.gaveUp {
			l.stopsLocked(p)
		}
		p.inOrder, p.last = true, len(p.places)
	}
}

// decided counts restarts as the manual says, from a list of all of them.
func (l *ledger) decided(p *page, e process.Event) {
	r := e.Detail.(*supervisor.Report)
	if r.Plan.Start.Len() > 0 {
		p.inOrder, p.last = true, len(p.places)
	}
	if r.Kind == supervisor.Exited && !r.Child.Restart.Wants(e.Reason) {
		return
	}
	n := 0
	for _, at := range p.restarts {
		if e.Time.Sub(at) <= r.Period {
			n++
		}
	}
	p.restarts = append(p.restarts, e.Time)
	p.gaveUp = r.Plan.End == supervisor.ErrIntensity
	if p.gaveUp != (n >= r.Intensity) {
		l.fault("%v gives up: %v, after %d restarts within %v, and %d are allowed", p.pid, p.gaveUp, n, r.Period, r.Intensity)
	}
}

// living returns the supervisors of a tree, and all its processes.
func (l *ledger) living(top process.PID) (sups, all []process.PID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for pid := range l.page {
		all = append(all, pid)
		if pid.Is(process.KindSupervisor) {
			sups = append(sups, pid)
		}
	}
	if len(all) == 0 {
		return []process.PID{top}, []process.PID{top}
	}
	return sups, all
}

// atRest looks for who should be gone now that all is quiet.
func (l *ledger) atRest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for pid, p := range l.page {
		if !p.parent.IsZero() && !p.parent.Alive() {
			l.fault("%v lives, though its supervisor %v has ended", pid, p.parent)
		}
		if !p.stopping.IsZero() {
			l.fault("%v has not seen the end of %v", pid, p.stopping)
		}
	}
}
