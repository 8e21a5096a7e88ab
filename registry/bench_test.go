package registry_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// A process registers a key, is looked up, and gives the key back.
func BenchmarkUnique(b *testing.B) {
	ctx := processtest.Context(b)
	startRegistry(b, ctx, seats)
	var row atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		done := make(chan struct{})
		_, err := process.Go(ctx, func(ctx context.Context) error {
			defer close(done)
			at := place{row: int(row.Add(1))}
			for pb.Next() {
				at.seat++
				if err := seats.Register(ctx, at, ""); err != nil {
					return err
				}
				if _, err := seats.Lookup(ctx, at); err != nil {
					return err
				}
				if err := seats.Unregister(ctx, at); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Error(err)
			return
		}
		<-done
	})
}

// Who is in a group of a thousand.
func BenchmarkMembers(b *testing.B) {
	ctx := processtest.Context(b)
	startScope(b, ctx)
	a := newAgent(b, ctx)
	for range 1000 {
		if err := rooms.Join(ctx, "g", a.pid()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if m, err := rooms.Members(ctx, "g"); err != nil || len(m) != 1000 {
			b.Fatal(len(m), err)
		}
	}
}
