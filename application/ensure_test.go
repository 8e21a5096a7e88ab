package application

import (
	"context"
	"errors"
	"testing"

	"github.com/coppice-go/coppice/process"
)

func TestEnsureStopsOnlyWhatItStarted(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		c := k.app("c", b)
		c.Start = func(context.Context) (process.PID, error) { return process.PID{}, errBoom }
		k.ok(Start(k.ctx, a, Temporary))
		started, err := EnsureAllStarted(k.ctx, Temporary, c)
		k.is(err, errBoom, "application: c: Start")
		if started != nil {
			t.Errorf("it says that it started %s", names(started))
		}
		k.wantRunning("a")
		k.want("b goes again, a stays", `a.start b.start c:exited(application: c: Start: boom,temporary)
			b.prep_stop b_top.down(shutdown) b.stop b:exited(stopped,temporary)`)
	})
}

func TestEnsureDoesNotLookBelowARunningOne(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		k.ensure(Temporary, b)
		k.ok(Stop(k.ctx, a))
		if started := k.ensure(Temporary, b); len(started) != 0 {
			t.Errorf("started %s, want nothing: b runs (APP-12)", names(started))
		}
	})
}

// In OTP, ensure_all_started goes round for ever (D6, APP-14).
func TestCycleIsReportedWithItsPath(t *testing.T) {
	inBubble(t, func(k *kit) {
		a, b := k.app("a"), k.app("b")
		a.Needs, b.Needs = []*App{b}, []*App{a}
		for _, start := range []func() error{
			func() error { _, err := EnsureAllStarted(k.ctx, Temporary, a); return err },
			func() error { return Load(k.ctx, a) },
			func() error { return Start(k.ctx, a, Temporary) },
		} {
			if err := start(); err == nil || err.Error() != "application: cycle: a needs b needs a" {
				t.Errorf("got %v, want the cycle with its path", err)
			}
		}
	})
}

func TestLibrary(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		lib := &App{Name: "lib", Needs: []*App{a}}
		b := k.app("b", lib)
		if started := k.ensure(Temporary, b); names(started) != "a lib b" {
			t.Errorf("started %s", names(started))
		}
		k.ok(Stop(k.ctx, lib))
		k.wantRunning("b a")
		k.want("a library only counts", "a.start b.start lib:still needed(b) lib:exited(stopped,temporary)")
	})
}

func TestOptional(t *testing.T) {
	inBubble(t, func(k *kit) {
		metrics, a := k.app("metrics"), k.app("a")
		a.Optional = []*App{metrics}
		if started := k.ensure(Temporary, a); names(started) != "a" {
			t.Errorf("started %s: metrics is not loaded here", names(started))
		}
		k.ok(Stop(k.ctx, a))
		k.ok(Load(k.ctx, metrics))
		k.ok(Start(k.ctx, a, Temporary)) // plain Start does not ask for it (APP-13)
		k.ok(Stop(k.ctx, a))
		if started := k.ensure(Temporary, a); names(started) != "metrics a" {
			t.Errorf("started %s, want metrics first: it is loaded", names(started))
		}
	})
}

// One that Needs lists as well is started in its place there, as by OTP, whose
// optional ones are marks in the list of all.
func TestOptionalHasItsPlaceInNeeds(t *testing.T) {
	inBubble(t, func(k *kit) {
		metrics, log := k.app("metrics"), k.app("log")
		a := k.app("a", metrics, log)
		a.Optional = []*App{metrics}
		if started := k.ensure(Temporary, a); names(started) != "log a" {
			t.Errorf("started %s: metrics is not loaded here", names(started))
		}
		k.ok(Stop(k.ctx, a))
		k.ok(Stop(k.ctx, log))
		k.ok(Load(k.ctx, metrics))
		if started := k.ensure(Temporary, a); names(started) != "metrics log a" {
			t.Errorf("started %s, want metrics first, as written", names(started))
		}
		k.ok(Stop(k.ctx, metrics))
		k.ok(Stop(k.ctx, a))
		k.ok(Start(k.ctx, a, Temporary)) // a plain start does not ask for it
	})
}

func TestOptionalThatFailsFails(t *testing.T) {
	inBubble(t, func(k *kit) {
		metrics, a := k.app("metrics"), k.app("a")
		metrics.Start = func(context.Context) (process.PID, error) { return process.PID{}, errBoom }
		a.Optional = []*App{metrics}
		k.ok(Load(k.ctx, metrics))
		_, err := EnsureAllStarted(k.ctx, Temporary, a)
		k.is(err, errBoom, "metrics")
	})
}

// Whoever is asked for, what is wrong further down is found, and does no harm.
func TestFaultsFurtherDown(t *testing.T) {
	inBubble(t, func(k *kit) {
		for _, bad := range []*App{
			{Name: "bad", Needs: []*App{nil}},
			{Name: "bad", Optional: []*App{nil}},
			{Name: "bad", Included: []*App{nil}},
		} {
			for _, root := range []*App{k.app("needs", bad), {Name: "includes", Included: []*App{bad}}} {
				_, err := EnsureAllStarted(k.ctx, Temporary, root)
				if spec, _ := errors.AsType[*SpecError](err); spec == nil || spec.App != bad {
					t.Errorf("%s: %v, want what is wrong with bad", root, err)
				}
				_ = Unload(k.ctx, root) // one that was refused is not loaded
			}
		}
		k.wantRunning("")
	})
}
