package application

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/process"
)

// Our own processes can be killed and sent nonsense like any other.

func TestNonsenseIsIgnored(t *testing.T) {
	inBubble(t, func(k *kit) {
		k.ok(Start(k.ctx, k.app("a"), Temporary))
		_, err := process.Go(k.ctx, func(ctx context.Context) error {
			for _, to := range []process.PID{k.pid(controllerName), k.pid(anchorName), k.pid("a_top").Parent()} {
				k.ok(process.Send(ctx, to, "nonsense"))
				k.is(process.Do(ctx, to, &ping{}), nil, "does not answer a *application.ping")
				k.ok(process.SendExit(ctx, to, errBoom))
			}
			return nil
		})
		k.ok(err)
		synctest.Wait()
		k.wantRunning("a")
		if len(k.crashes) != 4 { // the anchor warns of the exit signal too
			t.Errorf("%d reports, want one for each message that nobody knows: %+v", len(k.crashes), k.crashes)
		}
	})
}

func TestAnchorIsKilled(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.ensure(Temporary, k.app("b", a))
		k.ok(process.Kill(k.ctx, k.pid(anchorName)))
		synctest.Wait()
		k.set(func() { k.journal = nil })
		k.ok(k.node.Stop(context.Background()))
		k.want("another has taken its place: the stop is in order", `
			b.prep_stop b_top.down(shutdown) b.stop b:exited(stopped,temporary)+down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,temporary)+down`)
	})
}

func TestControllerIsKilled(t *testing.T) {
	inRun(t, func(r *runKit) {
		r.run(r.Context(), r.app("a"))
		r.ok(process.Kill(r.ctx, r.pid(controllerName)))
		r.ending(AppEnded, "the process that keeps the books has ended: killed")
		r.want("the application stops by itself", "a.start ready a.prep_stop a_top.down(shutdown) a.stop")
		if len(r.crashes) == 0 || !strings.Contains(r.crashes[0].Reason.Error(), "keeps the books") {
			t.Errorf("reports: %+v, want one that says what has happened", r.crashes)
		}
	})
}

func TestWatchIsKilled(t *testing.T) {
	inRun(t, func(r *runKit) {
		r.run(r.Context(), r.app("a"))
		for _, pid := range r.processes("signals") {
			r.ok(process.Kill(r.ctx, pid))
		}
		r.ending(UncleanStop, "the process that waits for signals was killed")
		r.want("", "a.start ready a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,permanent)+down")
		r.signals <- syscall.SIGTERM // nobody takes it
	})
}

// processes returns those of a kind.
func (r *runKit) processes(kind string) (found []process.PID) {
	node, err := process.NodeOf(r.ctx)
	r.ok(err)
	for _, pid := range node.Processes() {
		if pid.Is(kind) {
			found = append(found, pid)
		}
	}
	if len(found) == 0 {
		r.Fatalf("there is no process of kind %q", kind)
	}
	return found
}

func TestNameOfTheControllerIsTaken(t *testing.T) {
	inBubble(t, func(k *kit) {
		_, err := process.Start(k.ctx, process.Spec{Name: controllerName, Behaviour: &top{kit: k, name: "thief"}})
		k.ok(err)
		_, err = WhichApplications(k.ctx)
		if err == nil || errors.Is(err, process.ErrNameTaken) || !strings.Contains(err.Error(), "it is ours") {
			t.Errorf("WhichApplications = %v, want who has the name", err)
		}
	})
}
