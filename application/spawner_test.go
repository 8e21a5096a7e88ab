package application

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/coppice-go/coppice/process"
)

// Reports name the user's line that had an application started, whichever way
// it was.
func TestSpawner(t *testing.T) {
	inBubble(t, func(k *kit) {
		started := func(how string, app *App, start func() error) {
			k.Helper()
			k.ok(start())
			infos, err := Infos(k.ctx)
			k.ok(err)
			for _, i := range infos {
				if i.App == app && !strings.Contains(i.PID.Spawner(), "spawner_test.go:") {
					k.Errorf("%s: the application was started at %s, want here", how, i.PID.Spawner())
				}
			}
		}
		var inPrepStop string
		app := func(name string) *App {
			a := k.app(name)
			a.PrepStop = func(ctx context.Context) error { inPrepStop = process.Self(ctx).Spawner(); return nil }
			return a
		}
		a, b, c, d := app("a"), app("b"), app("c"), app("d")
		started("Start", a, func() error { return Start(k.ctx, a, Temporary) })
		started("EnsureStarted", b, func() error { return EnsureStarted(k.ctx, b, Temporary) })
		started("EnsureAllStarted", c, func() error { _, err := EnsureAllStarted(k.ctx, Temporary, c); return err })
		k.ok(Load(k.ctx, d))
		k.ok(Permit(k.ctx, d, false))
		k.ok(Start(k.ctx, d, Temporary))
		started("Permit", d, func() error { return Permit(k.ctx, d, true) })
		k.ok(Stop(k.ctx, d))
		if !strings.Contains(inPrepStop, "spawner_test.go:") {
			t.Errorf("PrepStop's process was started at %s, want where its application was", inPrepStop)
		}
	})
}

func TestSpawnerOfRun(t *testing.T) {
	inRun(t, func(r *runKit) {
		a := r.app("a")
		r.run(r.Context(), a)
		if at := r.pid("a_top").Parent().Spawner(); !strings.Contains(at, "run_test.go:") {
			t.Errorf("the application was started at %s, want where Run was called", at)
		}
		r.signals <- syscall.SIGTERM
		r.clean()
	})
}
