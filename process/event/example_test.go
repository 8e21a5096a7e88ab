package event_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
)

// A Login is an event.
type Login struct {
	User string
	OK   bool
}

// A journal keeps who logged in.
type journal struct{ users []string }

func (j *journal) on(_ context.Context, ev Login) error {
	j.users = append(j.users, ev.User)
	return nil
}

// Users asks a journal for what it has kept.
type Users struct{}

// Handle implements event.Request.
func (Users) Handle(_ context.Context, j *journal) ([]string, error) { return j.users, nil }

// A guard raises its voice when too many logins fail.
type guard struct{ failed int }

func (g *guard) on(_ context.Context, ev Login) error {
	if !ev.OK {
		g.failed++
	}
	if g.failed == 2 {
		fmt.Println("too many failed logins, the last of", ev.User)
		return event.Remove(nil) // once is enough
	}
	return nil
}

func Example() {
	n := process.NewNode(process.NodeSpec{})
	ctx := n.Context()
	bus, err := event.Start(ctx, event.Spec[Login]{Name: "logins"})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = errors.Join(
		event.Add(ctx, bus, event.Handler[Login, journal]{ID: "journal", On: (*journal).on}),
		event.Add(ctx, bus, event.Handler[Login, guard]{ID: "guard", On: (*guard).on}),
		bus.Notify(ctx, Login{"ann", true}),
		bus.Notify(ctx, Login{"eve", false}),
		bus.SyncNotify(ctx, Login{"eve", false}),
	)
	fmt.Println(err)
	fmt.Println(event.Handlers(ctx, bus))
	fmt.Println(event.Call(ctx, bus, "journal", Users{}))
	fmt.Println(n.Stop(context.Background()))
	// Output:
	// too many failed logins, the last of eve
	// <nil>
	// [journal] <nil>
	// [ann eve eve] <nil>
	// <nil>
}

// What one handler has gathered, another can take over.
func ExampleSwap() {
	n := process.NewNode(process.NodeSpec{})
	ctx := n.Context()
	bus, _ := event.Start(ctx, event.Spec[Login]{Handlers: []event.AnyHandler[Login]{
		event.Handler[Login, journal]{ID: "journal", On: (*journal).on},
	}})
	fmt.Println(bus.Notify(ctx, Login{"ann", true}))
	err := event.Swap(ctx, bus, "journal", func(old *journal) event.Handler[Login, journal] {
		return event.Handler[Login, journal]{
			ID:   "loud",
			Init: func(context.Context) (*journal, error) { return old, nil },
			On: func(j *journal, ctx context.Context, ev Login) error {
				fmt.Println("welcome,", ev.User)
				return j.on(ctx, ev)
			},
		}
	})
	fmt.Println(err)
	fmt.Println(bus.SyncNotify(ctx, Login{"bob", true}))
	fmt.Println(event.Call(ctx, bus, "loud", Users{}))
	fmt.Println(n.Stop(context.Background()))
	// Output:
	// <nil>
	// <nil>
	// welcome, bob
	// <nil>
	// [ann bob] <nil>
	// <nil>
}
