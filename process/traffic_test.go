package process_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/process"
)

// Random signal traffic: several actors at once link, monitor, call, name and
// end the same few processes, which do so among each other as well. However
// that goes, every link and every monitor fires once, every call ends, and no
// name outlives its process.
func TestRandomTraffic(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		victims := rapid.IntRange(2, 8).Draw(rt, "victims")
		plans := rapid.SliceOfN(rapid.SliceOfN(drawMove(victims), 0, 40), 1, 4).Draw(rt, "plans")
		var faults []string
		synctest.Test(t, func(*testing.T) { faults = randomTraffic(victims, plans) })
		for _, f := range faults {
			rt.Error(f)
		}
	})
}

// randomTraffic carries the plans out, each by an actor of its own.
func randomTraffic(victims int, plans [][]move) (faults []string) {
	node := process.NewNode(process.NodeSpec{Probe: quiet{}})
	w := &world{ctx: node.Context(), node: node}
	for i := range victims {
		w.victims = append(w.victims, w.start(process.Spec{Unlinked: true, TrapExit: i%2 == 1,
			Behaviour: &script{}}))
	}
	var done sync.WaitGroup
	witnesses := make([]*witness, len(plans))
	for i, plan := range plans {
		witnesses[i] = w.witness()
		done.Go(func() {
			for _, m := range plan {
				w.play(witnesses[i], m)
			}
		})
	}
	done.Wait() // every call has ended
	for _, v := range w.victims {
		w.note(process.Kill(w.ctx, v))
	}
	synctest.Wait()
	for _, x := range witnesses {
		x.check(w)
	}
	if names := node.Names(); len(names) != 0 {
		w.fault("names %v have outlived their processes", names)
	}
	if err := node.Stop(context.Background()); err != nil {
		w.fault("stop: %v", err)
	}
	return w.faults
}

// A move is one thing that an actor does.
type move struct {
	what string
	a, b int // victims
}

func drawMove(victims int) *rapid.Generator[move] {
	return rapid.Custom(func(rt *rapid.T) move {
		return move{
			what: rapid.SampledFrom([]string{"link", "link", "unlink", "monitor", "monitor", "demonitor", "call", "call to other", "request",
				"link others", "unlink others", "monitor others", "name", "unname", "exit", "normal exit", "crash", "stop", "kill"}).Draw(rt, "what"),
			a: rapid.IntRange(0, victims-1).Draw(rt, "a"),
			b: rapid.IntRange(0, victims-1).Draw(rt, "b"),
		}
	})
}

// world is one run.
type world struct {
	ctx     context.Context
	node    *process.Node
	victims []process.PID
	mu      sync.Mutex
	faults  []string
}

func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// note takes what an operation on a process that may be dead may return.
func (w *world) note(err error) {
	if err != nil && !errors.Is(err, process.ErrNoProc) && !errors.Is(err, process.ErrKilled) && !errors.Is(err, errBoom) &&
		!errors.Is(err, process.ErrNameTaken) && !errors.Is(err, process.ErrHasName) && !errors.Is(err, process.ErrCallingSelf) {
		if exit, ok := errors.AsType[*process.ExitError](err); !ok || exit.Reason != nil {
			w.fault("refused with %v", err)
		}
	}
}

func (w *world) start(spec process.Spec) process.PID {
	pid, err := process.Start(w.ctx, spec)
	if err != nil {
		w.fault("start: %v", err)
	}
	return pid
}

// A witness is an actor's own process. It outlives the victims and counts what
// it is told.
type witness struct {
	script
	w        *world
	pid      process.PID
	ctx      context.Context
	links    map[process.PID]string             // "linked", or "cut" afterwards
	monitors map[process.MonitorRef]process.PID // those that are to fire
	dropped  map[process.MonitorRef]bool        // was it active then?
	exits    map[process.PID]int
	downs    map[process.MonitorRef]int
}

func (w *world) witness() *witness {
	x := &witness{w: w, links: map[process.PID]string{}, monitors: map[process.MonitorRef]process.PID{},
		dropped: map[process.MonitorRef]bool{}, exits: map[process.PID]int{}, downs: map[process.MonitorRef]int{}}
	x.pid = w.start(process.Spec{Unlinked: true, TrapExit: true, Behaviour: x})
	return x
}

func (x *witness) Init(ctx context.Context) error { x.ctx = ctx; return nil }

func (x *witness) Handle(_ context.Context, msg any) error {
	var dead process.PID
	switch m := msg.(type) {
	case *process.ExitSignal:
		x.exits[m.From]++
		dead = m.From
	case *process.Down:
		x.downs[m.Ref]++
		dead = m.PID
	}
	if name := dead.Name(); name != "" { // its last one, which others may have by now
		err := process.Register(x.ctx, name, x.pid)
		if has, ok := errors.AsType[*process.AlreadyStartedError](err); ok && has.PID == dead {
			x.w.fault("%v has ended and is still called %q", dead, name)
		}
		if err == nil {
			x.w.note(process.Unregister(x.ctx, name))
		}
	}
	return nil
}

// play does one move. What an actor does for itself it does in its own name;
// what others do, in theirs.
func (w *world) play(x *witness, m move) {
	a, b := w.victims[m.a], w.victims[m.b]
	switch m.what {
	case "link":
		if x.links[a] == "" {
			w.note(process.Link(x.ctx, a))
			x.links[a] = "linked"
		}
	case "unlink":
		if x.links[a] == "linked" {
			w.note(process.Unlink(x.ctx, a))
			x.links[a] = "cut"
		}
	case "monitor":
		ref, err := process.Monitor(x.ctx, a, nil)
		w.note(err)
		x.monitors[ref] = a
	case "demonitor":
		for ref := range x.monitors {
			x.dropped[ref] = process.Demonitor(x.ctx, ref)
			delete(x.monitors, ref)
			break
		}
	case "call":
		w.note(process.Do(x.ctx, a, &take{}))
	case "request":
		w.note(process.Begin(x.ctx, a, &take{}).Wait(x.ctx))
	case "call to other", "link others", "unlink others", "monitor others":
		w.note(process.Send(x.ctx, a, do(func(ctx context.Context, _ *script) error { w.among(ctx, m.what, b); return nil })))
	case "name":
		w.note(process.Register(x.ctx, fmt.Sprint("name ", m.b), a))
	case "unname":
		w.note(process.Unregister(x.ctx, fmt.Sprint("name ", m.b)))
	default:
		w.note(w.end(x.ctx, m.what, a))
	}
}

// among is what one victim does to another.
func (w *world) among(ctx context.Context, what string, b process.PID) {
	switch what {
	case "call to other": // two may call each other, and one hears of the other's end
		call, cancel := context.WithCancelCause(ctx)
		cancel(errBoom)
		w.note(process.Do(call, b, &take{}))
	case "link others":
		w.note(process.Link(ctx, b))
	case "unlink others":
		w.note(process.Unlink(ctx, b))
	case "monitor others":
		_, err := process.Monitor(ctx, b, nil)
		w.note(err)
	}
}

func (w *world) end(ctx context.Context, how string, a process.PID) error {
	switch how {
	case "exit":
		return process.SendExit(ctx, a, errBoom)
	case "normal exit":
		return process.SendExit(ctx, a, nil)
	case "crash":
		return process.Send(ctx, a, do(func(context.Context, *script) error { panic(errBoom) }))
	case "stop":
		return process.Stop(ctx, a, errBoom)
	}
	return process.Kill(ctx, a)
}

// check compares what a witness was told with what it was due. All victims are
// dead by now.
func (x *witness) check(w *world) {
	for pid, state := range x.links {
		switch n := x.exits[pid]; {
		case state == "linked" && n != 1, n > 1:
			w.fault("%v is %s to %v and got %d exit signals", x.pid, state, pid, n)
		}
	}
	for pid := range x.exits {
		if x.links[pid] == "" {
			w.fault("%v got an exit signal of %v, to which it was never linked", x.pid, pid)
		}
	}
	for ref, pid := range x.monitors {
		if n := x.downs[ref]; n != 1 {
			w.fault("a monitor on %v fired %d times", pid, n)
		}
	}
	for ref, active := range x.dropped {
		if n := x.downs[ref]; active && n != 0 || n > 1 {
			w.fault("a monitor that was taken away (active: %v) fired %d times", active, n)
		}
	}
	if i := x.pid.Info(); len(i.Links) != 0 || len(i.Monitors) != 0 || len(i.MonitoredBy) != 0 {
		w.fault("links and monitors of the dead are left: %+v", i)
	}
}

// quiet is a probe that wants nothing.
type quiet struct{}

func (quiet) Wants() process.Kind { return 0 }
func (quiet) Event(process.Event) {}
