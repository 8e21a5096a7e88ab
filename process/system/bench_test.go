package system_test

import (
	"context"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/process/system"
)

// What a call costs while nobody listens, and while somebody does.
func BenchmarkCall(b *testing.B) {
	for name, listen := range map[string]func(ctx context.Context, s server.Ref[Stock]) error{
		"off":        func(context.Context, server.Ref[Stock]) error { return nil },
		"log":        func(ctx context.Context, s server.Ref[Stock]) error { return system.SetLog(ctx, s, 10) },
		"statistics": func(ctx context.Context, s server.Ref[Stock]) error { return system.SetStatistics(ctx, s, true) },
	} {
		b.Run(name, func(b *testing.B) {
			n := process.NewNode(process.NodeSpec{})
			ctx := n.Context()
			s, err := server.Start(ctx, server.Spec[Stock]{Init: newStock})
			if err == nil {
				err = listen(ctx, s)
			}
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := server.Call(ctx, s, Add{"nails", 1}); err != nil {
					b.Fatal(err)
				}
			}
			if err := n.Stop(context.Background()); err != nil {
				b.Error(err)
			}
		})
	}
}
