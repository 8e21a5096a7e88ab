package supervisor_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// What OTP 25 does wrong is done right here: defects D3, D10 and D11 of docs/otp.md.

// D3: a dynamic child whose restart declines stayed as one without a process,
// over which OTP's supervisor stumbled when it was stopped, and left the other
// children alone.
func TestDefectD3(t *testing.T) {
	bubble(t, func(w *world) {
		s := &suite{world: w}
		s.start(supervisor.Spec{Strategy: supervisor.Dynamic}, w.child("w", starts(nil, nil, process.ErrIgnore)))
		one, two := s.one(), s.one()
		s.terminate(one, errBoom)
		s.children(up("w", two))
		s.counts(1, 1, 0, 1)
		w.take()
		s.shutdown()
		w.want("the other is stopped, and there is no error", "sup_test/w stops shutdown", "sup_test exit shutdown")
	})
}

// D10: OTP counts in whole seconds, so that a second is up to two of them. Here a
// restart counts for one period to the nanosecond, wherever the clock stands.
func TestDefectD10(t *testing.T) {
	for _, phase := range []time.Duration{0, 1, 400 * time.Millisecond, 999 * time.Millisecond} {
		for apart, survives := range map[time.Duration]bool{time.Second: false, time.Second + 1: true} {
			bubble(t, func(w *world) {
				s := &suite{world: w}
				time.Sleep(phase)
				s.start(supervisor.Spec{Intensity: 1, Period: time.Second}, w.child("a"))
				s.terminate(s.now("a"), errBoom)
				time.Sleep(apart)
				s.terminate(s.now("a"), errBoom)
				if s.sup.Alive() != survives {
					t.Errorf("restarts %v apart, from %v on: the supervisor lives: %v, want %v", apart, phase, !survives, survives)
				}
			})
		}
	}
}

// D11: in OTP a child that does not trap exits survives a parent that ends
// normally, and one that does survives a killed supervisor, unless it is a
// gen_something. Here no behaviour survives, nor a function that Go runs.
func TestDefectD11(t *testing.T) {
	bubble(t, func(w *world) {
		var helper process.PID
		s := &suite{world: w}
		s.start(supervisor.Spec{}, w.child("parent", restart(supervisor.Temporary), func(k *worker, _ *supervisor.Child) {
			k.starts = append(k.starts, func(ctx context.Context) (err error) {
				helper, err = process.Start(ctx, process.Spec{Behaviour: leaf{}})
				return err
			})
		}))
		s.terminate(s.now("parent"), nil)
		s.ends(helper, process.ErrShutdown)
	})
	for name, trap := range map[string]bool{"trapping": true, "not trapping": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				s := &suite{world: w}
				s.start(supervisor.Spec{},
					w.child("a", func(k *worker, _ *supervisor.Child) { k.trap = trap }),
					supervisor.Child{ID: "b", Start: supervisor.StartFunc(supervisor.Spec{Children: []supervisor.Child{w.child("c")}})},
					supervisor.Child{ID: "d", Start: supervisor.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })})
				all := w.node.Processes()
				if len(all) != 5 {
					t.Fatalf("there are %v, want five", all)
				}
				s.fine(process.Kill(w.ctx, s.sup))
				synctest.Wait()
				s.gone(all...)
			})
		})
	}
}
