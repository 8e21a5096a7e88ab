package registry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A Lamp is on or off.
type Lamp struct{ on bool }

// Switch turns a Lamp on or off; the answer is what it was.
type Switch struct{ On bool }

// Handle implements server.Request.
func (m Switch) Handle(_ context.Context, l *Lamp) (was bool, err error) {
	was, l.on = l.on, m.On
	return was, nil
}

var lamp = registry.NewKey[server.Ref[Lamp]]("lamp")

// A key finds whoever has the name now, and frees it with the process.
func TestKeyFollowsTheName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		for range 3 {
			if _, err := server.Call(ctx, lamp, Switch{}); !errors.Is(err, process.ErrNoProc) || !strings.Contains(err.Error(), "lamp") {
				t.Fatalf("nobody has the name: %v", err)
			}
			l, err := server.Start(ctx, server.Spec[Lamp]{Name: lamp.Name()})
			if err != nil {
				t.Fatal(err)
			}
			if was, err := server.Call(ctx, lamp, Switch{On: true}); was || err != nil {
				t.Errorf("a new lamp: %v, %v", was, err)
			}
			if was, err := server.Call(ctx, lamp, Switch{}); !was || err != nil {
				t.Errorf("the same lamp: %v, %v", was, err)
			}
			if err := process.Kill(ctx, l); err != nil {
				t.Fatal(err)
			}
			if _, err := process.Wait(ctx, l); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestKeysAreTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		plain, err := process.Spawn(ctx, func(_ context.Context, in *process.Inbox[string]) error { in.Receive(); return nil })
		if err != nil {
			t.Fatal(err)
		}
		raw := registry.NewKey[process.Ref[string]]("plain")
		if err := raw.Register(ctx, plain); err != nil {
			t.Fatal(err)
		}
		if got, err := raw.Ref(ctx); err != nil || got != plain {
			t.Errorf("raw key: %v, %v", got, err)
		}
		if got, err := registry.NewKey[process.PID]("plain").Ref(ctx); err != nil || got != plain.PID() {
			t.Errorf("a key of a PID: %v, %v", got, err)
		}
		_, err = registry.NewKey[server.Ref[Lamp]]("plain").Ref(ctx)
		for _, want := range []string{"plain", "process.Ref[string]", "server.Ref[", "Lamp"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("a key of the wrong type: %v, want %q in it", err, want)
			}
		}
		if err := lamp.Register(ctx, plain); !errors.Is(err, process.ErrHasName) {
			t.Errorf("a second name: %v, want %v", err, process.ErrHasName)
		}
		if err := raw.Unregister(ctx); err != nil {
			t.Error(err)
		}
		if _, err := raw.Resolve(ctx); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("after Unregister: %v", err)
		}
		f, err := process.GoSpec(ctx, process.Spec{Name: "function"}, func(ctx context.Context) error { <-ctx.Done(); return nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := registry.NewKey[process.Ref[int]]("function").Ref(ctx); err == nil {
			t.Errorf("%v has no typed reference, yet a key found one", f)
		}
	})
}

func Example() {
	n := process.NewNode(process.NodeSpec{})
	ctx := n.Context()
	lamp := registry.NewKey[server.Ref[Lamp]]("lamp")
	if _, err := server.Start(ctx, server.Spec[Lamp]{Name: lamp.Name()}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(server.Call(ctx, lamp, Switch{On: true}))
	fmt.Println(server.Call(ctx, lamp, Switch{On: false}))
	fmt.Println(n.Stop(context.Background()))
	// Output:
	// false <nil>
	// true <nil>
	// <nil>
}
