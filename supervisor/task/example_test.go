package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/supervisor/task"
)

func ExampleAsync() {
	node := process.NewNode(process.NodeSpec{})
	ctx := node.Context()
	sum, err := task.Async(ctx, func(context.Context) (int, error) { return 1 + 2, nil })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sum.Await(ctx))
	fmt.Println(node.Stop(context.Background()))
	// Output:
	// 3 <nil>
	// <nil>
}

// Tasks under a supervisor, three at a time; one takes too long.
func ExampleAsyncStream() {
	node := process.NewNode(process.NodeSpec{Probe: quiet{}})
	ctx := node.Context()
	if _, err := supervisor.Start(ctx, task.Supervisor("tasks")); err != nil {
		fmt.Println(err)
		return
	}
	count := func(ctx context.Context, word string) (int, error) {
		if word == "stuck" {
			<-ctx.Done()
		}
		return len(word), nil
	}
	words := slices.Values([]string{"many", "hands", "stuck", "light"})
	o := task.Options{Limit: 3, Timeout: 100 * time.Millisecond, Supervisor: process.Name("tasks")}
	for n, err := range task.AsyncStream(ctx, words, o, count) {
		fmt.Println(n, errors.Is(err, process.ErrTimeout))
	}
	fmt.Println(node.Stop(context.Background()))
	// Output:
	// 4 false
	// 5 false
	// 0 true
	// 5 false
	// <nil>
}

// quiet has no reports on standard error, which would otherwise show that one
// task was killed.
type quiet struct{}

func (quiet) Wants() process.Kind { return 0 }

func (quiet) Event(process.Event) {}
