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

func TestStopOrder(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.ok(Start(k.ctx, a, Permanent))
		k.want("", "a.start")
		k.ok(Stop(k.ctx, a))
		k.want("before the tree, the tree, after it (APP-29); a permanent one may be stopped (APP-26)",
			"a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,permanent)")
		k.is(Stop(k.ctx, a), ErrNotStarted, "")
		k.ok(Start(k.ctx, a, Temporary))
		k.wantRunning("a")
	})
}

func TestTopEndsByItself(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		k.ensure(Temporary, b)
		k.end("a", errBoom)
		k.want("both callbacks run, after the tree (APP-32); others go on (APP-24)",
			"a.start b.start a_top.down(boom) a.prep_stop a.stop a:exited(boom,temporary)")
		k.wantRunning("b")
		k.ok(Start(k.ctx, a, Temporary)) // APP-09
		k.wantRunning("a b")
	})
}

// A top may be gone before Start has returned it.
func TestTopEndsAtOnce(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.Start = func(ctx context.Context) (process.PID, error) {
			pid, err := process.Go(ctx, func(context.Context) error { return errBoom })
			_, _ = process.Wait(ctx, pid)
			return pid, err
		}
		k.ok(Start(k.ctx, a, Temporary))
		k.want("its reason is not lost", "a.prep_stop a.stop a:exited(boom,temporary)")
	})
}

func TestTopIsKilled(t *testing.T) {
	inBubble(t, func(k *kit) {
		k.ok(Start(k.ctx, k.app("a"), Temporary))
		k.ok(process.Kill(k.ctx, process.Name("a_top")))
		k.want("", "a.start a.prep_stop a.stop a:exited(killed,temporary)")
		k.wantMembers("")
	})
}

func TestTopThatUnlinksItself(t *testing.T) {
	inBubble(t, func(k *kit) {
		k.ok(Start(k.ctx, k.app("a"), Temporary))
		k.ok(process.Send(k.ctx, k.pid("a_top"), func(ctx context.Context) {
			k.ok(process.Unlink(ctx, process.Self(ctx).Parent()))
		}))
		synctest.Wait()
		k.end("a", errBoom)
		k.want("its end is seen all the same (APP-54)", "a.start a_top.down(boom) a.prep_stop a.stop a:exited(boom,temporary)")
	})
}

func (k *kit) pid(name string) process.PID {
	k.Helper()
	pid, ok := process.Whereis(k.ctx, name)
	if !ok {
		k.Fatalf("nobody is called %s", name)
	}
	return pid
}

// What the end of one does to the others, by type (APP-22 to APP-24).
func TestEndTakesNodeDown(t *testing.T) {
	for _, tt := range []struct {
		typ    Type
		reason error
		down   bool
	}{
		{Permanent, errBoom, true},
		{Permanent, process.ErrShutdown, true},
		{Permanent, nil, true},
		{Transient, errBoom, true},
		{Transient, process.ErrShutdown, true}, // a supervisor that gives up
		{Transient, nil, false},
		{Temporary, errBoom, false},
	} {
		t.Run(tt.typ.String()+" "+describe(tt.reason), func(t *testing.T) {
			inBubble(t, func(k *kit) {
				a := k.app("a")
				b := k.app("b", a)
				c := k.app("c")
				k.ensure(Temporary, a)
				k.ok(Start(k.ctx, b, tt.typ))
				k.ok(Start(k.ctx, c, Temporary))
				k.want("", "a.start b.start c.start")
				k.end("b", tt.reason)
				lines := "b_top.down(" + describe(tt.reason) + ") b.prep_stop b.stop b:exited(" + describe(tt.reason) + "," + tt.typ.String() + ")"
				if !tt.down {
					k.want("others go on", lines)
					k.wantRunning("c a")
					return
				}
				k.want("the others stop, latest first, after it", lines+` b:node goes down
					c.prep_stop c_top.down(shutdown) c.stop c:exited(stopped,temporary)+down
					a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)+down`)
				time.Sleep(2 * lastWords)
				if left := k.node.Processes(); len(left) != 0 {
					t.Errorf("the node is down, but has %v", left)
				}
			})
		})
	}
}

func describe(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}

// A start that fails takes the node down too, after the caller has its error
// (APP-25).
func TestFailedStartTakesNodeDown(t *testing.T) {
	for _, tt := range []struct {
		name string
		typ  Type
		fail func(ctx context.Context) error
		down bool
	}{
		{"permanent, error", Permanent, func(context.Context) error { return errBoom }, true},
		{"permanent, normal exit", Permanent, func(ctx context.Context) error { process.Exit(ctx, nil); return nil }, true},
		{"transient, error", Transient, func(context.Context) error { return errBoom }, true},
		{"transient, normal exit", Transient, func(ctx context.Context) error { process.Exit(ctx, nil); return nil }, false},
		{"temporary, error", Temporary, func(context.Context) error { return errBoom }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(k *kit) {
				z, a := k.app("z"), k.app("a")
				a.Start = func(ctx context.Context) (process.PID, error) { return process.PID{}, tt.fail(ctx) }
				k.ensure(Temporary, z)
				var cause, waitErr error
				done := make(chan struct{})
				ctx, cancel := context.WithCancelCause(k.ctx)
				go func() { cause, waitErr = Wait(ctx); close(done) }()
				synctest.Wait()
				err := Start(k.ctx, a, tt.typ)
				if _, ok := errors.AsType[*CallbackError](err); !ok {
					t.Errorf("the caller got %v, want the failure of Start", err)
				}
				synctest.Wait()
				cancel(errStillUp)
				<-done
				ended, _ := errors.AsType[*EndedError](cause)
				if tt.down && (ended == nil || ended.App != a || !ended.Starting || !errors.Is(ended, err)) {
					t.Errorf("the node went down because of %v, want the start of a", cause)
				}
				if !tt.down && (waitErr != errStillUp || cause != nil) {
					t.Errorf("the node went down: %v", cause)
				}
			})
		})
	}
}

// Who asked is a process of the node that goes down, and hears of it first.
func TestCallerHearsBeforeTheNodeGoesDown(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.Start = func(context.Context) (process.PID, error) { return process.PID{}, errBoom }
		answer := make(chan error, 1)
		_, err := process.Go(k.ctx, func(ctx context.Context) error { answer <- Start(ctx, a, Permanent); return nil })
		k.ok(err)
		k.is(<-answer, errBoom, "a: Start")
	})
}

var errStillUp = errors.New("still up")

func TestNodeStopIsInReverseOrderOfStart(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b")
		c := k.app("c", a)
		d := k.app("d", b, c)
		k.ok(Start(k.ctx, b, Temporary))
		k.ok(Start(k.ctx, a, Temporary))
		k.ensure(Temporary, d)
		k.ok(Stop(k.ctx, b))
		k.ok(Start(k.ctx, b, Temporary))
		k.wantRunning("b d c a")
		k.set(func() { k.journal = nil })
		k.ok(k.node.Stop(context.Background()))
		k.want("not the order of needs: b came back last (APP-36)", `
			b.prep_stop b_top.down(shutdown) b.stop b:exited(stopped,temporary)+down
			d.prep_stop d_top.down(shutdown) d.stop d:exited(stopped,temporary)+down
			c.prep_stop c_top.down(shutdown) c.stop c:exited(stopped,temporary)+down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)+down`)
		if err := Start(k.ctx, a, Temporary); err == nil {
			t.Error("an application started on a node that has stopped")
		}
	})
}

func TestStopWarnsOfDependents(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		c := k.app("c", b)
		k.ensure(Temporary, c, k.app("other"))
		k.set(func() { k.journal = nil })
		k.ok(Stop(k.ctx, a))
		k.want("it stops, and who needs it is named (APP-27)",
			"a:still needed(b, c) a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)")
		k.wantRunning("other c b")
	})
}

func TestCallbacksThatFail(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.PrepStop = func(context.Context) error { return errBoom }
		a.Stop = func(ctx context.Context) error { panic("oops") }
		k.ok(Start(k.ctx, a, Temporary))
		err := Stop(k.ctx, a)
		k.is(err, errBoom, "a has stopped, but: application: a: PrepStop: boom; application: a: Stop: its process ended: panic: oops")
		if _, ok := errors.AsType[*StopError](err); !ok {
			t.Errorf("%T, want *StopError: it has stopped all the same", err)
		}
		k.want("the stop goes on (APP-30, APP-31)", `a.start a:callback failed(application: a: PrepStop: boom)
			a_top.down(shutdown) a:callback failed(application: a: Stop: its process ended: panic: oops) a:exited(stopped,temporary)`)
		if len(k.crashes) != 1 {
			t.Errorf("%d crash reports, want the one of the panic, with its stack", len(k.crashes))
		}
	})
}

func TestStopDeadlines(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	for _, tt := range []struct {
		phase string
		set   func(k *kit, app *App)
		err   string
		lines string
	}{
		{"prep_stop", func(k *kit, app *App) {
			app.PrepStop = func(ctx context.Context) error { <-ctx.Done(); return nil } // heeds only the kill
		}, "PrepStop: took too long", "a:hung a_top.down(shutdown) a.stop a:exited(stopped,temporary)"},
		{"stopping its tree", func(k *kit, app *App) {
			app.Start = func(ctx context.Context) (process.PID, error) {
				return k.top(ctx, "a", &top{onStop: func(ctx context.Context) { <-ctx.Done() }})
			}
		}, "stopping its tree took longer than 1s", "a.prep_stop a_top.down(shutdown) a:hung a.stop a:exited(stopped,temporary)"},
		{"stop", func(k *kit, app *App) {
			app.Stop = func(ctx context.Context) error { <-ctx.Done(); return nil }
		}, "Stop: took too long", "a.prep_stop a_top.down(shutdown) a:hung a:exited(stopped,temporary)"},
	} {
		t.Run(tt.phase, func(t *testing.T) {
			inBubble(t, func(k *kit) {
				a := k.app("a")
				a.PrepStopTimeout, a.TreeTimeout, a.StopTimeout = time.Second, time.Second, time.Second
				tt.set(k, a)
				k.ok(Start(k.ctx, a, Temporary))
				k.set(func() { k.journal = nil })
				begun := time.Now()
				err := Stop(k.ctx, a)
				if took := time.Since(begun); took < time.Second || took > 2*time.Second {
					t.Errorf("the stop took %v, the limit of the phase is 1s", took)
				}
				k.is(err, nil, tt.err)
				hung, ok := errors.AsType[*HangError](err)
				if !ok || hung.Phase != tt.phase || len(hung.Left) != 1 || !strings.Contains(hung.Left[0].Stack, "TestStopDeadlines") {
					t.Errorf("the error is %+v, want who hangs in %s and where it stands", hung, tt.phase)
				}
				k.want("the rest is done all the same", tt.lines)
				k.wantMembers("")
			})
		})
	}
}

func TestStraysAreEnded(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		start := a.Start
		stray := &top{kit: k, name: "stray"}
		a.Start = func(ctx context.Context) (process.PID, error) {
			_, err := process.Start(ctx, process.Spec{Name: "stray", Unlinked: true, TrapExit: true, Behaviour: stray})
			k.ok(err)
			return start(ctx)
		}
		k.ok(Start(k.ctx, a, Temporary))
		k.wantMembers("a top a/top")
		k.ok(Stop(k.ctx, a))
		k.want("killed: it has no parent to obey (APP-51)", `a.start a.prep_stop a_top.down(shutdown) a.stop
			a:strays ended a:exited(stopped,temporary)`)
		if left := k.report(StraysEnded).Left; len(left) != 1 || left[0].PID.Path() != "top" || !strings.Contains(left[0].Spawner, "stop_test.go:") {
			t.Errorf("the report names %v, want the stray and who started it", left)
		}
		k.wantMembers("")
	})
}

// A helper linked to a worker dies with it; it is no stray.
func TestLinkedHelpersAreNoStrays(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.ok(Start(k.ctx, a, Temporary))
		k.ok(process.Send(k.ctx, k.pid("a_top"), func(ctx context.Context) {
			_, err := process.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); time.Sleep(short); return nil })
			k.ok(err)
		}))
		synctest.Wait()
		k.ok(Stop(k.ctx, a))
		k.want("", "a.start a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)")
		time.Sleep(2 * short) // the helper's goroutine has its Grace
	})
}

func TestMasterIsKilled(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.ok(Start(k.ctx, a, Temporary))
		k.ok(process.Kill(k.ctx, k.pid("a_top").Parent()))
		k.want("another process does the rest (APP-33)", "a.start a_top.down(killed) a.prep_stop a.stop a:exited(killed,temporary)")
		k.wantMembers("")
		k.ok(Start(k.ctx, a, Temporary))
	})
}

func TestMasterIsKilledWhileStopping(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.PrepStop = func(ctx context.Context) error {
			k.log("a.prep_stop")
			return process.Kill(ctx, process.Self(ctx).Parent())
		}
		k.ok(Start(k.ctx, a, Temporary))
		k.ok(Stop(k.ctx, a))
		k.want("PrepStop is not run twice", "a.start a.prep_stop a_top.down(killed) a.stop a:exited(stopped,temporary)")
	})
}

// Callbacks may use the package, whatever is going on (D8).
func TestCallbacksMayAsk(t *testing.T) {
	inBubble(t, func(k *kit) {
		a, b := k.app("a"), k.app("b")
		late := k.app("late")
		b.PrepStop = func(ctx context.Context) error {
			k.log("b.prep_stop")
			k.is(Stop(ctx, b), ErrOwnCallback, "")
			if err := Start(ctx, b, Temporary); !errors.Is(err, ErrOwnCallback) && !errors.Is(err, ErrNodeDown) {
				t.Errorf("start of b from its own PrepStop: %v", err)
			}
			k.wantRunning("a")
			if err := Load(ctx, late); err != nil && !errors.Is(err, ErrAlreadyLoaded) {
				t.Error(err)
			}
			return Start(ctx, late, Temporary)
		}
		k.ensure(Temporary, a, b)
		k.ok(Stop(k.ctx, b))
		k.wantRunning("late a")
		k.ok(Stop(k.ctx, late))
		k.ok(Start(k.ctx, b, Temporary))
		k.set(func() { k.journal = nil })
		k.ok(k.node.Stop(context.Background()))
		k.want("while the node goes down nothing starts, and nobody waits", `
			b.prep_stop b:callback failed(application: b: PrepStop: application: start late: application: the node is going down)
			b_top.down(shutdown) b.stop b:exited(stopped,temporary)+down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)+down`)
	})
}

func TestTwoStopsOfOne(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.PrepStop = func(context.Context) error { time.Sleep(short); return errBoom }
		k.ok(Start(k.ctx, a, Temporary))
		second := make(chan error, 1)
		_, err := process.Go(k.ctx, func(ctx context.Context) error { second <- Stop(ctx, a); return nil })
		k.ok(err)
		k.is(Stop(k.ctx, a), errBoom, "has stopped, but")
		k.is(<-second, errBoom, "has stopped, but")
	})
}

func TestStartWhileStopping(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.PrepStop = func(context.Context) error { time.Sleep(time.Second); return nil }
		k.ok(Start(k.ctx, a, Temporary))
		done := make(chan error, 1)
		_, err := process.Go(k.ctx, func(ctx context.Context) error { done <- Stop(ctx, a); return nil })
		k.ok(err)
		synctest.Wait()
		k.ok(Start(k.ctx, a, Temporary))
		k.ok(<-done)
		k.want("it starts when it has stopped", "a.start a_top.down(shutdown) a.stop a:exited(stopped,temporary) a.start")
	})
}

func TestWorkerStopsItsOwnApplication(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.ok(Start(k.ctx, a, Temporary))
		k.ok(process.Send(k.ctx, k.pid("a_top"), func(ctx context.Context) {
			if err := Stop(ctx, a); err == nil {
				t.Error("Stop returned to a process that it has ended")
			}
		}))
		synctest.Wait()
		k.wantRunning("")
		k.want("it is told to stop while it waits, and does", "a.start a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)")
	})
}

// The node is stopped while something starts: that is told to give up, and what
// runs is stopped after it has.
func TestNodeStopsDuringStart(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		b := k.app("b", a)
		gate(b)
		k.ok(Start(k.ctx, a, Temporary))
		answer := k.start(b)
		k.ok(k.node.Stop(context.Background()))
		k.is(<-answer, ErrNodeDown, "b: Start")
		k.want("b unwinds first", `a.start b:exited(application: b: Start: application: the node is going down,temporary)+down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)+down`)
	})
}

func TestNodeStopsDuringStartThatIgnoresIt(t *testing.T) {
	inBubble(t, func(k *kit) {
		hang := make(chan struct{})
		defer close(hang)
		a := k.app("a")
		b := k.app("b", a)
		b.TreeTimeout = time.Second
		b.Start = func(context.Context) (process.PID, error) { <-hang; return process.PID{}, nil }
		k.ok(Start(k.ctx, a, Temporary))
		answer := k.start(b)
		begun := time.Now()
		if err := k.node.Stop(context.Background()); err == nil || !strings.Contains(err.Error(), "abandoned") {
			t.Errorf("node.Stop = %v, want the goroutine that is left named", err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the stop took %v", took)
		}
		k.is(<-answer, ErrNodeDown, "")
		k.want("", `a.start b:hung b:exited(application: b: Start: application: the node is going down,temporary)+down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)+down`)
	})
}
