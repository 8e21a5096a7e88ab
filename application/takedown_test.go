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
		k.want("its end is seen all the same: by a monitor, which it cannot undo (D9, APP-54)", "a.start a_top.down(boom) a.prep_stop a.stop a:exited(boom,temporary)")
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

// Nothing that hangs makes the stop hang (D9).
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
		if left := k.report(StraysEnded).Left; len(left) != 1 || left[0].PID.Path() != "top" || !strings.Contains(left[0].Spawner, "takedown_test.go:") {
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
