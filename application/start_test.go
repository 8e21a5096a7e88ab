package application

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
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

// What is needed has ended, so this one cannot come up: that matters to the node
// as any failed start does (APP-25). Where it was never started, nobody has lost
// anything.
func TestNeedThatEndedTakesNodeDown(t *testing.T) {
	for _, tt := range []struct {
		typ     Type
		started bool
		down    string
	}{
		{Permanent, true, "b:node goes down"},
		{Transient, true, "b:node goes down"},
		{Temporary, true, ""},
		{Permanent, false, ""},
	} {
		inBubble(t, func(k *kit) {
			a := k.app("a")
			if tt.started {
				k.ok(Start(k.ctx, a, Temporary))
				k.end("a", nil)
				k.want("", "a.start a_top.down(<nil>) a.prep_stop a.stop a:exited(<nil>,temporary)")
			}
			err := Start(k.ctx, k.app("b", a), tt.typ)
			k.is(err, nil, "start b: it needs a: ")
			k.want(fmt.Sprintf("%v, started: %v", tt.typ, tt.started), tt.down)
			if tt.down != "" {
				cause, waitErr := Wait(k.ctx)
				ended, _ := errors.AsType[*EndedError](cause)
				if waitErr != nil || ended == nil || ended.App.Name != "b" || !ended.Starting || ended.Reason != err {
					t.Errorf("the node went down because of %v (%v), want the start of b", cause, waitErr)
				}
			}
		})
	}
}

// A library runs nothing, so nothing of it can miss what has ended; who needs
// both is still told.
func TestNeedThatEndedOfALibrary(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		lib := &App{Name: "lib", Needs: []*App{a}}
		k.is(Start(k.ctx, lib, Permanent), ErrNotStarted, "it needs a")
		k.ok(Start(k.ctx, a, Temporary))
		k.end("a", nil)
		k.ok(Start(k.ctx, lib, Permanent))
		k.wantRunning("lib")
		k.is(Start(k.ctx, k.app("b", lib, a), Temporary), ErrNotRunning, "it needs a")
	})
}

// One that may not run is not even tried, so nothing of it can fail.
func TestNeedThatEndedOfAForbiddenOne(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		k.ok(Start(k.ctx, a, Temporary))
		k.end("a", nil)
		k.ok(Load(k.ctx, b))
		k.ok(Permit(k.ctx, b, false))
		k.ok(Start(k.ctx, b, Permanent))
		k.want("it waits for its permission", "a.start a_top.down(<nil>) a.prep_stop a.stop a:exited(<nil>,temporary) b:withheld")
		k.is(Permit(k.ctx, b, true), ErrNotRunning, "it needs a")
		k.want("now it is tried", "b:node goes down")
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
