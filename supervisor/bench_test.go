package supervisor_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

func startLeaf(ctx context.Context) (process.PID, error) {
	return process.Start(ctx, process.Spec{Behaviour: leaf{}})
}

// One crash and restart, among so many siblings.
func BenchmarkRestart(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			node := process.NewNode(process.NodeSpec{Probe: quiet{}})
			ctx := node.Context()
			spec := supervisor.Spec{Intensity: b.N + 1}
			restarted := make(chan process.PID, 1)
			for i := range n {
				spec.Children = append(spec.Children, supervisor.Child{ID: fmt.Sprint(i), Start: startLeaf})
			}
			spec.Children[n/2].Start = func(ctx context.Context) (process.PID, error) {
				pid, err := startLeaf(ctx)
				restarted <- pid
				return pid, err
			}
			if _, err := supervisor.Start(ctx, spec); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := process.Kill(ctx, <-restarted); err != nil {
					b.Fatal(err)
				}
			}
			<-restarted
			b.StopTimer()
			if err := node.Stop(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// One dynamic child, started and stopped.
func BenchmarkStartOne(b *testing.B) {
	node := process.NewNode(process.NodeSpec{Probe: quiet{}})
	ctx := node.Context()
	pool, err := supervisor.Start(ctx, supervisor.Spec{Strategy: supervisor.Dynamic, Children: []supervisor.Child{
		{ID: "w", Start: startLeaf, Restart: supervisor.Temporary}}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		pid, err := supervisor.StartOne(ctx, pool, struct{}{})
		if err == nil {
			err = supervisor.TerminateOne(ctx, pool, pid)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := node.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// The end of ten thousand children at once.
func BenchmarkStopTogether(b *testing.B) {
	for range b.N {
		b.StopTimer()
		node := process.NewNode(process.NodeSpec{Probe: quiet{}})
		ctx := node.Context()
		pool, err := supervisor.Start(ctx, supervisor.Spec{Strategy: supervisor.Dynamic, Children: []supervisor.Child{{ID: "w", Start: startLeaf}}})
		for range 10_000 {
			if err == nil {
				_, err = supervisor.StartOne(ctx, pool, struct{}{})
			}
		}
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := process.Stop(ctx, pool, process.ErrShutdown); err != nil {
			b.Fatal(err)
		}
	}
}

// A supervisor starts a hundred children, and stops them one after the other.
func BenchmarkStartAndStop(b *testing.B) {
	node := process.NewNode(process.NodeSpec{Probe: quiet{}})
	ctx := node.Context()
	var spec supervisor.Spec
	for i := range 100 {
		spec.Children = append(spec.Children, supervisor.Child{ID: fmt.Sprint(i), Start: startLeaf})
	}
	b.ReportAllocs()
	for b.Loop() {
		sup, err := supervisor.Start(ctx, spec)
		if err == nil {
			err = process.Stop(ctx, sup, process.ErrShutdown)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := node.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}
