package acceptor

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// Addr returns the address that a listener is bound to, or was before it was
// suspended.
func Addr(ctx context.Context, listener process.Target) (net.Addr, error) {
	info, err := GetInfo(ctx, listener)
	return info.Addr, err
}

// Suspend closes the listening socket, so that clients are refused and go
// elsewhere. The connections live on. Once it has returned no further one
// arrives. A listener that is suspended already stays so. That of a UDP listener
// stays open for the peers that there are; datagrams of others are refused.
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
	if err := t.wake(ctx); err != nil {
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
	sup     process.PID
	gate    server.Ref[gate]
	service process.PID // zero: the Protocol is no Service, or it is just being restarted
	packets bool        // of a UDP listener
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
		switch c.ID {
		case "gate":
			t.gate, err = server.As[gate](c.PID)
		case "service":
			t.service = c.PID
		case "socket":
			t.packets = true
		}
	}
	if err == nil && !t.gate.PID().IsZero() {
		return t, nil
	}
	return t, fmt.Errorf("acceptor: %v is no listener, or one that is just being restarted: use the PID that Start returned, or process.Name of its Spec's Name", t.sup)
}

func (t tree) suspend(ctx context.Context) error {
	if _, err := server.Call(ctx, t.gate, setSuspended{true}); err != nil {
		return err
	}
	if t.packets {
		return nil // the peers that there are need the socket
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
		g.l.withdrawn = false
		g.l.hurried.Store(false)
	}
	return struct{}{}, nil
}
