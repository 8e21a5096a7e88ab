package application

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
)

// An instance is one run of an application on a node, from the moment that its
// start is begun until it has ended.
type instance struct {
	app *App
	typ Type
	*place
	caller uintptr // of the code that asked for it
	born   time.Time

	mu sync.Mutex
	// Guarded by mu. The application's own process writes, reports read.
	at      phase
	detail  string // the start phase it is in
	since   time.Time
	master  process.PID // its process; zero: a library. The controller writes
	top     process.PID
	failure error   // why the start failed
	reason  error   // with which the top ended by itself
	faults  []error // what went wrong while stopping
	cancel  context.CancelCauseFunc
	told    error // why the start should give up, nil: it should not

	// Owned by the controller.
	asked    bool // its stop was asked for
	cleaning bool // its process was killed, another one clears up
	starters []*startRequest
	stoppers []*stopRequest
	timer    *process.Timer // of its start
}

// place is what an application has on a node from load to unload, whether it
// runs or not.
type place struct {
	node  *process.Node
	env   *environment
	group *process.Group
	last  atomic.Pointer[instance] // the one that runs, or ran last

	permission // written by the controller with its mu held
}

// enter notes that the next phase has begun.
func (i *instance) enter(ctx context.Context, p phase, detail string) {
	i.mu.Lock()
	i.at, i.detail, i.since = p, detail, time.Now()
	i.mu.Unlock()
	i.group.SetStopping(i.node, p.stopping())
	r := &Report{What: PhaseBegan, App: i.app, Type: i.typ, Phase: phaseName(p, detail)}
	r.emit(ctx, process.Self(ctx))
}

func (i *instance) age() time.Duration { return time.Since(i.born).Round(time.Millisecond) }

// where returns the phase and since when.
func (i *instance) where() (p phase, detail string, since time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.at, i.detail, i.since
}

func (i *instance) phase() phase {
	p, _, _ := i.where()
	return p
}

func phaseName(p phase, detail string) string {
	if detail != "" {
		return p.String() + ", phase " + detail
	}
	return p.String()
}

// begin returns the ctx of Start, which giveUp cancels.
func (i *instance) begin(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cancel = cancel
	if i.told != nil {
		cancel(i.told)
	}
	return ctx, cancel
}

// giveUp asks a start that is under way to come to an end.
func (i *instance) giveUp(why error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.told = why
	if i.cancel != nil {
		i.cancel(why)
	}
}

// fault notes something that went wrong while stopping; the stop goes on.
func (i *instance) fault(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.faults = append(i.faults, err)
}

// isCallback reports whether pid runs a callback of this application: its own
// process does, and those that it starts for the purpose.
func (i *instance) isCallback(pid process.PID) bool {
	master := i.pid()
	return !pid.IsZero() && !master.IsZero() && (pid == master || pid.Is(kindHelper) && pid.Parent() == master)
}

func (i *instance) pid() (pid process.PID) {
	i.set(func() { pid = i.master })
	return pid
}

// set runs f with the lock.
func (i *instance) set(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f()
}
