package process_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// Signals, timers, names and ends, without a baseline: nothing in the language
// does the same.

// deafProbe wants nothing, so that no report is made or kept.
type deafProbe struct{}

func (deafProbe) Wants() process.Kind { return 0 }
func (deafProbe) Event(process.Event) {}

// self starts a process and returns its ctx.
func self(tb testing.TB, ctx context.Context) context.Context {
	tb.Helper()
	var own context.Context
	_, err := process.Start(ctx, process.Spec{Behaviour: &script{init: func(ctx context.Context) error { own = ctx; return nil }}})
	if err != nil {
		tb.Fatal(err)
	}
	return own
}

// One process monitors another, and no more.
func BenchmarkMonitor(b *testing.B) {
	ctx := processtest.Context(b)
	own, other := self(b, ctx), process.Self(self(b, ctx))
	b.ReportAllocs()
	for b.Loop() {
		ref, err := process.Monitor(own, other, nil)
		if err != nil || !process.Demonitor(own, ref) {
			b.Fatal(err)
		}
	}
}

// One process links itself to another, and no more.
func BenchmarkLink(b *testing.B) {
	ctx := processtest.Context(b)
	own, other := self(b, ctx), process.Self(self(b, ctx))
	b.ReportAllocs()
	for b.Loop() {
		if err := process.Link(own, other); err != nil {
			b.Fatal(err)
		}
		if err := process.Unlink(own, other); err != nil {
			b.Fatal(err)
		}
	}
}

// A timer is set and stopped, among others that are set.
func BenchmarkTimer(b *testing.B) {
	for _, n := range []int{0, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			own := self(b, processtest.Context(b))
			for i := range n {
				process.After(own, time.Hour+time.Duration(i)*time.Millisecond, nil)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !process.After(own, time.Minute, nil).Stop() {
					b.Fatal("a timer was over at once")
				}
			}
		})
	}
}

// A name is looked up among others, from all processors.
func BenchmarkWhereis(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ctx := processtest.Context(b)
			for i := range n {
				if _, err := process.Start(ctx, process.Spec{Name: fmt.Sprint("name ", i), Behaviour: &sink{}}); err != nil {
					b.Fatal(err)
				}
			}
			name := fmt.Sprint("name ", n/2)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, ok := process.Whereis(ctx, name); !ok {
						b.Error("the name is not there")
						return
					}
				}
			})
		})
	}
}

// A process is started and crashes, and who waits for it is told.
func BenchmarkExit(b *testing.B) {
	ctx := processtest.Node(b, process.NodeSpec{Probe: deafProbe{}})
	b.ReportAllocs()
	for b.Loop() {
		pid, err := process.Start(ctx, process.Spec{Unlinked: true, Behaviour: &script{}})
		if err == nil {
			err = process.Send(ctx, pid, errBoom)
		}
		if err != nil {
			b.Fatal(err)
		}
		if reason, err := process.Wait(ctx, pid); reason != errBoom || err != nil {
			b.Fatal(reason, err)
		}
	}
}
