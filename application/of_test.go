package application

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// In the Init of a worker, Starting tells its first start from a restart
// (APP-46).
func TestStarting(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := &App{Name: "a", StartPhases: []Phase{{"p", func(ctx context.Context) error { k.log("phase:%v", Starting(ctx)); return nil }}}}
		a.Start = supervisor.StartFunc(supervisor.Spec{Children: []supervisor.Child{{ID: "w", Start: server.StartFunc(server.Spec[struct{}]{
			Name: "worker",
			Init: func(ctx context.Context) (*struct{}, error) {
				k.log("init:%v,%v", Starting(ctx), Starting(In(k.ctx, a)))
				return new(struct{}), nil
			},
		})}}})
		a.PrepStop = func(ctx context.Context) error { k.log("prep_stop:%v", Starting(ctx)); return nil }
		k.ok(Start(k.ctx, a, Temporary))
		k.want("the start", "init:true,true phase:true")
		k.ok(process.Kill(k.ctx, k.pid("worker")))
		synctest.Wait()
		k.want("the restart", "init:false,false")
		k.ok(Stop(k.ctx, a))
		k.want("", "prep_stop:false a:exited(stopped,temporary)")
		if Starting(k.ctx) || Starting(In(k.ctx, a)) || Starting(context.Background()) {
			t.Error("nothing is starting")
		}
	})
}

// What Start sets, later callbacks of the same run see; another node's run has
// its own (APP-15, APP-29).
func TestCallbacksShareState(t *testing.T) {
	inBubble(t, func(k *kit) {
		files := &Var[string]{Name: "files"} // not in Env: no file can set it
		a := k.app("a")
		start := a.Start
		a.Start = func(ctx context.Context) (process.PID, error) {
			k.ok(files.Set(ctx, "opened"))
			return start(ctx)
		}
		a.PrepStop = func(ctx context.Context) error {
			k.log("prep_stop:%s", files.Get(ctx))
			return files.Set(ctx, "flushed")
		}
		a.Stop = func(ctx context.Context) error { k.log("stop:%s", files.Get(ctx)); return nil }
		k.ok(Start(k.ctx, a, Temporary))
		k.ok(Stop(k.ctx, a))
		k.want("", "a.start prep_stop:opened a_top.down(shutdown) stop:flushed a:exited(stopped,temporary)")
	})
}

func TestOf(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		k.ok(Start(k.ctx, a, Temporary))
		if Of(k.ctx) != nil || OfProcess(k.ctx, k.pid(controllerName)) != nil {
			t.Error("what belongs to no application is said to belong to one")
		}
		if Of(In(k.ctx, a)) != a {
			t.Error("In is not seen by Of")
		}
		k.ask("a_top", func(ctx context.Context) {
			_, err := process.Go(ctx, func(ctx context.Context) error {
				if Of(ctx) != a {
					t.Errorf("Of in a worker below a's top = %v", Of(ctx))
				}
				return nil
			})
			k.ok(err)
		})
		synctest.Wait()
	})
}
