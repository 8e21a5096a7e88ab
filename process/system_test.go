package process_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

// look returns what a script has kept, by a system request.
func look(ctx context.Context, pid process.PID) (kept []any, err error) {
	err = process.System(ctx, pid, func(_ context.Context, b process.Behaviour) error {
		kept = slices.Clone(b.(*script).kept)
		return nil
	})
	return kept, err
}

// State is looked at by the process's own goroutine only, between turns; system
// requests jump the queue, and one that is busy says so.
func TestGuarantee10SystemRequests(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid := start(t, ctx, process.Spec{Name: "p"})
		gate := make(chan struct{})
		send(t, ctx, pid, "first")
		send(t, ctx, pid, do(func(context.Context, *script) error { <-gate; return nil }))
		send(t, ctx, pid, "second")
		synctest.Wait()
		began := time.Now()
		_, err := look(ctx, pid)
		busy, ok := errors.AsType[*process.BusyError](err)
		if !ok || busy.For != 5*time.Second || time.Since(began) != 5*time.Second ||
			!strings.Contains(busy.Stack, "TestGuarantee10") || !errors.Is(err, process.ErrTimeout) {
			t.Errorf("asked while it is in a handler: %v after %v, want a BusyError with its stack after 5s", err, time.Since(began))
		}
		type answer struct {
			kept []any
			err  error
		}
		got := make(chan answer, 1)
		go func() {
			kept, err := look(ctx, pid)
			got <- answer{kept, err}
		}()
		synctest.Wait()
		close(gate)
		if a := <-got; a.err != nil || !slices.Equal(a.kept, []any{"first"}) {
			t.Errorf("saw %v, %v; want what was there after the turn, before the rest of the mailbox", a.kept, a.err)
		}
		err = process.System(ctx, pid, func(context.Context, process.Behaviour) error { panic(errBoom) })
		if !errors.Is(err, errBoom) || !pid.Alive() {
			t.Errorf("a failing request: %v, want it returned and the process alive", err)
		}
		if err := process.Kill(ctx, pid); err != nil {
			t.Error(err)
		}
		if _, err := look(ctx, pid); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("asked when dead: %v", err)
		}
	})
}

func TestSuspend(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid := start(t, ctx, process.Spec{})
		for range 2 {
			if err := process.Suspend(ctx, pid); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			send(t, ctx, pid, i)
		}
		synctest.Wait()
		if got, err := look(ctx, pid); len(got) != 0 || err != nil || pid.Info().Status != "suspended" || pid.Info().Mailbox != 3 {
			t.Errorf("suspended: kept %v (%v), %+v", got, err, pid.Info())
		}
		if err := process.Resume(ctx, pid); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got, err := look(ctx, pid); len(got) != 3 || err != nil {
			t.Errorf("resumed: kept %v, %v", got, err)
		}
	})
}

// A raw process can be looked at and suspended while it waits in its inbox.
func TestSuspendRaw(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var got []int
		ref, err := process.Spawn(ctx, func(_ context.Context, in *process.Inbox[int]) error {
			for {
				got = append(got, in.Receive())
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Suspend(ctx, ref); err != nil {
			t.Fatal(err)
		}
		if err := ref.Send(ctx, 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(got) != 0 {
			t.Errorf("suspended, it received %v", got)
		}
		if err := process.Resume(ctx, ref); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !slices.Equal(got, []int{1}) {
			t.Errorf("resumed, it received %v", got)
		}
	})
}

// A suspended process ends all the same, and takes no message before.
func TestEndWhileSuspended(t *testing.T) {
	for name, end := range map[string]struct {
		do        func(ctx context.Context, parent, pid process.PID) error
		want      error
		terminate bool
	}{
		"stop": {func(ctx context.Context, _, pid process.PID) error { return process.Stop(ctx, pid, errBoom) }, errBoom, true},
		"kill": {func(ctx context.Context, _, pid process.PID) error { return process.Kill(ctx, pid) }, process.ErrKilled, false},
		"parent": {func(ctx context.Context, parent, _ process.PID) error {
			return process.Send(ctx, parent, errBoom)
		}, errBoom, true},
		"both": {func(ctx context.Context, _, pid process.PID) error {
			return errors.Join(process.Suspend(ctx, pid), process.Stop(ctx, pid, errBoom))
		}, errBoom, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				s := &script{}
				terminated := false
				s.terminate = func(context.Context, error) error { terminated = true; return nil }
				parent := start(t, ctx, process.Spec{})
				var pid process.PID
				in(t, ctx, parent, func(ctx context.Context) {
					pid = start(t, ctx, process.Spec{TrapExit: true, Behaviour: s})
				})
				if err := process.Suspend(ctx, pid); err != nil {
					t.Fatal(err)
				}
				send(t, ctx, pid, "never read")
				if err := end.do(ctx, parent, pid); err != nil {
					t.Error(err)
				}
				wantReason(t, ctx, pid, end.want)
				if terminated != end.terminate || len(s.kept) != 0 {
					t.Errorf("Terminate ran: %v, want %v; it took %v", terminated, end.terminate, s.kept)
				}
			})
		})
	}
}
