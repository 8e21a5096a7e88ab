package process_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// Whoever asks for a name while its process ends with its group is told so: there
// is no moment in which the name is gone and nobody knows why.
func TestNameOfAGroupThatStops(t *testing.T) {
	ctx := processtest.Context(t)
	n, err := process.NodeOf(ctx)
	if err != nil {
		t.Fatal(err)
	}
	explained := errors.New("explained")
	g := &process.Group{Name: "g", Explain: func(err error) error { return errors.Join(explained, err) }}
	g.SetStopping(n, true)
	for i := range 300 {
		name := fmt.Sprint("name", i)
		pid := start(t, process.WithBirth(ctx, process.Birth{Group: g}), process.Spec{Name: name, Unlinked: true})
		asked := make(chan error, 1)
		looking := make(chan struct{})
		_, err := process.Go(ctx, func(ctx context.Context) error {
			close(looking)
			for {
				if _, err := process.Name(name).Resolve(ctx); err != nil {
					asked <- err
					return nil
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		<-looking
		if err := process.Stop(ctx, pid, nil); err != nil {
			t.Fatal(err)
		}
		if err := <-asked; !errors.Is(err, explained) || !errors.Is(err, process.ErrNoProc) {
			t.Fatalf("asked while it ended: %v, want it explained", err)
		}
	}
}
