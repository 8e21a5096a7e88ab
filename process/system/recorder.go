package system

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A Probed behaviour has a place for a probe of its own, nil while nobody
// listens, and gives it what it does: [process.Received] for what it is given,
// [process.Replied] with the answer as Msg for what its handlers answer, and
// what else it likes. Text says more, "" for what came by the mailbox. PID is
// filled in by the behaviour, Time here.
//
//	if b.probe != nil {
//		b.probe.Event(process.Event{Kind: process.Received, PID: process.Self(ctx), Msg: msg})
//	}
type Probed interface {
	SystemProbe() *process.Probe
}

// A recorder is the probe that this package puts there. It is used by its
// process only, between or within turns, so it needs no lock.
type recorder struct {
	ctx       context.Context // the process's
	log       *ring
	stats     *Counts
	installed []installed
}

type installed struct {
	id string
	f  func(process.Event) (done bool, err error)
}

func (r *recorder) idle() bool { return r.log == nil && r.stats == nil && len(r.installed) == 0 }

// Wants implements process.Probe.
func (r *recorder) Wants() process.Kind { return ^process.Kind(0) }

// Event implements process.Probe.
func (r *recorder) Event(e process.Event) {
	e.Time = time.Now()
	if r.log != nil {
		r.log.add(e)
	}
	if r.stats != nil {
		r.stats.count(e)
	}
	for _, f := range r.installed {
		done, err := f.call(e)
		if err != nil {
			process.Emit(r.ctx, process.Event{Kind: process.Warned, Level: process.LevelWarn, Reason: err,
				Text: fmt.Sprintf("function %q, installed to see events, has failed and is removed", f.id)})
		}
		if done || err != nil {
			r.remove(f.id)
		}
	}
}

// call runs an installed function. A panic there is no failure of the process.
func (f *installed) call(e process.Event) (done bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			pcs := make([]uintptr, 64)
			err = &process.PanicError{Value: v, Stack: pcs[:runtime.Callers(2, pcs)]}
		}
	}()
	return f.f(e)
}

func (r *recorder) remove(id string) (was bool) {
	n := len(r.installed)
	// A new slice: Event may be ranging over the old one.
	r.installed = slices.DeleteFunc(slices.Clone(r.installed), func(f installed) bool { return f.id == id })
	return len(r.installed) < n
}

// record runs f in a process with its recorder, which is made for that and
// taken away again when it has nothing to do.
func record[R any](ctx context.Context, to process.Target, f func(*recorder) (R, error)) (R, error) {
	return ask(ctx, to, func(ctx context.Context, b process.Behaviour) (none R, err error) {
		p, ok := b.(Probed)
		if !ok {
			return none, fmt.Errorf("system: events of %v: %w", process.Self(ctx), ErrUnsupported)
		}
		place := p.SystemProbe()
		r, _ := (*place).(*recorder)
		if r == nil {
			r = &recorder{ctx: ctx}
		}
		defer func() {
			if *place = r; r.idle() {
				*place = nil
			}
		}()
		return f(r)
	})
}

// set is record for what has no answer but an error.
func set(ctx context.Context, to process.Target, f func(*recorder) error) error {
	_, err := record(ctx, to, func(r *recorder) (struct{}, error) { return struct{}{}, f(r) })
	return err
}

// NoDebug switches off everything that this package has switched on: log,
// statistics, trace and installed functions.
func NoDebug(ctx context.Context, to process.Target) error {
	return set(ctx, to, func(r *recorder) error {
		*r = recorder{}
		return nil
	})
}
