package supervisor_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// stops says what the worker's Terminate does.
func stops(f func(ctx context.Context, reason error) error) func(*worker, *supervisor.Child) {
	return func(k *worker, _ *supervisor.Child) { k.stop = f }
}

func shutdown(d time.Duration) func(*worker, *supervisor.Child) {
	return func(_ *worker, c *supervisor.Child) { c.Shutdown = d }
}

func noTrap(k *worker, _ *supervisor.Child) { k.trap = false }

// taking takes that long to terminate.
func taking(d time.Duration) func(context.Context, error) error {
	return func(ctx context.Context, _ error) error {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return nil
	}
}

// deaf does not come back from its Terminate, not even when it is killed, until
// the test lets it.
func deaf(let chan struct{}) func(context.Context, error) error {
	return func(context.Context, error) error { <-let; return nil }
}

func TestShutdownValues(t *testing.T) {
	tests := []struct {
		name  string
		child []func(*worker, *supervisor.Child)
		want  []string
		took  time.Duration
	}{
		{"obeys", nil, []string{"top/a stops shutdown"}, 0},
		{"in time", []func(*worker, *supervisor.Child){shutdown(time.Second), stops(taking(900 * time.Millisecond))},
			[]string{"top/a stops shutdown"}, 900 * time.Millisecond},
		{"not in time", []func(*worker, *supervisor.Child){shutdown(time.Second), stops(taking(time.Minute))},
			[]string{"top/a stops shutdown", "top: shutdown error: a killed"}, time.Second},
		{"the default is five seconds", []func(*worker, *supervisor.Child){stops(taking(time.Minute))},
			[]string{"top/a stops shutdown", "top: shutdown error: a killed"}, 5 * time.Second},
		{"without limit", []func(*worker, *supervisor.Child){shutdown(supervisor.Infinity), stops(taking(time.Hour))},
			[]string{"top/a stops shutdown"}, time.Hour},
		{"killed without a word", []func(*worker, *supervisor.Child){shutdown(supervisor.BrutalKill), stops(taking(time.Hour))},
			nil, 0},
		{"at once, trapping", []func(*worker, *supervisor.Child){shutdown(supervisor.AtOnce), stops(taking(time.Hour))},
			[]string{"top: shutdown error: a killed"}, 0},
		{"at once, not trapping", []func(*worker, *supervisor.Child){shutdown(supervisor.AtOnce), noTrap}, nil, 0},
		{"not trapping", []func(*worker, *supervisor.Child){noTrap}, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a", tt.child...)}})
				w.take()
				start := time.Now()
				if err := process.Stop(w.ctx, top, process.ErrShutdown); err != nil {
					t.Fatal(err)
				}
				w.want("how it stops", append(tt.want, "top exit shutdown")...)
				if took := time.Since(start); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

// A supervisor waits for a child that is itself a supervisor as long as that
// takes, unless it is told otherwise.
func TestShutdownOfSupervisors(t *testing.T) {
	bubble(t, func(w *world) {
		inner := supervisor.Spec{Children: []supervisor.Child{w.child("a", shutdown(time.Hour), stops(taking(time.Minute)))}}
		top := w.top(supervisor.Spec{Children: []supervisor.Child{{ID: "s", Start: supervisor.StartFunc(inner)}}})
		w.take()
		if c, err := supervisor.GetChild(w.ctx, top, "s"); c.Shutdown != supervisor.Infinity || err != nil {
			t.Errorf("Shutdown of s is %v (%v), want Infinity", c.Shutdown, err)
		}
		if err := process.Stop(w.ctx, top, process.ErrShutdown); err != nil {
			t.Fatal(err)
		}
		w.want("a has its minute", "top/s/a stops shutdown", "top/s exit shutdown", "top exit shutdown")
	})
}

// How a child may end when it is stopped without that being reported.
func TestShutdownReasons(t *testing.T) {
	tests := []struct {
		name     string
		restart  supervisor.Restart
		reason   error
		reported bool
	}{
		{"permanent, normal", supervisor.Permanent, nil, true},
		{"permanent, {shutdown,_}", supervisor.Permanent, process.Shutdown(errBoom), true},
		{"permanent, boom", supervisor.Permanent, errBoom, true},
		{"transient, normal", supervisor.Transient, nil, false},
		{"transient, {shutdown,_}", supervisor.Transient, process.Shutdown(errBoom), false},
		{"transient, boom", supervisor.Transient, errBoom, true},
		{"temporary, normal", supervisor.Temporary, nil, false},
		{"temporary, boom", supervisor.Temporary, errBoom, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a", restart(tt.restart),
					stops(func(context.Context, error) error { return process.End(tt.reason) }))}})
				w.take()
				if err := supervisor.TerminateChild(w.ctx, top, "a"); err != nil {
					t.Fatal(err)
				}
				want := []string{"top/a stops shutdown"}
				if tt.reported {
					want = append(want, "top: shutdown error: a "+reason(tt.reason))
				}
				w.want("is it reported", want...)
			})
		})
	}
}

// A child that ignores even a kill costs its supervisor Shutdown and Grace; then
// it is abandoned, reported, and the supervisor goes on.
func TestDeafChild(t *testing.T) {
	bubble(t, func(w *world) {
		let := make(chan struct{})
		grace := func(_ *worker, c *supervisor.Child) { c.Grace = 3 * time.Second }
		top := w.top(supervisor.Spec{Children: []supervisor.Child{
			w.child("a"), w.child("b", shutdown(time.Second), grace, stops(deaf(let))), w.child("c"),
		}})
		w.take()
		start := time.Now()
		if err := process.Stop(w.ctx, top, process.ErrShutdown); err != nil {
			t.Fatal(err)
		}
		w.want("b is given up, a still gets its turn",
			"top/c stops shutdown", "top/b stops shutdown", "top/b abandoned", "top: shutdown error: b killed",
			"top/a stops shutdown", "top exit shutdown")
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("it took %v, want Shutdown and Grace, 4s", took)
		}
		if n := len(w.node.Abandoned()); n != 1 {
			t.Errorf("%d are abandoned, want b", n)
		}
		close(let)
		synctest.Wait()
		if n := len(w.node.Abandoned()); n != 0 {
			t.Errorf("%d are abandoned, though b came back", n)
		}
	})
}

// A child that is dead already when it is stopped is reported with its own
// reason, and its exit signal is not taken for another death.
func TestDeadBeforeItIsStopped(t *testing.T) {
	bubble(t, func(w *world) {
		gate := make(chan struct{})
		top := w.top(supervisor.Spec{Strategy: supervisor.OneForAll, Intensity: 5,
			Children: []supervisor.Child{w.child("a"), w.child("b"), w.child("c")}})
		w.take()
		// Keep the supervisor busy while two of its children crash.
		slow := supervisor.Child{ID: "slow", Restart: supervisor.Temporary, Start: func(context.Context) (process.PID, error) {
			<-gate
			return process.PID{}, process.ErrIgnore
		}}
		if _, err := process.Go(w.ctx, func(ctx context.Context) error {
			_, err := supervisor.StartChild(ctx, top, slow)
			if err != process.ErrIgnore {
				t.Errorf("StartChild: %v", err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.end("top/a", errBoom)
		w.end("top/b", errNo)
		w.want("nobody hears of it yet", "top/a stops boom", "top/b stops no")
		close(gate)
		w.want("the first crash restarts all, and takes in the second",
			"top: child terminated: a boom", "top/c stops shutdown", "top: shutdown error: b no",
			"top/a starts", "top/b starts", "top/c starts")
	})
}

// Unlinking itself does not make a child immortal.
func TestUnlinkedChildIsStopped(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a"), w.child("b")}})
		w.take()
		unlink := func(ctx context.Context) error { return process.Unlink(ctx, top) }
		for _, path := range []string{"top/a", "top/b"} {
			if err := process.Send(w.ctx, w.pid(path), unlink); err != nil {
				t.Fatal(err)
			}
		}
		w.end("top/b", errBoom)
		w.want("it dies without a signal", "top/b stops boom")
		w.stop()
		w.want("the dead is found dead, the living is stopped",
			"top: shutdown error: b boom", "top/a stops shutdown", "top exit shutdown")
	})
}

// A child that ends by itself while its supervisor is stopping another is found
// dead when its turn comes (OTP: sup_stop_race). It is reported as if it had
// ended like that when it was told to stop, and is not restarted.
func TestEndsWhileStopping(t *testing.T) {
	reasons := []error{nil, process.ErrShutdown, process.Shutdown(errBoom), errBoom}
	for _, typ := range []supervisor.Restart{supervisor.Permanent, supervisor.Transient, supervisor.Temporary} {
		for _, why := range reasons {
			t.Run(typ.String()+" "+reason(why), func(t *testing.T) {
				bubble(t, func(w *world) {
					top := w.top(supervisor.Spec{Children: []supervisor.Child{
						w.child("a", restart(typ)), w.child("b", stops(taking(time.Second))),
					}})
					w.take()
					w.stop()
					w.end("top/a", why)
					if _, err := process.Wait(w.ctx, top); err != nil {
						t.Fatal(err)
					}
					want := []string{"top/b stops shutdown", "top/a stops " + reason(why)}
					clean := process.Clean(why) && typ != supervisor.Permanent
					if why != process.ErrShutdown && !clean {
						want = append(want, "top: shutdown error: a "+reason(why))
					}
					w.want("how it stops", append(want, "top exit shutdown")...)
				})
			})
		}
	}
}
