package application

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

func TestStartNeedsWhatItNeeds(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		c := k.app("c", a, b)
		err := Start(k.ctx, c, Temporary)
		k.is(err, ErrNotStarted, "start c: it needs a: not started")
		k.ok(Start(k.ctx, a, Temporary))
		k.is(Start(k.ctx, c, Temporary), ErrNotStarted, "it needs b")
		k.wantRunning("a")
		if started := k.ensure(Temporary, c); names(started) != "b c" {
			t.Errorf("EnsureAllStarted started %s, want b c: a ran already", names(started))
		}
		if started := k.ensure(Temporary, c); len(started) != 0 {
			t.Errorf("EnsureAllStarted started %s again", names(started))
		}
		k.wantRunning("c b a")
		k.want("each was started once", "a.start b.start c.start")
	})
}

func TestStartOfARunningOne(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.ok(Start(k.ctx, a, Temporary))
		err := Start(k.ctx, a, Permanent)
		if _, ok := errors.AsType[*AlreadyStartedError](err); !ok {
			t.Errorf("starting it twice: %v, want *AlreadyStartedError", err)
		}
		k.ok(EnsureStarted(k.ctx, a, Permanent))
		k.want("one start", "a.start")
		k.end("a", errBoom)
		k.wantRunning("")
		k.want("its type is still the first", "a_top.down(boom) a.prep_stop a.stop a:exited(boom,temporary)")
	})
}

func TestNeedThatEndedIsNotRunning(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		k.ok(Start(k.ctx, a, Temporary))
		k.end("a", nil)
		err := Start(k.ctx, b, Temporary)
		var dep *DependencyError
		if !errors.As(err, &dep) || dep.Needs != a || dep.Err != ErrNotRunning {
			t.Errorf("start of b = %v, want that a has ended (APP-06)", err)
		}
		k.ok(Stop(k.ctx, a)) // forgets it (APP-28)
		k.is(Start(k.ctx, b, Temporary), ErrNotStarted, "it needs a")
		k.is(Stop(k.ctx, a), ErrNotStarted, "stop a: not started")
	})
}

func TestFailedStarts(t *testing.T) {
	start := func(f func(k *kit, ctx context.Context) (process.PID, error)) func(*kit) *App {
		return func(k *kit) *App {
			app := k.app("a")
			app.Start = func(ctx context.Context) (process.PID, error) { return f(k, ctx) }
			return app
		}
	}
	for _, tt := range []struct {
		name    string
		app     func(*kit) *App
		outcome Outcome
		is      error
		text    string
		journal string
	}{
		{"error", start(func(*kit, context.Context) (process.PID, error) { return process.PID{}, errBoom }), Returned, errBoom,
			"application: a: Start: boom", ""},
		{"ignore", start(func(k *kit, ctx context.Context) (process.PID, error) {
			return k.top(ctx, "a", &top{initErr: process.ErrIgnore})
		}), BadReturn, process.ErrIgnore, "", ""},
		{"nothing returned", start(func(*kit, context.Context) (process.PID, error) { return process.PID{}, nil }), BadReturn, errNoTop,
			"neither a process nor an error", ""},
		{"another ctx", start(func(k *kit, _ context.Context) (process.PID, error) { return k.top(k.ctx, "a", &top{}) }), BadReturn, errStrangeTop,
			"start it with the ctx that Start was given", ""},
		{"exit", start(func(_ *kit, ctx context.Context) (process.PID, error) {
			process.Exit(ctx, errBoom)
			return process.PID{}, nil
		}), Ended, errBoom,
			"its process ended: boom", ""},
		{"normal exit", start(func(_ *kit, ctx context.Context) (process.PID, error) {
			process.Exit(ctx, nil)
			return process.PID{}, nil
		}), Ended, nil, "ended normally in the middle", ""},
		{"panic", start(func(*kit, context.Context) (process.PID, error) { panic(errBoom) }), Ended, errBoom, "panic: boom", ""},
		{"panic with the tree up", start(func(k *kit, ctx context.Context) (process.PID, error) {
			_, err := k.top(ctx, "a", &top{})
			k.ok(err)
			panic(errBoom)
		}), Ended, errBoom, "panic: boom", "a_top.down(shutdown)"},
		{"kill", start(func(k *kit, ctx context.Context) (process.PID, error) {
			k.ok(process.Kill(ctx, process.Self(ctx)))
			<-ctx.Done()
			return process.PID{}, ctx.Err()
		}), Ended, process.ErrKilled, "its process ended: killed", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(k *kit) {
				app := tt.app(k)
				err := Start(k.ctx, app, Temporary)
				var failed *CallbackError
				if !errors.As(err, &failed) || failed.App != app || failed.Callback != CallbackStart || failed.Outcome != tt.outcome {
					t.Fatalf("start = %#v, want a *CallbackError of Start with outcome %v", err, tt.outcome)
				}
				k.is(err, tt.is, tt.text)
				k.want("no callback after a Start that failed, and one exit", tt.journal+" a:exited("+err.Error()+",temporary)")
				k.wantRunning("")
				if tt.name != "another ctx" { // what is started elsewhere is not ours to end
					k.wantMembers("")
				}
			})
		})
	}
}

// wantMembers checks which processes of applications live.
func (k *kit) wantMembers(want string) {
	k.Helper()
	var got []string
	for _, pid := range k.node.Processes() {
		if pid.Group() != nil {
			got = append(got, pid.Path())
		}
	}
	if s := strings.Join(got, " "); s != want {
		k.Errorf("processes of applications: %q, want %q", s, want)
	}
}

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

// gate makes a Start that waits until it is opened.
func gate(app *App) (open func()) {
	ch := make(chan struct{})
	start := app.Start
	app.Start = func(ctx context.Context) (process.PID, error) {
		select {
		case <-ch:
			return start(ctx)
		case <-ctx.Done():
			return process.PID{}, context.Cause(ctx)
		}
	}
	return func() { close(ch) }
}

// start starts an application from elsewhere, and returns where the answer will
// be.
func (k *kit) start(app *App) chan error {
	answer := make(chan error, 1)
	go func() { answer <- Start(k.ctx, app, Temporary) }()
	synctest.Wait()
	return answer
}

func TestTwoStartsOfOne(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		open := gate(a)
		first, second := k.start(a), k.start(a)
		k.is(Start(k.ctx, k.app("b", a), Temporary), ErrNotStarted, "it needs a") // starting is not started
		k.is(Stop(k.ctx, a), ErrNotStarted, "stop a: not started")
		k.wantRunning("")
		time.Sleep(time.Minute) // a start takes the time it takes, whatever the node's CallTimeout
		open()
		k.ok(<-first)
		k.ok(<-second)
		k.want("one start for both (APP-08)", "a.start")
	})
}

func TestTwoStartsOfOneFail(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		open := gate(a)
		inner := a.Start
		a.Start = func(ctx context.Context) (process.PID, error) {
			_, _ = inner(ctx)
			return process.PID{}, errBoom
		}
		first, second := k.start(a), k.start(a)
		open()
		k.is(<-first, errBoom, "")
		k.is(<-second, errBoom, "")
	})
}

func TestStartFromAStart(t *testing.T) {
	inBubble(t, func(k *kit) {
		inner, outer := k.app("inner"), k.app("outer")
		start := outer.Start
		outer.Start = func(ctx context.Context) (process.PID, error) {
			if err := Start(ctx, inner, Temporary); err != nil { // APP-35
				return process.PID{}, err
			}
			k.is(Start(ctx, outer, Temporary), ErrOwnCallback, "")
			return start(ctx)
		}
		k.ok(Start(k.ctx, outer, Temporary))
		k.wantRunning("outer inner")
		k.ok(k.node.Stop(context.Background()))
		k.want("the one that came up last goes first, whichever was begun first", `inner.start outer.start
			outer.prep_stop outer_top.down(shutdown) outer.stop outer:exited(stopped,temporary)+down
			inner.prep_stop inner_top.down(shutdown) inner.stop inner:exited(stopped,temporary)+down`)
	})
}

// Two that start each other would wait for ever.
func TestStartsThatWaitForEachOther(t *testing.T) {
	inBubble(t, func(k *kit) {
		a, b := k.app("a"), k.app("b")
		startA, startB := a.Start, b.Start
		a.Start = func(ctx context.Context) (process.PID, error) {
			if err := Start(ctx, b, Temporary); err != nil {
				return process.PID{}, err
			}
			return startA(ctx)
		}
		b.Start = func(ctx context.Context) (process.PID, error) {
			k.is(Start(ctx, a, Temporary), ErrOwnCallback, "start a: the caller is part of it")
			return startB(ctx)
		}
		k.ok(Start(k.ctx, a, Temporary))
		k.wantRunning("a b")
	})
}

// A worker whose Init asks for the start that it is part of would wait for ever.
func TestWorkerStartsItsOwnApplication(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.Start = func(ctx context.Context) (process.PID, error) {
			pid, err := process.Go(ctx, func(ctx context.Context) error {
				k.is(Start(ctx, a, Temporary), ErrOwnCallback, "")
				<-ctx.Done()
				return nil
			})
			synctest.Wait()
			return pid, err
		}
		k.ok(Start(k.ctx, a, Temporary))
	})
}

func TestStartTimeout(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		hang := make(chan struct{})
		defer close(hang)
		a.StartTimeout = time.Second
		a.Start = func(ctx context.Context) (process.PID, error) {
			_, err := k.top(ctx, "a", &top{})
			k.ok(err)
			<-hang // ignores its ctx
			return process.PID{}, nil
		}
		begun := time.Now()
		err := Start(k.ctx, a, Temporary)
		k.is(err, ErrTimeout, "Start: took too long")
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the start took %v, its limit is 1s", took)
		}
		hung := k.report(Hung)
		if len(hung.Left) != 1 || !strings.Contains(hung.Left[0].Stack, "TestStartTimeout") {
			t.Errorf("the report shows %+v, want where Start hangs", hung.Left)
		}
		k.wantMembers("")
		k.want("what it had started is gone", "a:hung a_top.down(killed) a:exited("+err.Error()+",temporary)")
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

func TestInvalidType(t *testing.T) {
	inBubble(t, func(k *kit) {
		k.is(Start(k.ctx, k.app("a"), Type(9)), ErrInvalidType, "Type(9)")
		k.want("nothing was started", "")
	})
}

func TestNoNode(t *testing.T) {
	err := Start(context.Background(), &App{Name: "a"}, Temporary)
	if !errors.Is(err, process.ErrNoNode) {
		t.Errorf("a start without a node: %v, want ErrNoNode, which names the cure", err)
	}
}

func TestCallerGivesUp(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		open := gate(a)
		ctx, cancel := context.WithTimeout(k.ctx, time.Second)
		defer cancel()
		k.is(Start(ctx, a, Temporary), context.DeadlineExceeded, "")
		open()
		synctest.Wait()
		k.wantRunning("a")
	})
}
