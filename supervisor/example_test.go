package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
	"github.com/coppice-go/coppice/supervisor"
)

// quiet has no reports on standard error, which would otherwise show the
// crashes of the examples.
type quiet struct{}

func (quiet) Wants() process.Kind   { return 0 }
func (quiet) Event(e process.Event) {}

// theCook is whoever cooks at the moment.
var theCook = registry.NewKey[server.Ref[cook]]("cook")

// A cook fries eggs, and cannot stand rotten ones.
type cook struct{ fried int }

type fry struct{ rotten bool }

func (m fry) Handle(_ context.Context, c *cook) (int, error) {
	if m.rotten {
		return 0, server.Stop(errors.New("a rotten egg"))
	}
	c.fried++
	return c.fried, nil
}

func Example() {
	node := process.NewNode(process.NodeSpec{Probe: quiet{}})
	ctx := node.Context()
	kitchen, err := supervisor.Start(ctx, supervisor.Spec{
		Intensity: 3, Period: time.Minute,
		Children: []supervisor.Child{
			{ID: "cook", Start: server.StartFunc(server.Spec[cook]{Name: theCook.Name()})},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	first, err := theCook.Resolve(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Call(ctx, theCook, fry{}))
	fmt.Println(server.Call(ctx, theCook, fry{}))
	fmt.Println(server.Call(ctx, theCook, fry{rotten: true}))

	// The supervisor hears of the end of the first cook before we do, so what
	// we ask it now comes after the restart.
	fmt.Println(process.Wait(ctx, first))
	fmt.Println(supervisor.CountChildren(ctx, kitchen))
	fmt.Println(server.Call(ctx, theCook, fry{}))
	fmt.Println(node.Stop(context.Background()))
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 0 a rotten egg
	// a rotten egg <nil>
	// {1 1 0 1} <nil>
	// 1 <nil>
	// <nil>
}

// The error of a start says which child failed, however deep in the tree.
func ExampleStart_error() {
	node := process.NewNode(process.NodeSpec{Probe: quiet{}})
	ctx := node.Context()
	full := errors.New("disk full")
	store := supervisor.Spec{Children: []supervisor.Child{
		{ID: "log", Start: func(context.Context) (process.PID, error) { return process.PID{}, full }},
	}}
	_, err := supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{
		{ID: "store", Start: supervisor.StartFunc(store)},
	}})
	fmt.Println(err)
	fmt.Println(errors.Is(err, full))
	// Output:
	// shutdown: failed to start child "store": shutdown: failed to start child "log": disk full
	// true
}

// Every fault in a Spec is told at once, with the cure.
func ExampleSpecError() {
	node := process.NewNode(process.NodeSpec{})
	_, err := supervisor.Start(node.Context(), supervisor.Spec{Name: "edge", Intensity: -7, Children: []supervisor.Child{
		{ID: "conns"},
		{Start: supervisor.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })},
	}})
	fmt.Println(err)
	// Output:
	// supervisor: bad Spec of "edge": 3 faults
	// 	Intensity is -7: use a number of restarts, or NoRestart
	// 	child "conns": Children[0] has no Start: give the function that starts its process
	// 	Children[1] has no ID: name it
}

// A dynamic supervisor starts its children when it is asked to, each with an
// argument of its own.
func ExampleStartOne() {
	node := process.NewNode(process.NodeSpec{})
	ctx := node.Context()
	greet := func(ctx context.Context, name string) (process.PID, error) {
		return process.Go(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		})
	}
	guests, err := supervisor.Start(ctx, supervisor.Spec{
		Strategy:    supervisor.Dynamic,
		MaxChildren: 2,
		Children:    []supervisor.Child{{ID: "guest", Start: supervisor.Template(greet), Restart: supervisor.Temporary}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"Ada", "Grace", "Barbara"} {
		_, err := supervisor.StartOne(ctx, guests, name)
		fmt.Println(name, err)
	}
	_, err = supervisor.StartOne(ctx, guests, 7)
	fmt.Println(7, err)
	fmt.Println(node.Stop(context.Background()))
	// Output:
	// Ada <nil>
	// Grace <nil>
	// Barbara supervisor: reached MaxChildren: there are 2
	// 7 supervisor: reached MaxChildren: there are 2
	// <nil>
}

// Any function of a ctx can be a child.
func ExampleGo() {
	node := process.NewNode(process.NodeSpec{})
	begun := make(chan bool)
	_, err := supervisor.Start(node.Context(), supervisor.Spec{Children: []supervisor.Child{
		{ID: "flush", Start: supervisor.Go(func(ctx context.Context) error {
			close(begun)
			<-ctx.Done()
			fmt.Println("told to stop:", context.Cause(ctx))
			return nil
		})},
	}})
	<-begun
	fmt.Println(err)
	fmt.Println(node.Stop(context.Background()))
	// Output:
	// <nil>
	// told to stop: shutdown
	// <nil>
}

// A library that starts goroutines of its own becomes a child by a bridge.
func ExampleBridge() {
	node := process.NewNode(process.NodeSpec{})
	index := supervisor.Bridge(func(context.Context) (supervisor.Foreign, error) {
		fmt.Println("index is open") // and syncs in the background from now on
		return supervisor.Foreign{Stop: func(_ context.Context, reason error) error {
			fmt.Println("index is closed:", reason)
			return nil
		}}, nil
	})
	_, err := supervisor.Start(node.Context(), supervisor.Spec{Children: []supervisor.Child{{ID: "index", Start: index}}})
	fmt.Println(err)
	fmt.Println(node.Stop(context.Background()))
	// Output:
	// index is open
	// <nil>
	// index is closed: shutdown
	// <nil>
}
