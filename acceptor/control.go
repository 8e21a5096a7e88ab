package acceptor

import (
	"context"
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
// port; an error is a [*BindError] of that, and the listener stays suspended. If
// [Rebind] has changed the binding meanwhile it is that which is tried: if it fails
// the error is a [*RebindError], and the next Resume tries the one before. A
// listener that is not suspended goes on.
func Resume(ctx context.Context, listener process.Target) error {
	t, err := find(ctx, listener)
	if err != nil {
		return err
	}
	if err := t.wake(ctx); err != nil {
		return err
	}
	_, err = server.Call(patient(ctx), t.porter, resume{})
	return err
}

// tree is a listener as its controllers see it.
type tree struct {
	sup     process.PID
	gate    server.Ref[gate]
	porter  server.Ref[porter]
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
		case "porter":
			t.porter, err = server.As[porter](c.PID)
		case "service":
			t.service = c.PID
		case "socket":
			t.packets = true
		}
		if err != nil {
			break
		}
	}
	if err == nil && !t.gate.PID().IsZero() && !t.porter.PID().IsZero() {
		return t, nil
	}
	return t, fmt.Errorf("acceptor: %v is no listener, or one that is just being restarted: use the PID that Start returned, or process.Name of its Spec's Name", t.sup)
}

func (t tree) suspend(ctx context.Context) error {
	_, err := server.Call(patient(ctx), t.porter, suspend{})
	return err
}
