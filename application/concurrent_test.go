package application

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

// slow makes an application whose start takes a while.
func (k *kit) slow(name string, d time.Duration, needs ...*App) *App {
	app := k.app(name, needs...)
	start := app.Start
	app.Start = func(ctx context.Context) (process.PID, error) {
		time.Sleep(d)
		return start(ctx)
	}
	return app
}

func TestConcurrentStart(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.slow("a", time.Second)
		b, c := k.slow("b", 2*time.Second, a), k.slow("c", time.Second, a)
		d := k.slow("d", time.Second, b, c)
		e := k.slow("e", 5*time.Second)
		begun := time.Now()
		started, err := EnsureAllStartedConcurrently(k.ctx, Temporary, d, e)
		k.ok(err)
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("the start took %v, want what the longest path takes, 5s", took)
		}
		if names(started) != "a c b d e" {
			t.Errorf("started %s, want the order in which they came up", names(started))
		}
		k.want("each as soon as it can", "a.start c.start b.start d.start e.start")
		k.wantRunning("e d b c a")
		started, err = EnsureAllStartedConcurrently(k.ctx, Temporary, d, e)
		if len(started) != 0 || err != nil {
			t.Errorf("again: started %v, %v", started, err)
		}
	})
}

func TestConcurrentStartFails(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.slow("a", 0)
		b, c := k.slow("b", 2*time.Second, a), k.app("c", a)
		c.Start = func(context.Context) (process.PID, error) { time.Sleep(time.Second); return process.PID{}, errBoom }
		d := k.app("d", b, c)
		z := k.app("z")
		k.ok(Start(k.ctx, z, Temporary))
		started, err := EnsureAllStartedConcurrently(k.ctx, Temporary, d, z)
		k.is(err, errBoom, "application: c: Start")
		if started != nil {
			t.Errorf("it says that it started %s", names(started))
		}
		k.want("b, which was on its way, is waited for; then all goes again, but what ran before", `z.start a.start
			c:exited(application: c: Start: boom,temporary) b.start
			b.prep_stop b_top.down(shutdown) b.stop b:exited(stopped,temporary)
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)`)
		k.wantRunning("z")
	})
}

func TestConcurrentStartTakesNodeDown(t *testing.T) {
	inBubble(t, func(k *kit) {
		a, b := k.app("a"), k.app("b")
		gate(b) // gives up when it is told to
		a.Start = func(context.Context) (process.PID, error) { return process.PID{}, errBoom }
		_, err := EnsureAllStartedConcurrently(k.ctx, Permanent, a, b)
		k.is(err, errBoom, "a: Start")
	})
}

func TestConcurrentStartCallerGivesUp(t *testing.T) {
	inBubble(t, func(k *kit) {
		a, b := k.slow("a", 0), k.slow("b", 2*time.Second)
		ctx, cancel := context.WithTimeout(k.ctx, time.Second)
		defer cancel()
		started, err := EnsureAllStartedConcurrently(ctx, Temporary, a, b)
		k.is(err, context.DeadlineExceeded, "")
		if names(started) != "a" {
			t.Errorf("started %s, want a", names(started))
		}
		time.Sleep(2 * time.Second)
		k.wantRunning("b a") // nothing is undone
	})
}

// The caller sees nothing of the helpers, be it a process that traps exits; and
// is who asks, so that it cannot come to wait for itself.
func TestConcurrentStartFromAProcess(t *testing.T) {
	inBubble(t, func(k *kit) {
		a, b, c := k.app("a"), k.app("b"), k.app("c")
		k.ok(Start(k.ctx, c, Temporary))
		k.ask("c_top", func(ctx context.Context) {
			started, err := EnsureAllStartedConcurrently(ctx, Temporary, a, b)
			if err != nil || len(started) != 2 {
				t.Errorf("started %s, %v; want both", names(started), err)
			}
		})
		synctest.Wait()
		for _, pid := range k.node.Processes() {
			if pid.Is("application start") {
				t.Errorf("%v is left", pid)
			}
		}
		c.PrepStop = func(ctx context.Context) error {
			_, err := EnsureAllStartedConcurrently(ctx, Temporary, c)
			k.is(err, ErrOwnCallback, "start c")
			return nil
		}
		k.ok(Stop(k.ctx, c))
	})
}

func TestConcurrentStartByTwo(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.slow("a", time.Second)
		b := k.slow("b", time.Second, a)
		other := make(chan error, 1)
		go func() { other <- EnsureStarted(k.ctx, a, Temporary) }()
		synctest.Wait()
		started, err := EnsureAllStartedConcurrently(k.ctx, Temporary, b)
		if err = errors.Join(err, <-other); err != nil || names(started) != "a b" {
			t.Errorf("started %s, %v; want both: it waited for both", names(started), err)
		}
		k.want("each once", "a.start b.start")
	})
}

func TestRunConcurrent(t *testing.T) {
	inRun(t, func(r *runKit) {
		r.options.Concurrent = true
		go func() { r.result <- Run(r.Context(), r.options, r.slow("a", time.Second), r.slow("b", time.Second)) }()
		time.Sleep(time.Second)
		synctest.Wait()
		r.set(func() {
			if len(r.journal) != 3 || r.journal[2] != "ready" {
				t.Errorf("after the time that one takes: %q, want both up", r.journal)
			}
		})
		r.signals <- syscall.SIGTERM
		r.clean()
	})
}
