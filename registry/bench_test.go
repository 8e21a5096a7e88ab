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

// A key is looked up among others, from all processors.
func BenchmarkLookup(b *testing.B) {
	const n = 10_000
	ctx := processtest.Context(b)
	startRegistry(b, ctx, seats)
	a := newAgent(b, ctx)
	if err := a.do(b, ctx, func(ctx context.Context) error {
		for i := range n {
			if err := seats.Register(ctx, place{seat: i}, ""); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := seats.Lookup(ctx, place{seat: i % n}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// A message goes to everybody in a group of a thousand.
func BenchmarkGroupSend(b *testing.B) {
	const n = 1000
	ctx := processtest.Context(b)
	startScope(b, ctx)
	for range n {
		pid, err := process.Start(ctx, process.Spec{Behaviour: listener{}})
		if err == nil {
			err = rooms.Join(ctx, "g", pid)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	var msg any = &struct{}{}
	b.ReportAllocs()
	for b.Loop() {
		members, err := rooms.Members(ctx, "g")
		if err != nil || len(members) != n {
			b.Fatal(len(members), err)
		}
		for _, pid := range members {
			if err := process.Send(ctx, pid, msg); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// A listener takes what it is sent.
type listener struct{}

func (listener) Init(context.Context) error             { return nil }
func (listener) Handle(context.Context, any) error      { return nil }
func (listener) Terminate(context.Context, error) error { return nil }
