package server_test

import (
	"context"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
)

// A Gauge keeps a number, and grows no diary.
type Gauge struct{ n int }

// Raise is a request, Lower a notice.
type (
	Raise struct{ By int }
	Lower struct{ By int }
)

func (m Raise) Handle(_ context.Context, g *Gauge) (int, error) { g.n += m.By; return g.n, nil }
func (m Lower) Handle(_ context.Context, g *Gauge) error        { g.n -= m.By; return nil }

func startGauge(b *testing.B) (context.Context, server.Ref[Gauge]) {
	b.Helper()
	ctx := processtest.Context(b)
	g, err := server.Start(ctx, server.Spec[Gauge]{})
	if err != nil {
		b.Fatal(err)
	}
	return ctx, g
}

func BenchmarkCall(b *testing.B) {
	ctx, g := startGauge(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := server.Call(ctx, g, Raise{1}); err != nil {
			b.Fatal(err)
		}
	}
}

// often is how many messages are sent before one waits until they are handled:
// so that handling is measured as well, and not how fast a mailbox grows.
const often = 1000

// Notices are sent, and handled.
func BenchmarkCast(b *testing.B) {
	ctx, g := startGauge(b)
	b.ReportAllocs()
	sent := 0
	for b.Loop() {
		if err := server.Cast(ctx, g, Lower{1}); err != nil {
			b.Fatal(err)
		}
		if sent++; sent%often == 0 {
			if n, err := server.Call(ctx, g, Raise{often}); n != 0 || err != nil {
				b.Fatal(n, err)
			}
		}
	}
}

func BenchmarkStartAndStop(b *testing.B) {
	ctx := processtest.Context(b)
	b.ReportAllocs()
	for b.Loop() {
		g, err := server.Start(ctx, server.Spec[Gauge]{})
		if err == nil {
			err = process.Stop(ctx, g, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
