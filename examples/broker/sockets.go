package main

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/supervisor/task"
)

// Sockets owns listeners and, below them, the processes of all connections. It knows
// nothing of what they speak; that comes from the applications that need it.
var Sockets = &application.App{
	Name:  "sockets",
	Start: supervisor.StartFunc(supervisor.Spec{Name: string(listeners), Intensity: 5, Period: time.Second}),
}

const listeners = process.Name("listeners")

// openListener starts a listener, which lives until closeListeners.
func openListener(ctx context.Context, spec acceptor.Spec) (net.Addr, error) {
	pid, err := supervisor.StartChild(ctx, listeners, supervisor.Child{ID: spec.Name, Start: acceptor.StartFunc(spec)})
	if err != nil {
		return nil, err
	}
	return acceptor.Addr(ctx, pid)
}

// closeListeners lets no more clients in, tells the connections to finish, and gives
// them a time for it, all listeners at once. One that was never opened is closed.
func closeListeners(ctx context.Context, within time.Duration, names ...string) error {
	var closing []*task.Task[struct{}]
	for _, name := range names {
		if _, err := supervisor.GetChild(ctx, listeners, name); errors.Is(err, supervisor.ErrNotFound) {
			continue
		}
		t, err := task.Async(ctx, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, errors.Join(
				acceptor.Drain(ctx, process.Name(name), within),
				supervisor.TerminateChild(ctx, listeners, name),
				supervisor.DeleteChild(ctx, listeners, name),
			)
		})
		if err != nil {
			return err
		}
		closing = append(closing, t)
	}
	_, err := task.AwaitAll(ctx, closing...)
	return err
}
