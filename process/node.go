package process

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/internal/mailbox"
)

// A NodeSpec describes a [Node]. The zero value is usable.
type NodeSpec struct {
	Name string // shown in reports; "": "node"
	// Grace is how long the goroutine of a process that is dead may sit in a
	// handler before it is abandoned; 0: 100 ms, Infinity: for ever.
	Grace time.Duration
	// CallTimeout is how long a call waits whose ctx has no deadline; 0: 5 s,
	// Infinity: for ever.
	CallTimeout time.Duration
	Probe       Probe           // nil: reports go to standard error, as text
	Values      context.Context // values that every process of the node sees; nil: none
}

// A Node is a world of processes. Any number of them live side by side in one
// program; a process of one is a stranger to those of another.
type Node struct {
	name        string
	grace       time.Duration
	callTimeout time.Duration
	start       time.Time
	stderr      io.Writer
	root        *proc
	mask        atomic.Uint32 // what the probe wants
	from        atomic.Uint32 // the Level from which on it wants that
	probe       atomic.Pointer[Probe]
	names       names
	table       table
	waiters     waiterPools
	deadlines   deadlines
	chunks      mailbox.Pool[envelope]
	stop        sync.Mutex

	// Written at every spawn, so it has a cache line of its own: the rest is
	// read at every message.
	_   [64]byte
	ids atomic.Uint64
	_   [56]byte
}

// NewNode makes a node. It runs nothing until something is started on it.
func NewNode(spec NodeSpec) *Node {
	n := &Node{name: cmp.Or(spec.Name, "node"), grace: cmp.Or(spec.Grace, 100*time.Millisecond),
		callTimeout: cmp.Or(spec.CallTimeout, 5*time.Second), start: time.Now(), stderr: os.Stderr}
	n.deadlines.node = n
	n.deadlines.next.Store(never)
	n.root = &proc{node: n, b: root{}, origin: &origin{shared: shared{kind: "root", values: spec.Values, grace: Infinity}}}
	n.root.trap, n.root.inited = true, true
	n.root.liveFn = n.root.live
	n.SetProbe(spec.Probe)
	return n
}

// root is what hangs above everything that was started with a node's own ctx.
// It takes no messages; the ends of its children are theirs to report.
type root struct{ noCallbacks }

// Name returns the node's name.
func (n *Node) Name() string { return n.name }

// Context returns the ctx that acts for the node itself: what is started with
// it hangs below the node's root. It is done when the node has stopped.
func (n *Node) Context() context.Context { return n.root }

// since is the node's clock.
func (n *Node) since() time.Duration { return time.Since(n.start) }

// Processes returns the living processes, oldest first.
func (n *Node) Processes() []PID {
	return n.list(func(p *proc) bool { return p.state != dead && !p.doomed() })
}

// Abandoned returns the dead processes whose goroutine still runs.
func (n *Node) Abandoned() []PID {
	return n.list(func(p *proc) bool { return p.state == dead && p.x != nil && p.x.abandoned })
}

// Process returns the process with that number, for tools that know no more of
// it; false if there is none, or only its goroutine is left.
func (n *Node) Process(id uint64) (PID, bool) {
	p := n.table.find(id)
	if p == nil || p.ending() {
		return PID{}, false
	}
	return PID{p}, true
}

func (n *Node) list(want func(*proc) bool) []PID {
	var out []PID
	for _, p := range n.table.all() {
		p.mu.Lock()
		ok := want(p)
		p.mu.Unlock()
		if ok {
			out = append(out, PID{p})
		}
	}
	slices.SortFunc(out, func(a, b PID) int { return cmp.Compare(a.p.id, b.p.id) })
	return out
}

// shutdown is how long a worker right below the root has to obey.
const shutdown = 5 * time.Second

// Stop ends the node: what hangs below its root is told to shut down, youngest
// first and one after the other (5 s each, supervisors without limit), then
// what is linked to nobody. When ctx is done the rest is killed. The error
// names what was killed or abandoned. A node that is stopped stays so.
func (n *Node) Stop(ctx context.Context) error {
	n.stop.Lock()
	defer n.stop.Unlock()
	if n.root.fenced() {
		return nil
	}
	var late []string
	for p := n.youngest(); p != nil; p = n.youngest() {
		if !n.stopOne(ctx, p) {
			late = append(late, PID{p}.String())
		}
	}
	for strays := n.strays(); len(strays) > 0; strays = n.strays() { // they may start others
		for _, pid := range strays {
			n.endStray(ctx, pid.p)
		}
	}
	n.root.doomRoot()
	n.deadlines.stop()
	for _, pid := range n.Abandoned() {
		late = append(late, pid.String()+" (abandoned, its goroutine still runs)")
	}
	if late != nil {
		return fmt.Errorf("process: node %s: did not stop in time: %s", n.name, strings.Join(late, ", "))
	}
	return nil
}

func (n *Node) youngest() *proc {
	n.root.mu.Lock()
	defer n.root.mu.Unlock()
	x := n.root.x
	if x == nil {
		return nil
	}
	var p *proc
	if x.eldest != nil {
		p = x.eldest.siblings.prev
	}
	for _, q := range x.links.All() { // others that somebody linked to the root
		if p == nil || q.id > p.id {
			p = q
		}
	}
	return p
}

// stopOne shuts one process down and reports whether it obeyed.
func (n *Node) stopOne(ctx context.Context, p *proc) bool {
	// The root is never fenced here, so the signal cannot be refused.
	_ = p.exitSignal(n.root, ErrShutdown)
	limit := shutdown
	if p.origin.kind == KindSupervisor {
		limit = Infinity
	}
	if _, err := WaitFor(below(ctx, n.root), PID{p}, limit); err == nil {
		return true
	}
	p.doom(ErrKilled)
	p.awaitDeath()
	return false
}

// strays are the processes that are left, those on their way out included.
func (n *Node) strays() []PID {
	return n.list(func(p *proc) bool { return p.state != dead })
}

// endStray ends a process that hangs below nothing any more. One that is on its
// way out because its parent has ended may finish; the others were linked to
// nobody, and nobody can tell them to stop.
func (n *Node) endStray(ctx context.Context, p *proc) {
	p.mu.Lock()
	told := p.told
	p.mu.Unlock()
	if told {
		if _, err := WaitFor(below(ctx, n.root), PID{p}, shutdown); err == nil {
			return
		}
	}
	p.doom(ErrKilled)
	p.awaitDeath()
}

// below gives a ctx of the caller's the root to act for.
func below(ctx context.Context, root *proc) context.Context { return &actingCtx{ctx, root} }

type actingCtx struct {
	context.Context
	p *proc
}

func (c *actingCtx) Value(key any) any {
	if _, ok := key.(selfKey); ok {
		return c.p
	}
	return c.Context.Value(key)
}

// doomRoot is the end of the node's own ctx.
func (p *proc) doomRoot() {
	p.mark(markFenced)
	p.mu.Lock()
	p.waits.resolve(callerSide, cancelled, true)
	p.reason, p.told = ErrNodeStopped, true
	var after aftermath
	p.cancel(&after)
	p.mu.Unlock()
	after.now()
}

// Acting returns ctx with the identity of as: deadline, cancellation and values
// are ctx's, but what is done with it is done by the process or node of as. It
// is how a request that comes from outside, with a ctx of its own, acts in the
// name of the process that serves it.
func Acting(ctx, as context.Context) (context.Context, error) {
	p, err := actor(as)
	if err != nil {
		return nil, err
	}
	return below(ctx, p), nil
}

// KindSupervisor is the Kind of supervisors: what stops a process waits for one
// of these without limit, as OTP does.
const KindSupervisor = "supervisor"
