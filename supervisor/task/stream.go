package task

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Options say how a stream runs its tasks. The zero value is usable.
type Options struct {
	// Limit is how many tasks may run at a time. Zero means one for each thread
	// that runs Go code.
	Limit int
	// Unordered gives results as they come, not in the order of their items.
	// In order, as many as Limit may wait for one before them; then no more
	// tasks are begun.
	Unordered bool
	// Timeout is how long each task may take before it is killed. Its result is
	// an error of kind process.ErrTimeout. Zero means no limit.
	Timeout time.Duration
	// Supervisor starts the tasks, see [Supervisor], and none is linked to the
	// calling process. Nil links all to it: a crash of one is its own.
	Supervisor process.Target
}

// AsyncStream runs f in a task for each item, and is the sequence of the
// results. It begins when it is ranged over, takes no more items than it has
// room for, and can be ranged over again if items can.
//
//	for page, err := range task.AsyncStream(ctx, slices.Values(urls), task.Options{Limit: 8}, fetch) {
//
// A task that fails gives its error, and the stream goes on. When ctx is done
// the stream ends with its cause. Whatever ends it, tasks that still run are
// killed.
func AsyncStream[T, R any](ctx context.Context, items iter.Seq[T], o Options, f func(ctx context.Context, item T) (R, error)) iter.Seq2[R, error] {
	if o.Limit <= 0 {
		o.Limit = runtime.GOMAXPROCS(0)
	}
	pc := process.CallerPC(1)
	return func(yield func(R, error) bool) {
		s := &stream[R]{ctx: ctx, Options: o, pc: pc, ended: make(chan *job[R], 2*o.Limit), yield: yield}
		defer s.close()
		for item := range items {
			s.begin(func(ctx context.Context) (R, error) { return f(ctx, item) })
			for s.ready() || s.full() {
				if !s.next() {
					return
				}
			}
		}
		for len(s.jobs) > 0 && s.next() {
		}
	}
}

// A stream is one run over the items. It belongs to whoever ranges over it.
type stream[R any] struct {
	Options
	ctx     context.Context
	pc      uintptr
	yield   func(R, error) bool
	jobs    []*job[R]    // begun and not yielded, in order: 2*Limit at most
	running int          // of them
	ended   chan *job[R] // has room for all of them
	done    []*job[R]    // in the order in which they ended
}

// A job is a task of a stream, and the keeper that hears of its end.
type job[R any] struct {
	task  *Task[R]
	ended chan<- *job[R]
	timer *time.Timer
	over  bool
	err   error // it could not be begun
}

// Forget implements process.Keeper.
func (j *job[R]) Forget(process.PID) { j.ended <- j }

func (j *job[R]) stopTimer() {
	if j.timer != nil {
		j.timer.Stop()
	}
}

// begin begins one more task.
func (s *stream[R]) begin(f func(context.Context) (R, error)) {
	j := &job[R]{task: &Task[R]{}, ended: s.ended}
	s.jobs = append(s.jobs, j)
	s.running++
	fn := run(j.task, f, process.PID{})
	if s.Supervisor == nil {
		j.err = j.task.start(s.ctx, s.pc, fn)
	} else {
		_, j.err = j.task.under(s.ctx, s.Supervisor, s.pc, fn)
	}
	if j.err != nil {
		s.over(j)
		return
	}
	if _, err := process.Keep(s.ctx, j.task.pid, j); err != nil {
		// It has ended already; or we have, and then so does the stream.
		j.task.kill()
		s.over(j)
		return
	}
	if s.Timeout > 0 {
		j.timer = time.AfterFunc(s.Timeout, func() { j.task.expire(s.ctx, s.Timeout) })
	}
}

// expire ends a task that takes too long.
func (t *Task[R]) expire(ctx context.Context, limit time.Duration) {
	var none R
	t.finish(none, fmt.Errorf("task: not over within %v: %w", limit, process.ErrTimeout), false)
	t.drop(ctx)
}

// drop kills a task that nobody wants any more, without the caller's hearing of
// it.
func (t *Task[R]) drop(ctx context.Context) {
	// It is refused only to a caller that has ended, and then hears nothing.
	_ = t.release(ctx)
	t.kill()
}

// over takes note that a task is.
func (s *stream[R]) over(j *job[R]) {
	j.over = true
	j.stopTimer()
	s.running--
	s.done = append(s.done, j)
}

// full reports whether there is no room for one more.
func (s *stream[R]) full() bool { return s.running >= s.Limit || len(s.jobs) >= 2*s.Limit }

// ready reports whether a result can be yielded without waiting.
func (s *stream[R]) ready() bool {
	for len(s.ended) > 0 {
		s.over(<-s.ended)
	}
	if s.Unordered {
		return len(s.done) > 0
	}
	return len(s.jobs) > 0 && s.jobs[0].over
}

// next yields one result, or waits for the end of one task; false: that is all.
func (s *stream[R]) next() bool {
	if s.ready() {
		j := s.jobs[0]
		if s.Unordered {
			j = s.done[0]
		}
		return s.give(j)
	}
	select {
	case j := <-s.ended:
		s.over(j)
		return true
	case <-s.ctx.Done():
		var none R
		s.yield(none, context.Cause(s.ctx))
		return false
	}
}

// give yields the result of a job and forgets it.
func (s *stream[R]) give(j *job[R]) bool {
	isJ := func(other *job[R]) bool { return other == j }
	s.jobs, s.done = slices.DeleteFunc(s.jobs, isJ), slices.DeleteFunc(s.done, isJ)
	if j.err != nil {
		var none R
		return s.yield(none, j.err)
	}
	return s.yield(j.task.Await(s.ctx))
}

// close ends the tasks that are left, and waits until they are gone.
func (s *stream[R]) close() {
	for _, j := range s.jobs {
		if !j.over {
			j.stopTimer()
			j.task.drop(s.ctx)
		}
	}
	for ; s.running > 0; s.running-- {
		<-s.ended
	}
}
