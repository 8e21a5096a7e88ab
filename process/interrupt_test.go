package process_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/process"
)

// Whatever cancels the ctx calls f, once and when it does; what was taken back, or
// replaced, is not called.
func TestInterrupt(t *testing.T) {
	for name, c := range map[string]struct {
		trap bool
		end  func(ctx context.Context, pid process.PID) error
		want int
	}{
		"a kill":        {end: func(ctx context.Context, pid process.PID) error { return process.Kill(ctx, pid) }, want: 1},
		"an exit":       {end: func(ctx context.Context, pid process.PID) error { return process.SendExit(ctx, pid, errBoom) }, want: 1},
		"its own end":   {end: func(ctx context.Context, pid process.PID) error { return process.Send(ctx, pid, errBoom) }, want: 1},
		"another's end": {trap: true, end: func(ctx context.Context, pid process.PID) error { return process.SendExit(ctx, pid, errBoom) }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				pid := start(t, ctx, process.Spec{Unlinked: true, TrapExit: c.trap})
				n, wrong := 0, 0
				in(t, ctx, pid, func(ctx context.Context) {
					for _, f := range []func(){func() { wrong++ }, nil, func() { wrong++ }, func() { n++ }} {
						if err := process.Interrupt(process.WithCallTimeout(ctx, 1), f); err != nil {
							t.Error(err)
						}
					}
				})
				synctest.Wait()
				if n != 0 {
					t.Error("it was called before anything happened")
				}
				if err := c.end(ctx, pid); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if err := process.Kill(ctx, pid); err != nil && pid.Alive() {
					t.Error(err)
				}
				want := c.want
				if want == 0 {
					want = 1 // by that kill
					if n != 1 {
						t.Errorf("called %d times, want 1", n)
					}
				}
				synctest.Wait()
				if n != want || wrong != 0 {
					t.Errorf("called %d times, and %d times what was taken back; want %d and 0", n, wrong, want)
				}
			})
		})
	}
}

// One that comes too late is called at once; a process that is nobody has none.
func TestInterruptLate(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid := start(t, ctx, process.Spec{Unlinked: true})
		var held context.Context
		in(t, ctx, pid, func(ctx context.Context) { held = process.Uninterrupted(ctx) })
		if err := process.Kill(ctx, pid); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		n := 0
		if err := process.Interrupt(held, func() { n++ }); err != nil || n != 1 {
			t.Errorf("called %d times, %v", n, err)
		}
		if err := process.Interrupt(held, nil); err != nil {
			t.Error(err)
		}
		if err := process.Interrupt(ctx, func() { n++ }); err == nil {
			t.Error("a node was interrupted")
		}
	})
}

// A blocked function comes back, and a Done that is asked for later works too.
func TestInterruptBlocked(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		blocked := make(chan struct{})
		var cause error
		pid, err := process.Go(ctx, func(ctx context.Context) error {
			if err := process.Interrupt(ctx, func() { close(blocked) }); err != nil {
				return err
			}
			<-blocked
			<-ctx.Done()
			cause = context.Cause(ctx)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := process.SendExit(ctx, pid, process.ErrShutdown); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if pid.Alive() || cause != process.ErrShutdown {
			t.Errorf("alive %v, cause %v", pid.Alive(), cause)
		}
	})
}
