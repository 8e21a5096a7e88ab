package statem_test

import (
	"runtime"
	"testing"

	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/statem"
)

// What a machine takes that waits for an event, its process included: one that
// has only started, one that has been called, and one with a time-out that runs.
func BenchmarkIdle(b *testing.B) {
	for _, kind := range []struct {
		name  string
		flips int
		calls int
	}{{"started", 0, 0}, {"called", 0, 1}, {"flipped", 2, 1}, {"timeout", 1, 1}} {
		b.Run(kind.name, func(b *testing.B) {
			const n = 10_000
			for b.Loop() {
				ctx := processtest.Context(b)
				before := liveHeap()
				for range n {
					ref, err := flipping.Start(ctx)
					if err != nil {
						b.Fatal(err)
					}
					for range kind.flips {
						if err := ref.Cast(ctx, flip{}); err != nil {
							b.Fatal(err)
						}
					}
					for range kind.calls {
						if n, err := statem.Call(ctx, ref, flips{}); n != kind.flips || err != nil {
							b.Fatal(n, err)
						}
					}
				}
				b.ReportMetric(float64(liveHeap()-before)/n, "bytes/machine")
			}
		})
	}
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
