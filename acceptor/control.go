package acceptor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// Info is what can be said of a listener.
type Info struct {
	Name        string
	Network     string
	Addr        net.Addr   // with the port that was chosen for port 0
	Sockets     []net.Addr // of each listening socket; none while suspended
	Suspended   bool
	Connections int
	Max         int    // 0: no limit
	Accepted    uint64 // connections, since the start
	Refused     uint64 // of them, because the listener was full or New did not want them
	Failed      uint64 // of them, because their process did not start
	Aborted     uint64 // connections that went away before they were accepted
	Starved     uint64 // times that Accept found no descriptor or memory

	// Ends counts the connections that have ended, by class:
	//
	//   - normal: the protocol was done, server.Stop(nil); closed: the peer was
	//   - truncated: the peer ended the stream in the middle of a frame
	//   - idle, frame_too_long: the protocol's limits
	//   - peer_reset, timeout: the network, or a peer that did not read
	//   - handshake_failed, handshake_timeout: of the Transport
	//   - injection: bytes in clear ahead of an upgrade, see [Conn.Upgrade]
	//   - proxy_missing, proxy_untrusted, proxy_invalid, proxy_timeout: see
	//     [ProxyError]
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

// Addr returns the address that a listener is bound to, or was before it was
// suspended.
func Addr(ctx context.Context, listener process.Target) (net.Addr, error) {
	info, err := GetInfo(ctx, listener)
	return info.Addr, err
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

// SetMax changes MaxConnections; 0: no limit. Connections above a lower limit
// stay, new ones wait.
func SetMax(ctx context.Context, listener process.Target, n int) error {
	if n < 0 {
		return fmt.Errorf("acceptor: SetMax of %d: use 0 for no limit", n)
	}
	t, err := find(ctx, listener)
	if err != nil {
		return err
	}
	_, err = server.Call(ctx, t.gate, setMax{n})
	return err
}

// Suspend closes the listening socket, so that clients are refused and go
// elsewhere. The connections live on. Once it has returned no further one
// arrives. A listener that is suspended already stays so.
func Suspend(ctx context.Context, listener process.Target) error {
	t, err := find(ctx, listener)
	if err != nil {
		return err
	}
	return t.suspend(ctx)
}

// Resume opens the listening socket of a suspended listener again, on the same
// port; an error is a [*BindError] of that. A listener that is not suspended
// goes on.
func Resume(ctx context.Context, listener process.Target) error {
	t, err := find(ctx, listener)
	if err != nil {
		return err
	}
	if _, err := server.Call(ctx, t.gate, setSuspended{false}); err != nil {
		return err
	}
	_, err = supervisor.RestartChild(ctx, t.sup, "port")
	if errors.Is(err, supervisor.ErrRunning) || errors.Is(err, supervisor.ErrRestarting) {
		return nil
	}
	return err
}

// tree is a listener as its controllers see it.
type tree struct {
	sup  process.PID
	gate server.Ref[gate]
}

// find finds the processes of a listener.
func find(ctx context.Context, listener process.Target) (t tree, err error) {
	if t.sup, err = listener.Resolve(ctx); err != nil {
		return t, err
	}
	children, err := supervisor.WhichChildren(ctx, t.sup)
	if err != nil {
		return t, err
	}
	for _, c := range children {
		if c.ID == "gate" {
			if t.gate, err = server.As[gate](c.PID); err == nil {
				return t, nil
			}
		}
	}
	return t, fmt.Errorf("acceptor: %v is no listener, or one that is just being restarted: use the PID that Start returned, or process.Name of its Spec's Name", t.sup)
}

func (t tree) suspend(ctx context.Context) error {
	if _, err := server.Call(ctx, t.gate, setSuspended{true}); err != nil {
		return err
	}
	return supervisor.TerminateChild(ctx, t.sup, "port")
}

// setSuspended says whether the port may be opened, should something restart
// it.
type setSuspended struct{ on bool }

func (m setSuspended) Handle(_ context.Context, g *gate) (struct{}, error) {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	g.l.suspended = m.on
	if !m.on {
		g.l.hurried.Store(false)
	}
	return struct{}{}, nil
}

type inform struct{}

func (inform) Handle(_ context.Context, g *gate) (Info, error) {
	l := g.l
	l.mu.Lock()
	defer l.mu.Unlock()
	return Info{
		Name: l.spec.Name, Network: l.spec.Network, Addr: l.addr, Sockets: l.boundLocked(), Suspended: l.suspended,
		Connections: g.open, Max: l.max,
		Accepted: l.accepted.Load(), Refused: l.refused.Load(), Failed: l.failed.Load(),
		Aborted: l.aborted.Load(), Starved: l.starved.Load(),
		Ends: l.countedLocked(),
	}, nil
}

type list struct{}

func (list) Handle(_ context.Context, g *gate) ([]Connection, error) { return g.l.list(), nil }

func (l *listener) list() (out []Connection) {
	for pid, e := range l.connected() {
		out = append(out, Connection{PID: pid, Peer: e.conn.RemoteAddr(), Since: e.since})
	}
	return out
}
