package acceptor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// Drain ends a listener's connections in an orderly way, for an application's
// PrepStop: it suspends the listener, tells every connection to finish (see
// [Protocol.Drain]) and waits until all have. Those that have not when within
// is over are shut down, as they are when the listener stops, and the error is
// a [*DrainError] that names them.
//
// The listener stays suspended; [Resume] takes it back to work.
func Drain(ctx context.Context, listener process.Target, within time.Duration) error {
	t, err := find(ctx, listener)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := t.suspend(ctx); err != nil {
		return err
	}
	if err := t.rest(ctx); err != nil {
		return err
	}
	_, err = server.Call(process.WithCallTimeout(ctx, within), t.gate, finish{})
	if err == nil || !errors.Is(err, process.ErrTimeout) && ctx.Err() == nil {
		return err
	}
	return t.evict(context.WithoutCancel(ctx), time.Since(begin))
}

// evict shuts down the connections that are left.
func (t tree) evict(ctx context.Context, after time.Duration) error {
	left, err := server.Call(ctx, t.gate, hasten{})
	if err != nil || len(left) == 0 {
		return err
	}
	late := &DrainError{After: after}
	for _, c := range left {
		late.Left = append(late.Left, Late{Connection: c, Doing: doing(c.PID)})
	}
	slices.SortFunc(late.Left, func(a, b Late) int { return cmp.Compare(a.PID.ID(), b.PID.ID()) })
	// All together under one timer, as when the listener stops.
	if err := supervisor.TerminateChild(ctx, t.sup, "connections"); err != nil {
		return errors.Join(late, err)
	}
	if _, err := supervisor.RestartChild(ctx, t.sup, "connections"); err != nil {
		return errors.Join(late, err)
	}
	return late
}

// A DrainError says which connections had not finished in time, and so were
// shut down.
type DrainError struct {
	After time.Duration
	Left  []Late // oldest first
}

// Late is a connection that had not finished.
type Late struct {
	Connection
	Doing string // what it was doing then
}

// doing says what a process is doing, as far as one can see from outside.
func doing(pid process.PID) string {
	info := pid.Info()
	if info.Mailbox > 0 {
		return fmt.Sprintf("%s, with %d messages waiting", info.Status, info.Mailbox)
	}
	return info.Status
}

const mostNamed = 5 // in one line

func (e *DrainError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "acceptor: %d connections had not finished after %v and were shut down: ", len(e.Left), e.After.Round(time.Millisecond))
	for i, l := range e.Left {
		if i == mostNamed {
			fmt.Fprintf(&b, " and %d more", len(e.Left)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%v from %v (%s)", l.PID, l.Peer, l.Doing)
	}
	return b.String()
}
