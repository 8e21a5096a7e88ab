package acceptor

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// Why a listener is not [Ready].
var (
	// ErrWithdrawn says that a listener is about to be drained.
	ErrWithdrawn = errors.New("acceptor: the listener was withdrawn: it is about to be drained")
	// ErrSuspended says that a listener takes no new connections.
	ErrSuspended = errors.New("acceptor: the listener is suspended: it takes no new connections")
)

// Ready returns nil if a listener accepts connections and means to go on doing
// so. Otherwise it says why not: [ErrWithdrawn], [ErrSuspended], or that there is
// no such listener, or none that answers.
func Ready(ctx context.Context, listener process.Target) error {
	t, err := find(ctx, listener)
	if err != nil {
		return err
	}
	name := func(err error) error { return fmt.Errorf("%v: %w", t.sup, err) }
	switch info, err := server.Call(ctx, t.gate, inform{}); {
	case err != nil:
		return name(err)
	case info.Suspended:
		return name(ErrSuspended)
	case info.Withdrawn:
		return name(ErrWithdrawn)
	}
	return nil
}

// Withdraw says that a listener is about to be drained: [Ready] says no from now
// on, so that load balancers send new clients elsewhere. That is all: it still
// accepts those that come. [Resume] takes it back.
func Withdraw(ctx context.Context, listener process.Target) error {
	t, err := find(ctx, listener)
	if err != nil {
		return err
	}
	_, err = server.Call(ctx, t.gate, withdraw{})
	return err
}

type withdraw struct{}

func (withdraw) Handle(_ context.Context, g *gate) (struct{}, error) {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	g.l.withdrawn = true
	return struct{}{}, nil
}
