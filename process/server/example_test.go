package server_test

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A Till keeps the day's takings.
type Till struct{ total int }

// Take asks a Till to take Amount; the answer is the new total.
type Take struct{ Amount int }

// Handle implements server.Request.
func (m Take) Handle(_ context.Context, t *Till) (int, error) {
	t.total += m.Amount
	return t.total, nil
}

// Close empties a Till. Nobody waits, so an error would end it.
type Close struct{}

// Handle implements server.Notice.
func (Close) Handle(_ context.Context, t *Till) error {
	t.total = 0
	return nil
}

func Example() {
	n := process.NewNode(process.NodeSpec{})
	ctx := n.Context()
	till, err := server.Start(ctx, server.Spec[Till]{Name: "till"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Call(ctx, till, Take{Amount: 5}))
	fmt.Println(server.Call(ctx, till, Take{Amount: 7}))
	fmt.Println(server.Cast(ctx, till, Close{}))
	fmt.Println(server.Call(ctx, till, Take{Amount: 1}))
	fmt.Println(n.Stop(context.Background()))
	fmt.Println(server.Call(ctx, till, Take{Amount: 1}))
	// Output:
	// 5 <nil>
	// 12 <nil>
	// <nil>
	// 1 <nil>
	// <nil>
	// 0 process: node is stopped
}

// Two tills are asked at once, and the answers taken as they come.
func ExampleRequests() {
	n := process.NewNode(process.NodeSpec{})
	ctx := n.Context()
	var asked server.Requests[string, int]
	for name, amount := range map[string]int{"left": 5, "right": 7} {
		till, err := server.Start(ctx, server.Spec[Till]{Name: name})
		if err != nil {
			fmt.Println(err)
			return
		}
		asked.Add(name, server.SendRequest(ctx, till, Take{Amount: amount}))
	}
	for asked.Len() > 0 {
		name, answer, err := asked.Next(ctx)
		if err != nil {
			fmt.Println(err) // nobody answered in time
			break
		}
		fmt.Println(name, answer.Value, answer.Err)
	}
	fmt.Println(n.Stop(context.Background()))
	// Unordered output:
	// left 5 <nil>
	// right 7 <nil>
	// <nil>
}
