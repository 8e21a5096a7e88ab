package registry_test

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
)

// Three lamps in a group are switched on together.
func ExampleScope() {
	n := process.NewNode(process.NodeSpec{})
	ctx := n.Context()
	lamps := registry.NewScope[string, server.Ref[Lamp]]("lamps")
	if _, err := lamps.Start(ctx); err != nil {
		fmt.Println(err)
	}
	for range 3 {
		l, err := server.Start(ctx, server.Spec[Lamp]{})
		if err != nil {
			fmt.Println(err)
		}
		if err := lamps.Join(ctx, "hall", l); err != nil {
			fmt.Println(err)
		}
	}
	hall, err := lamps.Members(ctx, "hall")
	if err != nil {
		fmt.Println(err)
	}
	for _, l := range hall {
		fmt.Println(server.Call(ctx, l, Switch{On: true}))
	}
	fmt.Println(process.Stop(ctx, hall[0], nil)) // it has left before we know of its end
	fmt.Println(lamps.Groups(ctx))
	hall, err = lamps.Members(ctx, "hall")
	fmt.Println(len(hall), err)
	fmt.Println(n.Stop(context.Background()))
	// Output:
	// false <nil>
	// false <nil>
	// false <nil>
	// <nil>
	// [hall] <nil>
	// 2 <nil>
	// <nil>
}

// Each lamp registers where it hangs, and is called by that.
func ExampleUnique() {
	type position struct{ x, y int }
	n := process.NewNode(process.NodeSpec{})
	ctx := n.Context()
	hung := registry.NewUnique[position, string]("hung")
	if _, err := hung.Start(ctx); err != nil {
		fmt.Println(err)
	}
	hang := func(at position, colour string) error {
		_, err := server.Start(ctx, server.Spec[Lamp]{Init: func(ctx context.Context) (*Lamp, error) {
			return &Lamp{}, hung.Register(ctx, at, colour)
		}})
		return err
	}
	fmt.Println(hang(position{1, 2}, "red"))
	fmt.Println(hang(position{1, 2}, "blue"))
	fmt.Println(server.Call(ctx, registry.At[server.Ref[Lamp]](hung, position{1, 2}), Switch{On: true}))
	fmt.Println(server.Call(ctx, registry.At[server.Ref[Lamp]](hung, position{5, 5}), Switch{On: true}))
	e, err := hung.Lookup(ctx, position{1, 2})
	fmt.Println(e.Value, err)
	fmt.Println(n.Stop(context.Background()))
	// Output:
	// <nil>
	// process: name "hung[{1 2}]" is taken by <2>
	// false <nil>
	// false process hung[{5 5}]: no such process
	// red <nil>
	// <nil>
}

// Those who care about a topic say so, and get what is published.
func ExampleDuplicate() {
	n := process.NewNode(process.NodeSpec{})
	ctx := n.Context()
	topics := registry.NewDuplicate[string, process.Ref[string]]("topics")
	if _, err := topics.Start(ctx); err != nil {
		fmt.Println(err)
	}
	read, ready := make(chan string), make(chan error)
	_, err := process.Spawn(ctx, func(ctx context.Context, in *process.Inbox[string]) error {
		me, err := registry.Self[process.Ref[string]](ctx)
		if err != nil {
			return err
		}
		ready <- topics.Register(ctx, "weather", me)
		read <- in.Receive()
		return nil
	})
	fmt.Println(err, <-ready)
	fmt.Println(topics.Dispatch(ctx, "weather", func(e registry.Entry[string, process.Ref[string]]) error {
		return e.Value.Send(ctx, "sunny")
	}))
	fmt.Println(<-read)
	fmt.Println(n.Stop(context.Background()))
	// Output:
	// <nil> <nil>
	// <nil>
	// sunny
	// <nil>
}
