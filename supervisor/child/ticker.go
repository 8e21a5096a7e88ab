package child

import (
	"context"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Ticker makes a supervisor.Child's Start of a function that is called every d,
// for the first time after d. An error ends the child, with that reason, and the
// supervisor decides. A call that takes longer than d delays the next one, and
// the ticks it missed are left out, as with a time.Ticker.
//
// Between the ticks the child holds no goroutine. When it is told to stop, the
// call in hand sees it in its ctx.
func Ticker(d time.Duration, tick func(ctx context.Context) error) func(context.Context) (process.PID, error) {
	pc := process.CallerPC(1)
	return func(ctx context.Context) (process.PID, error) {
		if d <= 0 || tick == nil {
			return process.PID{}, fmt.Errorf("child: Ticker of %v: give it a time above zero and a function", d)
		}
		return process.Start(ctx, process.Spec{TrapExit: true, Kind: "ticker", Caller: pc, Behaviour: &ticker{every: d, tick: tick}})
	}
}

type ticker struct {
	every time.Duration
	tick  func(context.Context) error
	next  time.Time
}

// due is the message of the timer.
type due struct{}

func (t *ticker) Init(ctx context.Context) error {
	t.next = time.Now()
	t.arm(ctx)
	return nil
}

// arm sets the timer for the first tick that is still to come.
func (t *ticker) arm(ctx context.Context) {
	missed := max(0, time.Since(t.next)) / t.every
	t.next = t.next.Add((missed + 1) * t.every)
	process.After(ctx, time.Until(t.next), due{})
}

func (t *ticker) Handle(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case due:
		if err := t.tick(ctx); err != nil {
			return err
		}
		t.arm(ctx)
	case *process.ExitSignal: // of something that tick has started
		return m.Reason
	}
	return nil
}

func (t *ticker) Terminate(context.Context, error) error { return nil }
