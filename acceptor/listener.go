package acceptor

import (
	"context"
	"fmt"
	"maps"
	"net"
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
//	├── transport, upgrade: what these Transports need, if they need something
//	└── port (one for all): holds the listening socket while it runs
//	    ├── acceptor-1: takes a connection, starts its process below connections-1
//	    └── ...
//
// It stops from below: no more connections are accepted, then those that there
// are end. A listening socket that breaks is opened again, and the connections
// live on. Suspended means that there is no port.
//
// The struct is what the processes of one tree share, so that each of them can
// crash without the others losing what they need: OTP would keep it in an ETS
// table.
type listener struct {
	spec    Spec
	connect func(context.Context, *listener, *arrival) (process.PID, error) // Protocol's

	gate   atomic.Pointer[server.Ref[gate]]
	shards []atomic.Pointer[process.PID] // the dynamic supervisors

	accepted, refused, aborted, failed, starved atomic.Uint64

	hurried atomic.Bool // the connections are being shut down
	dry     atomic.Bool // descriptors have run out, as was said, and no Accept has succeeded since

	mu sync.Mutex
	// Guarded by mu.
	top       process.PID // zero until it has started
	conns     map[process.PID]entry
	addr      net.Addr // where it was bound first: an Address with port 0 keeps its port
	port      *port    // nil: none has been opened yet
	suspended bool
	max       int
	said      map[string]*throttle // by what was said
	ends      map[string]uint64    // of connections, by class
}

// An entry is one connection.
type entry struct {
	conn  *Conn
	since time.Time
	drain any // the message that asks it to finish
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
// port 0, even if that one was killed and had no time to let go of it.
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
	spec = spec.withDefaults()
	return &listener{
		spec:    spec,
		connect: spec.Protocol.starter(),
		shards:  make([]atomic.Pointer[process.PID], spec.Acceptors),
		conns:   make(map[process.PID]entry),
		max:     spec.MaxConnections,
		said:    make(map[string]*throttle),
		ends:    make(map[string]uint64),
	}, nil
}

// succeed takes over the address of a listener that has ended.
func (l *listener) succeed(before *listener) {
	before.mu.Lock()
	top, port, addr := before.top, before.port, before.addr
	before.mu.Unlock()
	if top.Alive() {
		return // it is started twice, not again
	}
	if port != nil {
		port.close()
	}
	l.addr = addr
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
	children := []supervisor.Child{
		{ID: "connections", Start: supervisor.StartFunc(l.connections())},
		{ID: "gate", Start: server.StartFunc(l.gateSpec())},
	}
	if t := l.spec.Transport; t != nil {
		children = append(children, supervisor.Child{ID: "transport", Start: t.Start})
	}
	if t := l.spec.Upgrade; t != nil {
		children = append(children, supervisor.Child{ID: "upgrade", Start: t.Start})
	}
	return append(children, supervisor.Child{ID: "port", Start: l.open})
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
	return l.connect(ctx, l, in)
}

// Ref makes a listener the target of its gate's messages. The gate is asked for
// anew each time: it may have been restarted.
func (l *listener) Ref(context.Context) (server.Ref[gate], error) {
	if ref := l.gate.Load(); ref != nil {
		return *ref, nil
	}
	return server.Ref[gate]{}, process.ErrNoProc
}

// opened enters a connection, on behalf of its process.
func (l *listener) opened(ctx context.Context, by process.PID, e entry) error {
	self := process.Self(ctx)
	l.mu.Lock()
	l.conns[self] = e
	l.mu.Unlock()
	return server.Cast(ctx, l, arrived{pid: self, by: by})
}

// closed forgets a connection, and returns what was known of it.
func (l *listener) closed(pid process.PID) entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.conns[pid]
	delete(l.conns, pid)
	return e
}

// hurry is called right before the connections are shut down.
func (l *listener) hurry() {
	l.hurried.Store(true)
	for _, e := range l.connected() {
		e.conn.hurry()
	}
}

// connected returns the connections as they are now.
func (l *listener) connected() map[process.PID]entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.conns)
}
