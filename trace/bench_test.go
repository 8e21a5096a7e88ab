package trace

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/coppice-go/coppice/process"
)

// What a message to another process costs: with no tracer, with one and no stream
// open, and with a stream that wants something else.
func BenchmarkSend(b *testing.B) {
	for _, bb := range []struct {
		name  string
		begin func(ctx context.Context) error
	}{
		{"no tracer", func(context.Context) error { return nil }},
		{"tracer", func(ctx context.Context) error {
			_, err := Start(ctx, Options{Output: io.Discard, Form: JSON})
			return err
		}},
		{"stream of others", func(ctx context.Context) error {
			_, err := Start(ctx, Options{Output: io.Discard, Form: JSON})
			if err == nil {
				_, err = Stream(ctx, StreamSpec{To: io.Discard, Kinds: process.Exited})
			}
			return err
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			node := process.NewNode(process.NodeSpec{})
			ctx := node.Context()
			err := bb.begin(ctx)
			pid, startErr := process.Start(ctx, process.Spec{Behaviour: deaf{}})
			if err := errors.Join(err, startErr); err != nil {
				b.Fatal(err)
			}
			var msg any = &struct{}{}
			b.ReportAllocs()
			for b.Loop() {
				if err := process.Send(ctx, pid, msg); err != nil {
					b.Fatal(err)
				}
			}
			if err := node.Stop(context.Background()); err != nil {
				b.Error(err)
			}
		})
	}
}

// deaf takes what it is sent.
type deaf struct{}

func (deaf) Init(context.Context) error             { return nil }
func (deaf) Handle(context.Context, any) error      { return nil }
func (deaf) Terminate(context.Context, error) error { return nil }

// A report, for who makes it: it is captured and queued, and dropped if those
// before have not been written yet.
func BenchmarkReport(b *testing.B) {
	node := process.NewNode(process.NodeSpec{})
	ctx := node.Context()
	if _, err := Start(ctx, Options{Output: io.Discard, Form: JSON}); err != nil {
		b.Fatal(err)
	}
	reason := errors.New("something is wrong")
	b.ReportAllocs()
	for b.Loop() {
		process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelWarn, Text: "warned", Reason: reason})
	}
	if err := node.Stop(context.Background()); err != nil {
		b.Error(err)
	}
}

// A node without a tracer, and one whose tracer has no stream open, make nothing
// of an event that only streams want.
func TestOffDoesNotAllocate(t *testing.T) {
	for _, traced := range []bool{false, true} {
		node := process.NewNode(process.NodeSpec{})
		ctx := node.Context()
		if traced {
			start(t, node, Options{Output: io.Discard, Form: JSON})
		}
		msg := &struct{ n int }{}
		if n := testing.AllocsPerRun(1000, func() {
			process.Emit(ctx, process.Event{Kind: process.Sent, Msg: msg})
		}); n != 0 {
			t.Errorf("with a tracer (%v): an event that nobody wants allocates %v times, want none", traced, n)
		}
		if err := node.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
}
