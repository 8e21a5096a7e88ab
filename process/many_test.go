package process_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// However many watch a process, each is told once, behind the last that the process
// sent it, and all are told when one that waits for the end goes on.
func TestManyWatchers(t *testing.T) {
	for _, n := range []int{1, 64, 128, 129, 1000} {
		synctest.Test(t, func(t *testing.T) {
			ctx := processtest.Context(t)
			on := start(t, ctx, process.Spec{Unlinked: true})
			watchers := make([]*script, n)
			pids := make([]process.PID, n)
			for i := range watchers {
				watchers[i] = &script{}
				pids[i] = start(t, ctx, process.Spec{Behaviour: watchers[i]})
				watch := do(func(ctx context.Context, s *script) error {
					_, err := process.Monitor(ctx, on, nil)
					return err
				})
				if err := process.Send(ctx, pids[i], watch); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			farewell := do(func(ctx context.Context, _ *script) error {
				for _, pid := range pids {
					if err := process.Send(ctx, pid, "farewell"); err != nil {
						return err
					}
				}
				return errBoom
			})
			if err := process.Send(ctx, on, farewell); err != nil {
				t.Fatal(err)
			}
			if _, err := process.Wait(ctx, on); err != nil {
				t.Fatal(err)
			}
			for i, pid := range pids {
				if info := pid.Info(); info.Mailbox+int(info.Taken) != 3 {
					t.Fatalf("of %d, watcher %d: %d waiting and %d taken when the end was known, want 3 in all", n, i, info.Mailbox, info.Taken)
				}
			}
			synctest.Wait()
			for i, w := range watchers {
				if len(w.kept) != 2 || w.kept[0] != "farewell" {
					t.Fatalf("of %d, watcher %d was told %v, want the farewell and one Down", n, i, w.kept)
				}
				if d, ok := w.kept[1].(*process.Down); !ok || d.PID != on || d.Reason != errBoom {
					t.Fatalf("of %d, watcher %d was told %v, want the Down", n, i, w.kept[1])
				}
			}
		})
	}
}
