package process_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// A process ends with an error, and those who wait for it learn which.
func ExampleGo() {
	n := process.NewNode(process.NodeSpec{Probe: &processtest.Recorder{}})
	ctx := n.Context()
	pid, err := process.Go(ctx, func(context.Context) error {
		return errors.New("out of paper")
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	reason, err := process.Wait(ctx, pid)
	fmt.Println(reason, err)
	fmt.Println(n.Stop(context.Background()))
	// Output:
	// out of paper <nil>
	// <nil>
}

// A raw process has a loop and a message type of its own.
func ExampleSpawn() {
	n := process.NewNode(process.NodeSpec{})
	ctx := n.Context()
	double, err := process.Spawn(ctx, func(_ context.Context, in *process.Inbox[func(int) int]) error {
		for {
			in.Receive()(21)
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := process.Ask(ctx, double, func(r process.Reply[int]) func(int) int {
		return func(n int) int { r.Send(2 * n); return n }
	})
	fmt.Println(answer, err)
	fmt.Println(n.Stop(context.Background()))
	// Output:
	// 42 <nil>
	// <nil>
}

// A monitor tells when another process ends; a link would end both.
func ExampleMonitor() {
	n := process.NewNode(process.NodeSpec{Probe: &processtest.Recorder{}})
	ctx := n.Context()
	done := make(chan string)
	_, err := process.Spawn(ctx, func(ctx context.Context, in *process.Inbox[process.Down]) error {
		worker := process.Raw[int]{Run: func(context.Context, *process.Inbox[int]) error { panic("no coffee") }}
		_, _, err := process.SpawnMonitor(ctx, worker, func(d process.Down) process.Down { return d })
		if err != nil {
			return err
		}
		done <- fmt.Sprint("the worker ended: ", in.Receive().Reason)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-done)
	fmt.Println(n.Stop(context.Background()))
	// Output:
	// the worker ended: panic: no coffee
	// <nil>
}
