package application

import (
	"context"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Stopping hears why, before anything is stopped but what has ended by itself
// (APP-38).
func TestStoppingHearsTheCause(t *testing.T) {
	inRun(t, func(r *runKit) {
		r.options.Stopping = func(ctx context.Context, cause error) {
			r.log("stopping(%v)", cause)
			r.is(Stop(ctx, r.app("other")), ErrNotStarted, "")
			r.is(Start(ctx, r.app("other"), Temporary), ErrNodeDown, "")
		}
		a := r.app("a")
		r.run(r.Context(), r.app("b", a))
		r.ok(process.Send(r.ctx, r.pid("b_top"), errBoom))
		r.ending(AppEnded, "b, which is permanent, has ended: boom")
		r.want("", `a.start b.start ready b_top.down(boom) b.prep_stop b.stop b:exited(boom,permanent) b:node goes down
			stopping(application: b, which is permanent, has ended: boom)
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,permanent)+down`)
	})
}

func TestStoppingThatFails(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		stopping   func(context.Context, error)
	}{
		{"hangs", "unclean stop: application: Stopping took longer than 30s: <", func(ctx context.Context, _ error) { <-ctx.Done() }},
		{"panics", "unclean stop: application: Stopping: its process ended: panic: oops", func(context.Context, error) { panic("oops") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inRun(t, func(r *runKit) {
				r.options.Stopping = tt.stopping
				r.run(r.Context(), r.app("a"))
				r.signals <- syscall.SIGTERM
				r.ending(UncleanStop, tt.want)
				r.want("the stop goes on", "a.start ready a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,permanent)+down")
				if len(r.crashes) == 0 {
					t.Error("nothing was reported")
				}
			})
		})
	}
}

// A second signal does not wait for it.
func TestStoppingIsCutShort(t *testing.T) {
	inRun(t, func(r *runKit) {
		r.options.Stopping = func(ctx context.Context, _ error) { <-ctx.Done() }
		r.run(r.Context(), r.app("a"))
		r.signals <- syscall.SIGTERM
		synctest.Wait()
		begun := time.Now()
		r.signals <- syscall.SIGTERM
		r.ending(Forced, "a second signal")
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// Something is starting when the node goes down: it may come up meanwhile, and
// is stopped with the rest.
func TestStoppingDuringStart(t *testing.T) {
	inRun(t, func(r *runKit) {
		r.options.Stopping = func(context.Context, error) { r.log("stopping"); time.Sleep(2 * time.Second) }
		a := r.app("a")
		start := a.Start
		a.Start = func(ctx context.Context) (process.PID, error) { time.Sleep(time.Second); return start(ctx) }
		r.run(r.Context(), a)
		r.signals <- syscall.SIGTERM
		r.clean()
		r.want("", "stopping a.start a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,permanent)+down")
	})
}
