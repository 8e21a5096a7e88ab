package acceptor

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// Info is what can be said of a listener. Its counts are those of one moment,
// and begin with the listener: Accepted is Refused,
// Connections and all Ends together, but for those whose process is just being
// started.
type Info struct {
	PID         process.PID
	Name        string
	Network     string
	Addr        net.Addr   // with the port that was chosen for port 0
	Sockets     []net.Addr // of each listening socket; none while suspended
	Suspended   bool
	Withdrawn   bool // it is about to be drained, see Withdraw
	Pending     bool // Resume is to bind it anew, see Rebind; Network, Addr and Acceptors are those of before
	Connections int  // all that there are
	Uncounted   int  // of them, those that do not count (see Conn.Uncount)
	Max, Soft   int  // MaxConnections, SoftConnections
	Acceptors   int
	Waiting     int      // acceptors that wait for room, and so leave connections in the queue
	Alarms      []string // names of those that are set

	Accepted uint64             // connections, since the start
	Refused  uint64             // of them, those that were not served
	Refusals map[Refusal]uint64 // the same by reason; what never happened is left out
	Aborted  uint64             // connections that went away before they were accepted
	Starved  uint64             // times that Accept found no descriptor or memory
	Dropped  uint64             // datagrams of peers that were served, see Protocol.Queue and MaxFrame

	// Ends counts the connections that have ended, by class:
	//
	//   - normal: the protocol was done, server.Stop(nil); closed: the peer was
	//   - truncated: the peer ended the stream in the middle of a frame
	//   - idle, frame_too_long: the protocol's limits
	//   - peer_reset, unreachable, timeout: the network, or a peer that did not read
	//   - handshake_failed, handshake_timeout: of the Transport
	//   - injection: bytes in clear ahead of an upgrade, see [Conn.Upgrade]
	//   - proxy_missing, proxy_untrusted, proxy_invalid, proxy_timeout: see
	//     [ProxyError]
	//   - denied: by Access, whose rules are asked only when a proxy has told whom
	//     it passes on
	//   - stopped: the listener was; killed; crashed: any reason that is not clean
	//   - shutdown: another reason in a process.Shutdown
	//
	// An error in the reason with a method ClassName() string gives its own
	// name instead, as those of tlsconn do. Give it one of a few.
	Ends map[string]uint64
}

// GetInfo returns what can be said of a listener now.
func GetInfo(ctx context.Context, listener process.Target) (Info, error) {
	t, err := find(ctx, listener)
	if err != nil {
		return Info{}, err
	}
	return server.Call(ctx, t.gate, inform{})
}

type inform struct{}

func (inform) Handle(_ context.Context, g *gate) (Info, error) {
	l, o := g.l, g.l.settings()
	l.mu.Lock()
	defer l.mu.Unlock()
	i := Info{
		PID: l.top, Name: l.spec.Name, Network: l.bound.Network, Addr: l.bound.at, Sockets: l.boundLocked(), Suspended: l.suspended, Withdrawn: l.withdrawn, Pending: l.pending != nil,
		Connections: l.ledger.all(), Uncounted: l.ledger.uncounted, Max: o.MaxConnections, Soft: o.SoftConnections,
		Acceptors: l.bound.Acceptors, Waiting: len(g.waiting),
		Accepted: l.accepted.Load(), Aborted: l.aborted.Load(), Starved: l.starved.Load(),
		Ends: l.countedLocked(),
	}
	i.Refusals, i.Refused = l.refusals.counts()
	if l.peers != nil {
		i.Dropped = l.peers.dropped.Load()
	}
	for name, s := range l.sirens {
		if s.set {
			i.Alarms = append(i.Alarms, name)
		}
	}
	slices.Sort(i.Alarms)
	return i, nil
}

// A Connection is one line of [Connections].
type Connection struct {
	PID   process.PID
	Peer  net.Addr
	Since time.Time
}

// Connections lists the connections of a listener, in no order.
func Connections(ctx context.Context, listener process.Target) ([]Connection, error) {
	t, err := find(ctx, listener)
	if err != nil {
		return nil, err
	}
	return server.Call(ctx, t.gate, list{})
}

type list struct{}

func (list) Handle(_ context.Context, g *gate) ([]Connection, error) { return g.l.list(), nil }

func (l *listener) list() (out []Connection) {
	for pid, e := range l.connected() {
		out = append(out, Connection{PID: pid, Peer: e.conn.RemoteAddr(), Since: e.since})
	}
	return out
}

// Processes are those of a listener, in no order.
type Processes struct {
	Acceptors   []process.PID // none, while it is suspended
	Connections []process.PID
}

// Procs lists the processes of a listener: those that accept, and those of its
// connections.
func Procs(ctx context.Context, listener process.Target) (p Processes, err error) {
	t, err := find(ctx, listener)
	if err != nil {
		return p, err
	}
	port, err := supervisor.WhichChild(ctx, t.sup, "port")
	if err != nil {
		return p, err
	}
	if port.PID != (process.PID{}) {
		acceptors, err := supervisor.WhichChildren(ctx, port.PID)
		if err != nil {
			return p, err
		}
		for _, c := range acceptors {
			p.Acceptors = append(p.Acceptors, c.PID)
		}
	}
	conns, err := server.Call(ctx, t.gate, list{})
	for _, c := range conns {
		p.Connections = append(p.Connections, c.PID)
	}
	return p, err
}
