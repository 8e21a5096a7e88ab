package process_test

import (
	"context"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// Each benchmark of ours stands beside a baseline that does the same with
// goroutines and channels only: what matters is the ratio, in one run.

type sink struct{ n int }

func (s *sink) Init(context.Context) error             { return nil }
func (s *sink) Terminate(context.Context, error) error { return nil }

func (s *sink) Handle(_ context.Context, msg any) error {
	if c, ok := msg.(*bump); ok {
		c.Reply(func() { c.out = s.n }, nil)
	}
	s.n++
	return nil
}

type bump struct {
	process.Call
	out int
}

func BenchmarkSpawnAndStop(b *testing.B) {
	b.Run("process", func(b *testing.B) {
		ctx := processtest.Context(b)
		b.ReportAllocs()
		for b.Loop() {
			pid, err := process.Start(ctx, process.Spec{Behaviour: &sink{}})
			if err != nil {
				b.Fatal(err)
			}
			if err := process.Stop(ctx, pid, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("goroutine", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ready, stop, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
			go func() {
				close(ready)
				<-stop
				close(done)
			}()
			<-ready
			close(stop)
			<-done
		}
	})
}

func BenchmarkCall(b *testing.B) {
	b.Run("process", func(b *testing.B) {
		ctx := processtest.Context(b)
		pid, err := process.Start(ctx, process.Spec{Behaviour: &sink{}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := process.Do(ctx, pid, &bump{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("channel", func(b *testing.B) {
		type call struct{ reply chan int }
		in := make(chan call, 64)
		go func() {
			n := 0
			for c := range in {
				n++
				c.reply <- n
			}
		}()
		defer close(in)
		b.ReportAllocs()
		for b.Loop() {
			c := call{make(chan int, 1)}
			in <- c
			<-c.reply
		}
	})
}

func BenchmarkSend(b *testing.B) {
	b.Run("process", func(b *testing.B) {
		ctx := processtest.Context(b)
		pid, err := process.Start(ctx, process.Spec{Behaviour: &sink{}})
		if err != nil {
			b.Fatal(err)
		}
		var msg any = &struct{}{}
		b.ReportAllocs()
		for b.Loop() {
			if err := process.Send(ctx, pid, msg); err != nil {
				b.Fatal(err)
			}
		}
		if err := process.Stop(ctx, pid, nil); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("channel", func(b *testing.B) {
		in, done := make(chan any, 1024), make(chan int)
		go func() {
			n := 0
			for range in {
				n++
			}
			done <- n
		}()
		var msg any = &struct{}{}
		b.ReportAllocs()
		for b.Loop() {
			in <- msg
		}
		close(in)
		<-done
	})
}
