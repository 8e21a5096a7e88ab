package event_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/coppice-go/coppice/process/event"
	"github.com/coppice-go/coppice/process/processtest"
)

// A tallier counts events.
type tallier struct{ n int }

func (s *tallier) on(context.Context, int) error { s.n++; return nil }

// Count asks a tallier for its count.
type Count struct{}

// Handle implements event.Request.
func (Count) Handle(_ context.Context, s *tallier) (int, error) { return s.n, nil }

// often is how many events are sent before one waits until they are handled.
const often = 1000

// startTallying starts a manager with so many handlers.
func startTallying(b *testing.B, handlers int) (context.Context, event.Manager[int]) {
	b.Helper()
	ctx := processtest.Context(b)
	bus, err := event.Start(ctx, event.Spec[int]{})
	for i := 0; i < handlers && err == nil; i++ {
		err = event.Add(ctx, bus, event.Handler[int, tallier]{ID: fmt.Sprint(i), On: (*tallier).on})
	}
	if err != nil {
		b.Fatal(err)
	}
	return ctx, bus
}

// Events go to so many handlers, and are handled.
func BenchmarkNotify(b *testing.B) {
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ctx, bus := startTallying(b, n)
			b.ReportAllocs()
			sent := 0
			for b.Loop() {
				if err := bus.Notify(ctx, 1); err != nil {
					b.Fatal(err)
				}
				if sent++; sent%often == 0 {
					if got, err := event.Call(ctx, bus, "0", Count{}); got != sent || err != nil {
						b.Fatalf("%d of %d events, %v", got, sent, err)
					}
				}
			}
		})
	}
}

func BenchmarkSyncNotify(b *testing.B) {
	ctx, bus := startTallying(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if err := bus.SyncNotify(ctx, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	ctx, bus := startTallying(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.Call(ctx, bus, "0", Count{}); err != nil {
			b.Fatal(err)
		}
	}
}
