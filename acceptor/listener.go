package acceptor

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// A listener is a tree:
//
//	listener (rest for one)
//	├── connections (one for one)
//	│   ├── connections-1 (dynamic) ── one process for each connection
//	│   └── ...
//	├── gate: who may accept; counts the connections, tells them to finish
//	├── transports (one for one): what Transports need, if they need something
//	├── service: runs a Service's Serve, if the Protocol is one
//	├── porter: has the port opened and closed, when somebody asks for that
//	├── port (one for all): holds the listening socket while it runs
//	│   ├── acceptor-1: takes a connection, starts its process below connections-1
//	│   └── ...
//	└── lookout: waits for what silent peers say next
//
// A UDP listener has no Transport; its socket is a child before the connections,
// because they all write to it, and the acceptors read it.
//
// It stops from below: no more connections are accepted, then those that there
// are end. A listening socket that breaks is opened again, and the connections
// live on. Suspended means that there is no port.
//
// The struct is what the processes of one tree share, so that each of them can
// crash without the others losing what they need: OTP would keep it in an ETS
// table.
type listener struct {
	spec    Spec // as it was at the start; what can be changed is in current and bound
	current atomic.Pointer[settings]

	gate   atomic.Pointer[gateway]
	porter atomic.Pointer[server.Ref[porter]]
	shards []atomic.Pointer[process.PID] // the dynamic supervisors
	hub    *hub                          // nil: the Protocol is no Service
	peers  *peers                        // nil: it is no UDP listener
	post   post                          // of the lookout

	accepted, aborted, starved atomic.Uint64
	refusals                   refusals

	hurried atomic.Bool // the connections are being shut down
	dry     atomic.Bool // descriptors have run out, and no connection was served since

	mu sync.Mutex
	// Guarded by mu.
	top       process.PID // zero until it has started
	conns     map[process.PID]entry
	port      *port // nil: none has been opened yet
	suspended bool
	withdrawn bool // it is about to be drained
	ledger    ledger
	sirens    map[string]*siren    // by the alarm's name
	said      map[string]*line     // by its text
	ends      map[string]uint64    // of connections, by class
	owing     bool                 // the gate knows that there are lines to be written later
	met       map[process.PID]bool // acceptors whose end the gate hears of
	queued    int                  // acceptors that wait for the gate's answer
	awaited   int                  // those who wait for a number of connections

	// How it is bound, guarded by mu.
	bound   *binding
	pending *binding       // waits for resume; nil: there is none
	known   []*binding     // those that may have connections, bound among them
	lodgers []lodger       // Transports that have a child, or are to
	lodged  map[string]int // how many there were, by role
	stale   bool           // some of these are not needed any more
	change  *change        // to be made when the port is opened; nil: there is none
	opening bool           // the supervisor is at it
	carried []*arrival     // accepted, and left to the acceptors to come
}

// An entry is one connection.
type entry struct {
	conn  *Conn
	since time.Time
	drain any // the message that asks it to finish

	counts bool        // in the ledger, as one of those that limits are about
	gate   process.PID // that hears of its end
}

// Start starts a listener, linked to the process that ctx belongs to. It
// returns when the listener accepts connections. If it cannot be bound the
// error is a [*BindError] that says what can be done.
func Start(ctx context.Context, spec Spec) (process.PID, error) {
	l, err := newListener(spec)
	if err != nil {
		return process.PID{}, err
	}
	return l.start(ctx)
}

// StartFunc returns Start in the form that a supervisor's child has. A listener
// that is started again comes back on the address of the one before, also with
// port 0, even if that one was killed and had no time to let go of it. What
// [SetOptions] and [Rebind] have changed stays changed, as in Ranch.
func StartFunc(spec Spec) func(context.Context) (process.PID, error) {
	var last atomic.Pointer[listener]
	return func(ctx context.Context) (process.PID, error) {
		l, err := newListener(spec)
		if err != nil {
			return process.PID{}, err
		}
		if before := last.Swap(l); before != nil {
			l.succeed(before)
		}
		return l.start(ctx)
	}
}

func newListener(spec Spec) (*listener, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	asked := spec
	spec = spec.withDefaults()
	l := &listener{
		spec:   spec,
		shards: make([]atomic.Pointer[process.PID], spec.Acceptors),
		conns:  make(map[process.PID]entry),
		sirens: make(map[string]*siren),
		said:   make(map[string]*line),
		ends:   make(map[string]uint64),
		lodged: make(map[string]int),
	}
	l.post.every = cmp.Or(spec.Silence, defaultSilence)
	l.bind(newBinding(asked))
	l.current.Store(spec.options().settle(nil, time.Now()))
	l.keepTo(l.settings().limits())
	if _, ok := spec.Protocol.(Service); ok {
		l.hub = newHub(l)
	}
	if spec.datagrams() {
		l.peers = newPeers(l)
	}
	return l, nil
}

// bind makes that the binding of a listener that is about to start.
func (l *listener) bind(b *binding) {
	l.bound, l.known, l.lodgers = b, []*binding{b}, nil
	clear(l.lodged)
	l.settleIn(b)
}

func (l *listener) binding() *binding {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bound
}

// succeed takes over from a listener that has ended what was set last: its options,
// and how it is bound, where its address was resolved already.
func (l *listener) succeed(before *listener) {
	before.mu.Lock()
	top, port, bound, pending := before.top, before.port, before.bound, before.pending
	before.mu.Unlock()
	if top.Alive() {
		return // it is started twice, not again
	}
	if port != nil {
		port.close()
	}
	if before.peers != nil {
		before.peers.close()
	}
	b := newBinding(before.spec.with(cmp.Or(pending, bound).asked))
	b.version = cmp.Or(pending, bound).version
	if b.sameAddress(bound) {
		b.at = bound.at
	}
	l.bind(b)
	l.current.Store(before.settings())
	l.keepTo(l.settings().limits())
}

func (l *listener) start(ctx context.Context) (process.PID, error) {
	top, err := supervisor.Start(ctx, supervisor.Spec{
		Name:      l.spec.Name,
		Strategy:  supervisor.RestForOne,
		Intensity: restarts,
		Children:  l.children(),
	})
	l.mu.Lock()
	l.top = top
	l.mu.Unlock()
	return top, err
}

func (l *listener) children() []supervisor.Child {
	if l.peers != nil {
		return []supervisor.Child{
			{ID: "socket", Start: l.peers.open},
			{ID: "connections", Start: supervisor.StartFunc(l.connections())},
			{ID: "gate", Start: server.StartFunc(l.gateSpec())},
			{ID: "porter", Start: server.StartFunc(l.porterSpec())},
			{ID: "port", Start: l.open},
		}
	}
	children := []supervisor.Child{
		{ID: "connections", Start: supervisor.StartFunc(l.connections())},
		{ID: "gate", Start: server.StartFunc(l.gateSpec())},
		{ID: "transports", Start: l.openLodgings},
	}
	if l.hub != nil {
		children = append(children, l.serviceChild())
	}
	children = append(children, supervisor.Child{ID: "porter", Start: server.StartFunc(l.porterSpec())},
		supervisor.Child{ID: "port", Start: l.open})
	if l.hub == nil {
		children = append(children, supervisor.Child{ID: "lookout", Start: server.StartFunc(l.lookoutSpec())})
	}
	return children
}

// restarts is how often a part of the tree may be started again within a supervisor's
// period before it gives up and the one above decides.
const restarts = 10

// connections describes the supervisors of the connections, one for each
// acceptor: to start a process is a call, and they should not queue for it.
func (l *listener) connections() supervisor.Spec {
	spec := supervisor.Spec{Intensity: restarts}
	for i := range l.shards {
		dynamic := supervisor.StartFunc(supervisor.Spec{
			Strategy: supervisor.Dynamic,
			Children: []supervisor.Child{{
				ID:       "connection",
				Start:    supervisor.Template(l.startConnection),
				Restart:  supervisor.Temporary,
				Shutdown: l.spec.Shutdown,
			}},
		})
		spec.Children = append(spec.Children, supervisor.Child{
			ID: fmt.Sprintf("connections-%d", i+1),
			Start: func(ctx context.Context) (process.PID, error) {
				pid, err := dynamic(ctx)
				l.shards[i].Store(&pid)
				return pid, err
			},
		})
	}
	return spec
}

func (l *listener) startConnection(ctx context.Context, in *arrival) (process.PID, error) {
	return l.settings().connect(ctx, l, in)
}

// A gateway is how the gate is reached.
type gateway struct {
	ref server.Ref[gate]
	ctx context.Context // of its process: others may watch for it
}

// Ref makes a listener the target of its gate's messages. The gate is asked for
// anew each time: it may have been restarted.
func (l *listener) Ref(context.Context) (server.Ref[gate], error) {
	if way := l.gate.Load(); way != nil {
		return way.ref, nil
	}
	return server.Ref[gate]{}, process.ErrNoProc
}
