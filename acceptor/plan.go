package acceptor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor/task"
)

// A DrainPlan takes listeners out of service in the way that load balancers need,
// as an application's PrepStop:
//
//	PrepStop: acceptor.DrainPlan{
//		Listeners: []process.Target{process.Name("web")},
//		Delay:     10 * time.Second,
//		Within:    30 * time.Second,
//	}.Run,
//
// First the listeners are withdrawn: they say that they are not ready (see
// [Ready]), and go on accepting. When Delay is over, and so the load balancers have
// noticed, they are drained, all at once. The application's PrepStopTimeout should
// be longer than both together.
type DrainPlan struct {
	Listeners []process.Target
	// Delay is how long they go on accepting: the interval of the load balancers'
	// checks, times the number of checks that must fail. 0: they do not.
	Delay time.Duration
	// Within is how long the connections have to finish, see [Drain]; 0: 30 s,
	// Infinity: until ctx is done.
	Within time.Duration
}

const defaultWithin = 30 * time.Second

// Run carries the plan out. It returns when no connection is left, and an error
// for each listener that could not be drained, or not in time. If ctx is done
// during the delay, the error is its cause, and nothing is drained.
func (p DrainPlan) Run(ctx context.Context) error {
	if p.Delay < 0 {
		return fmt.Errorf("acceptor: DrainPlan: Delay is %v: use 0 for none", p.Delay)
	}
	faults := make([]error, len(p.Listeners))
	if p.Delay > 0 {
		for i, l := range p.Listeners {
			faults[i] = Withdraw(ctx, l) // it is drained all the same
		}
		if !sleep(ctx, p.Delay) {
			return fmt.Errorf("acceptor: DrainPlan: nothing was drained: %w", context.Cause(ctx))
		}
	}
	drains := make([]*task.Task[struct{}], len(p.Listeners))
	for i, l := range p.Listeners {
		var err error
		drains[i], err = task.Async(ctx, func(ctx context.Context) (none struct{}, err error) {
			return none, Drain(ctx, l, cmp.Or(p.Within, defaultWithin))
		})
		faults[i] = cmp.Or(err, faults[i])
	}
	for i, d := range drains {
		if d != nil {
			_, err := d.Await(ctx)
			faults[i] = cmp.Or(err, faults[i])
		}
		if faults[i] != nil {
			faults[i] = fmt.Errorf("acceptor: drain of %v: %w", p.Listeners[i], faults[i])
		}
	}
	return errors.Join(faults...)
}
