package application

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// A herald tells the user that the node goes down, before anything does. It
// speaks in a process of its own, so that nobody has to wait for it who has
// something else to do.
type herald struct {
	tell   func(ctx context.Context, cause error)
	caller uintptr

	// Owned by the controller, once the herald speaks.
	pid   process.PID // zero: it does not
	timer *process.Timer
}

// heraldLate tells the controller that a herald takes too long.
type heraldLate struct{}

// announce lets the herald speak; the descent goes on when it has ended.
func (c *controller) announce() {
	h := c.herald
	if h == nil {
		return
	}
	cause := c.down.cause
	ctx := process.WithBirth(c.ctx, process.Birth{ID: "stopping"})
	pid, err := process.GoSpec(ctx, process.Spec{Kind: kindHelper, Caller: h.caller}, func(ctx context.Context) error {
		h.tell(ctx, cause)
		return nil
	})
	if err != nil {
		c.wentWrong(fmt.Errorf("application: Stopping: %w", err))
		return
	}
	h.pid, h.timer = pid, process.After(c.ctx, DefaultTimeout, &heraldLate{})
}

// speaking reports whether the descent has to wait.
func (h *herald) speaking() bool { return h != nil && !h.pid.IsZero() }

// hasSpoken deals with the end of the herald, and reports whether pid is that.
func (c *controller) hasSpoken(pid process.PID, reason error) bool {
	h := c.herald
	if !h.speaking() || pid != h.pid {
		return false
	}
	h.pid = process.PID{}
	if h.timer.Stop() && reason != nil { // else the fault is that it was late
		c.wentWrong(fmt.Errorf("application: Stopping: its process ended: %w", reason))
	}
	c.next()
	return true
}

func (c *controller) heraldLate() {
	if !c.herald.speaking() {
		return
	}
	hung := lookAt([]process.PID{c.herald.pid})[0]
	err := fmt.Errorf("application: Stopping took longer than %v: %v", DefaultTimeout, hung)
	c.wentWrong(err)
	process.Emit(c.ctx, process.Event{Kind: process.Warned, Level: process.LevelError, PID: hung.PID,
		Text: "Options.Stopping took too long; it was killed", Reason: err, Detail: hung})
	// It cannot fail but by our own end.
	_ = process.Kill(c.ctx, hung.PID)
}
