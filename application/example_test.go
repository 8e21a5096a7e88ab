package application_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// tree starts a supervision tree of one worker that says when it comes and goes.
func tree(name string) func(context.Context) (process.PID, error) {
	return supervisor.StartFunc(supervisor.Spec{Children: []supervisor.Child{
		{ID: name, Start: supervisor.Go(func(ctx context.Context) error {
			<-ctx.Done()
			fmt.Println(name, "goes")
			return nil
		})},
	}})
}

// Two applications, one of which needs the other, start in order and stop in
// reverse.
func Example() {
	storage := &application.App{Name: "storage", Start: tree("storage")}
	broker := &application.App{
		Name:     "broker",
		Needs:    []*application.App{storage},
		Start:    tree("broker"),
		PrepStop: func(context.Context) error { fmt.Println("broker takes leave"); return nil },
		Stop:     func(context.Context) error { fmt.Println("broker closes its files"); return nil },
	}

	node := process.NewNode(process.NodeSpec{Probe: quiet{}})
	started, err := application.EnsureAllStarted(node.Context(), application.Permanent, broker)
	fmt.Println("started:", started, err)
	err = node.Stop(context.Background())
	fmt.Println("stopped:", err)
	// Output:
	// started: [storage broker] <nil>
	// broker takes leave
	// broker goes
	// broker closes its files
	// storage goes
	// stopped: <nil>
}

// A setting has a type, a default and, if need be, a check. Its value may come
// from a file, from the environment, or from the program.
func ExampleVar() {
	keepAlive := &application.Var[time.Duration]{Name: "keep_alive", Default: time.Minute}
	broker := &application.App{Name: "broker", Env: []application.Setting{keepAlive}}
	broker.Start = func(ctx context.Context) (process.PID, error) {
		fmt.Println("keep alive:", keepAlive.Get(ctx))
		return tree("broker")(ctx)
	}

	node := process.NewNode(process.NodeSpec{Probe: quiet{}})
	defer node.Stop(context.Background())
	cfg := application.Config{Environ: []string{"BROKER_KEEP_ALIVE=90s"}}
	if err := application.Configure(node.Context(), cfg); err != nil {
		fmt.Println(err)
	}
	if err := application.Start(node.Context(), broker, application.Temporary); err != nil {
		fmt.Println(err)
	}
	// Output:
	// keep alive: 1m30s
	// broker goes
}

// A cycle is refused with its path, whoever is asked for first.
func ExampleCycleError() {
	a, b := &application.App{Name: "a"}, &application.App{Name: "b"}
	a.Needs, b.Needs = []*application.App{b}, []*application.App{a}

	node := process.NewNode(process.NodeSpec{})
	defer node.Stop(context.Background())
	fmt.Println(application.Load(node.Context(), a))
	// Output:
	// application: cycle: a needs b needs a
}

// Run is Main for programs that have options of their own, and for tests.
func ExampleRun() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	broken := &application.App{Name: "broken", Start: func(context.Context) (process.PID, error) {
		return process.PID{}, errors.New("no disk")
	}}
	err := application.Run(ctx, application.Options{Node: process.NodeSpec{Probe: quiet{}}, Output: os.Stdout}, broken)
	fmt.Println(err)
	fmt.Println("exit code", application.ExitCode(err))
	// Output:
	// failed to start: application: broken, which is permanent, did not start: application: broken: Start: no disk
	// exit code 1
}

// quiet is a probe that keeps reports out of an example's output.
type quiet struct{}

func (quiet) Wants() process.Kind { return 0 }
func (quiet) Event(process.Event) {}
