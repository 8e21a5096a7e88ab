// Hello splits a bill among fewer and fewer guests. Among none at all, the till
// breaks; its supervisor starts another, and the program goes on.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
	"github.com/coppice-go/coppice/supervisor"
)

// A Till splits bills. Only its own process touches what is in it.
type Till struct{ bills int }

// Split asks a Till to split a bill; the answer is what each one pays.
type Split struct{ Bill, Guests int }

func (m Split) Handle(ctx context.Context, t *Till) (int, error) {
	t.bills++
	return m.Bill / m.Guests, nil
}

var till = registry.NewKey[server.Ref[Till]]("till")

var hello = &application.App{Name: "hello", Start: func(ctx context.Context) (process.PID, error) {
	return supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{
		{ID: "till", Start: server.StartFunc(server.Spec[Till]{Name: till.Name()})},
		{ID: "waiter", Start: supervisor.Go(serve)},
	}})
}}

func main() { application.Main(hello) }

func serve(ctx context.Context) error {
	for guests := 3; ctx.Err() == nil; guests = (guests + 3) % 4 {
		each, err := server.Call(ctx, till, Split{Bill: 60, Guests: guests})
		fmt.Println(guests, "guests pay", each, err)
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
	}
	return nil
}
