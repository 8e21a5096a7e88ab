package application

import (
	"context"
	"errors"
	"testing"

	"github.com/coppice-go/coppice/process"
)

// phases gives an application start phases that are written down. One whose
// name ends in "!" fails.
func (k *kit) phases(app *App, names ...string) {
	for _, name := range names {
		fails := name[len(name)-1] == '!'
		if fails {
			name = name[:len(name)-1]
		}
		app.StartPhases = append(app.StartPhases, Phase{Name: name, Run: func(context.Context) error {
			k.log("%s.phase(%s)", app, name)
			if fails {
				return errBoom
			}
			return nil
		}})
	}
}

func TestStartPhases(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		k.phases(a, "p1", "p2")
		k.phases(b, "p2", "p1")
		k.ensure(Temporary, b)
		k.want("each has its own, all before the next one starts", `a.start a.phase(p1) a.phase(p2) b.start b.phase(p2) b.phase(p1)`)
	})
}

func TestStartPhaseFails(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.phases(a, "p1", "p2!", "p3")
		err := Start(k.ctx, a, Temporary)
		var failed *CallbackError
		if !errors.As(err, &failed) || failed.Callback != CallbackStartPhase || failed.Phase != "p2" || failed.Err != errBoom {
			t.Errorf("start = %v, want the failure of phase p2", err)
		}
		k.want("what was up is taken down in order (D1)", `a.start a.phase(p1) a.phase(p2)
			a.prep_stop a_top.down(shutdown) a.stop a:exited(`+err.Error()+`,temporary)`)
		k.wantMembers("")
	})
}

func TestStartPhasePanics(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.StartPhases = []Phase{{"p", func(context.Context) error { panic("oops") }}}
		err := Start(k.ctx, a, Temporary)
		k.is(err, nil, "application: a: StartPhase p: its process ended: panic: oops")
		k.want("", "a.start a.prep_stop a_top.down(shutdown) a.stop a:exited("+err.Error()+",temporary)")
	})
}

func TestStartPhaseOfAPermanentOneFails(t *testing.T) {
	inBubble(t, func(k *kit) {
		z, a := k.app("z"), k.app("a")
		k.phases(a, "p!")
		k.ok(Start(k.ctx, z, Permanent))
		err := Start(k.ctx, a, Permanent)
		k.is(err, errBoom, "StartPhase p")
		k.want("it goes, then the node", `z.start a.start a.phase(p) a.prep_stop a_top.down(shutdown) a.stop
			a:exited(`+err.Error()+`,permanent) a:node goes down
			z.prep_stop z_top.down(shutdown) z.stop z:exited(stopped,permanent)+down`)
	})
}

func TestIncludedPhases(t *testing.T) {
	inBubble(t, func(k *kit) {
		b := k.app("b")
		k.phases(b, "p2", "mine")
		a := k.app("a")
		a.Included = []*App{b}
		k.phases(a, "p1", "p2", "p3")
		k.ok(Start(k.ctx, a, Temporary))
		k.want("its phase runs where the includer has one of that name (APP-21)",
			"a.start a.phase(p1) a.phase(p2) b.phase(p2) a.phase(p3)")
		loaded, err := LoadedApplications(k.ctx)
		if err != nil || names(loaded) != "a b" {
			t.Errorf("loaded: %s, %v; want the included one too", names(loaded), err)
		}
		k.wantRunning("a")
	})
}

func TestIncludedPhaseFails(t *testing.T) {
	inBubble(t, func(k *kit) {
		b := k.app("b")
		k.phases(b, "p2!")
		a := k.app("a")
		a.Included = []*App{b}
		k.phases(a, "p1", "p2", "p3")
		err := Start(k.ctx, a, Temporary)
		var failed *CallbackError
		if !errors.As(err, &failed) || failed.App != b || failed.Phase != "p2" {
			t.Errorf("start = %v, want the phase of b named", err)
		}
	})
}

// The tree of an included application hangs in its includer's, and is part of
// it.
func TestIncludedTree(t *testing.T) {
	inBubble(t, func(k *kit) {
		port := &Var[int]{Name: "port", Default: 7}
		inner := &App{Name: "inner", Env: []Setting{port}}
		inner.Start = func(ctx context.Context) (process.PID, error) { return k.top(ctx, "inner", &top{}) }
		outer := k.app("outer")
		outer.Included = []*App{inner}
		outer.Env = []Setting{&Var[int]{Name: "port", Default: 8}}
		start := outer.Start
		outer.Start = func(ctx context.Context) (process.PID, error) {
			if _, err := inner.Start(ctx); err != nil {
				return process.PID{}, err
			}
			return start(ctx)
		}
		k.ok(Start(k.ctx, outer, Temporary))
		k.ask("inner_top", func(ctx context.Context) {
			if Of(ctx) != outer || port.Get(ctx) != 7 {
				t.Errorf("in the included tree: application %v, port %d; want outer, and the included one's port 7", Of(ctx), port.Get(ctx))
			}
		})
		k.ok(Stop(k.ctx, outer))
		k.want("all that Start has started is shut down, the latest first", `outer.start outer.prep_stop
			outer_top.down(shutdown) inner_top.down(shutdown) outer.stop outer:exited(stopped,temporary)`)
	})
}

// ask has a top run f and waits for it.
func (k *kit) ask(name string, f func(ctx context.Context)) {
	k.Helper()
	done := make(chan struct{})
	k.ok(process.Send(k.ctx, k.pid(name), func(ctx context.Context) { defer close(done); f(ctx) }))
	<-done
}
