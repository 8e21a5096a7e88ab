package supervisor_test

import (
	"context"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

func TestPartitioned(t *testing.T) {
	bubble(t, func(w *world) {
		const n, keys = 4, 1000
		parts := supervisor.NewPartitioned("pool", n)
		template := []supervisor.Child{{ID: "w", Start: supervisor.Template(func(ctx context.Context, _ int) (process.PID, error) {
			return process.Start(ctx, process.Spec{Behaviour: &instance{&worker{w: &world{}}, 1}})
		})}}
		w.top(parts.Spec(func(name string) func(context.Context) (process.PID, error) {
			return supervisor.StartFunc(supervisor.Spec{Name: name, Strategy: supervisor.Dynamic, Children: template})
		}))
		for key := range keys {
			part := supervisor.Partition(parts, key)
			if again := supervisor.Partition(parts, key); again != part {
				t.Fatalf("key %d belongs to %s and to %s", key, part, again)
			}
			if _, err := supervisor.StartOne(w.ctx, part, key); err != nil {
				t.Fatal(err)
			}
		}
		total := 0
		for _, part := range parts.Names() {
			counts, err := supervisor.CountChildren(w.ctx, part)
			if err != nil || counts.Active < keys/n/2 {
				t.Errorf("%s has %+v (%v), want about %d", part, counts, err, keys/n)
			}
			total += counts.Active
		}
		if total != keys {
			t.Errorf("there are %d in all, want %d", total, keys)
		}
	})
}

func TestPartitionedDefault(t *testing.T) {
	if n := len(supervisor.NewPartitioned("x", 0).Names()); n < 1 {
		t.Errorf("%d partitions, want at least one", n)
	}
}
