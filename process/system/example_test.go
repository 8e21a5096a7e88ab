package system_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/process/system"
)

// A Till keeps the day's takings.
type Till struct{ Total int }

// Take asks a Till to take Amount; the answer is the new total.
type Take struct{ Amount int }

// Handle implements server.Request.
func (m Take) Handle(_ context.Context, t *Till) (int, error) {
	t.Total += m.Amount
	return t.Total, nil
}

func Example() {
	n := process.NewNode(process.NodeSpec{})
	ctx := n.Context()
	till, err := server.Start(ctx, server.Spec[Till]{Name: "till"})
	fmt.Println(err)

	fmt.Println(system.Trace(ctx, till, os.Stdout)) // what it does, as it does it
	fmt.Println(server.Call(ctx, till, Take{Amount: 5}))
	fmt.Println(system.State[Till](ctx, till))

	// Somebody has stolen the takings. No handler runs while we put that right.
	err = system.Suspend(ctx, till)
	_, err2 := system.ReplaceState(ctx, till, func(t Till) (Till, error) { t.Total = 0; return t, nil })
	fmt.Println(errors.Join(err, err2, system.Resume(ctx, till)))
	fmt.Println(server.Call(ctx, till, Take{Amount: 1}))
	fmt.Println(n.Stop(context.Background()))
	// Output:
	// <nil>
	// <nil>
	// till got system_test.Take{Amount:5}
	// till sent 5
	// 5 <nil>
	// {5} <nil>
	// <nil>
	// till got system_test.Take{Amount:1}
	// till sent 1
	// 1 <nil>
	// <nil>
}
