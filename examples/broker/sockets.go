package main

import (
	"context"
	"errors"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// Sockets owns listeners and, below them, the processes of all connections. It knows
// nothing of what they speak; that comes from the applications that need it.
var Sockets = &application.App{
	Name:  "sockets",
	Start: supervisor.StartFunc(supervisor.Spec{Name: string(listeners), Intensity: 5, Period: time.Second}),
}

const listeners = process.Name("listeners")

// openListener starts a listener, which lives until closeListener.
func openListener(ctx context.Context, spec acceptor.Spec) error {
	_, err := supervisor.StartChild(ctx, listeners, supervisor.Child{ID: spec.Name, Start: acceptor.StartFunc(spec)})
	return err
}

// closeListener lets no more clients in, tells the connections to finish, and gives
// them a time for it. One that was never opened is closed.
func closeListener(ctx context.Context, name string, within time.Duration) error {
	if _, err := supervisor.GetChild(ctx, listeners, name); errors.Is(err, supervisor.ErrNotFound) {
		return nil
	}
	return errors.Join(
		acceptor.Drain(ctx, process.Name(name), within),
		supervisor.TerminateChild(ctx, listeners, name),
		supervisor.DeleteChild(ctx, listeners, name),
	)
}
