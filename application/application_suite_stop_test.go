package application

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// A worker hangs in its restart, and with it its supervisor. The node stops all
// the same.
func suiteShutdownTimeout(k *kit) {
	hang := make(chan struct{})
	defer close(hang)
	restarted := false
	deadlock := &App{Name: "deadlock", TreeTimeout: time.Second, Start: supervisor.StartFunc(supervisor.Spec{
		Children: []supervisor.Child{{ID: "child", Start: server.StartFunc(server.Spec[struct{}]{
			Name: "deadlock_child",
			Init: func(context.Context) (*struct{}, error) {
				if restarted {
					<-hang // and does not look at its ctx
				}
				restarted = true
				return new(struct{}), nil
			},
		})}},
	})}
	k.ok(Start(k.ctx, deadlock, 0))
	k.ok(process.Kill(k.ctx, k.pid("deadlock_child")))
	synctest.Wait()
	begun := time.Now()
	err := k.node.Stop(context.Background())
	if took := time.Since(begun); took > 2*time.Second {
		k.Errorf("the node took %v to stop, the tree's limit is 1s", took)
	}
	k.is(err, nil, "abandoned")
	if hung := k.report(Hung); hung.App != deadlock || !strings.Contains(fmt.Sprint(hung.Left), "child") {
		k.Errorf("the report names %v, want the worker that hangs", hung.Left)
	}
}

// While a stop is under way, others ask about it.
func suiteShutdownDeadlock(k *kit) {
	inTerminate, goOn := make(chan struct{}), make(chan struct{})
	deadlock := &App{Name: "deadlock", Start: supervisor.StartFunc(supervisor.Spec{
		Children: []supervisor.Child{{ID: "child", Start: server.StartFunc(server.Spec[struct{}]{
			TrapExit:  true,
			Terminate: func(context.Context, *struct{}, error) error { close(inTerminate); <-goOn; return nil },
		})}},
	})}
	k.ensure(0, chSup("other"), deadlock)
	stopped := make(chan error, 1)
	go func() { stopped <- Stop(k.ctx, deadlock) }()
	<-inTerminate
	infos, err := Infos(k.ctx)
	if last := infos[len(infos)-1]; err != nil || last.App != deadlock || !last.Top.Alive() || last.Phase != "stopping its tree" {
		k.Errorf("Infos during the stop: %+v, %v; want the top of deadlock, stopping", last, err)
	}
	k.wantRunning("other")
	close(goOn)
	k.ok(<-stopped)
	k.ok(Unload(k.ctx, deadlock))
}

func suiteShutdownFunc(r *runKit) {
	r.options.Stopping = func(ctx context.Context, cause error) {
		r.log("stopping(%v)", cause)
		r.wantRunning("app")
		time.Sleep(time.Second)
		r.log("go on")
	}
	r.run(r.Context(), r.app("app"))
	r.signals <- syscall.SIGTERM
	r.clean()
	r.want("before anything is stopped, and the stop waits for it", `app.start ready stopping(<nil>) go on
		app.prep_stop app_top.down(shutdown) app.stop app:exited(stopped,permanent)+down`)
}

func suiteOTP5363(k *kit) {
	app := &App{Name: "group_leader", Start: supervisor.StartFunc(supervisor.Spec{
		Children: []supervisor.Child{{ID: "aa", Start: server.StartFunc(server.Spec[struct{}]{
			TrapExit: true,
			Init: func(ctx context.Context) (*struct{}, error) {
				// Linked to nobody: nothing but the stop of the application ends it.
				_, err := process.Start(ctx, process.Spec{Name: "nisse", Unlinked: true, Behaviour: &top{kit: k, name: "nisse"}})
				return new(struct{}), err
			},
		})}},
	})}
	k.ok(Start(k.ctx, app, 0))
	nisse := k.pid("nisse")
	k.ok(Stop(k.ctx, app))
	if reason, err := process.Wait(k.ctx, nisse); err != nil || !errors.Is(reason, process.ErrKilled) {
		k.Errorf("nisse ended with %v, %v; want it killed", reason, err)
	}
	if pid, is := process.Whereis(k.ctx, "nisse"); is {
		k.Errorf("nisse is still there: %v", pid)
	}
}

func suiteOTP16504(k *kit) {
	called := make(chan struct{})
	app1 := chSup("app1")
	app1.Stop = func(context.Context) error { close(called); return nil }
	k.ok(EnsureStarted(k.ctx, app1, 0))
	infos, err := Infos(k.ctx)
	k.ok(err)
	k.ok(process.Kill(k.ctx, infos[0].PID))
	<-called
	synctest.Wait()
	k.wantRunning("")
}
