package process_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/process"
)

func TestReregister(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		a, b, c := start(t, ctx, process.Spec{}), start(t, ctx, process.Spec{}), start(t, ctx, process.Spec{Name: "other"})
		wantName := func(want process.PID) {
			t.Helper()
			if got, ok := process.Whereis(ctx, "name"); got != want || ok == want.IsZero() {
				t.Errorf("the name leads to %v, want %v", got, want)
			}
		}
		for _, pid := range []process.PID{a, a, b} { // nobody has it; the same has; another has
			if err := process.Reregister(ctx, "name", pid); err != nil {
				t.Error(err)
			}
			wantName(pid)
		}
		if a.Name() != "" || b.Name() != "name" {
			t.Errorf("called %q and %q", a.Name(), b.Name())
		}
		if err := process.Reregister(ctx, "name", c); !errors.Is(err, process.ErrHasName) {
			t.Errorf("one that has another name: %v", err)
		}
		// The end of who had it before does not touch it.
		if err := process.Stop(ctx, a, nil); err != nil {
			t.Error(err)
		}
		wantName(b)
		if err := process.Reregister(ctx, "name", a); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("a dead one: %v", err)
		}
		wantName(b)
		if err := process.Stop(ctx, b, nil); err != nil {
			t.Error(err)
		}
		wantName(process.PID{})
	})
}

// While a name goes from hand to hand somebody has it.
func TestReregisterLeavesNoGap(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var all []process.PID
		for range 8 {
			all = append(all, start(t, ctx, process.Spec{}))
		}
		if err := process.Register(ctx, "name", all[0]); err != nil {
			t.Fatal(err)
		}
		for i := range all {
			_, err := process.Go(ctx, func(ctx context.Context) error {
				for range 500 {
					if err := process.Reregister(ctx, "name", all[i]); err != nil {
						t.Error(err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 2000 {
			if _, ok := process.Whereis(ctx, "name"); !ok {
				t.Fatal("nobody has the name")
			}
		}
		synctest.Wait()
		names := 0
		for _, pid := range all {
			if pid.Name() != "" {
				names++
			}
		}
		if names != 1 {
			t.Errorf("%d processes think that they have the name", names)
		}
	})
}
