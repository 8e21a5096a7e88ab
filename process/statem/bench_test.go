package statem_test

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/statem"
)

// A lamp that goes from off to on and back, with a time-out in one of the states
// that is never over.
type (
	flip   struct{}                    // changes the state
	flips  struct{ statem.Reply[int] } // is answered with the number of flips
	look   struct{}                    // does nothing
	rearm  struct{}                    // sets the state time-out anew
	dimmer struct{ n int }
)

func (flip) flipEvent()  {}
func (flips) flipEvent() {}
func (look) flipEvent()  {}
func (rearm) flipEvent() {}

type flipEvent interface{ flipEvent() }

func (q flips) With(r statem.Reply[int]) flipEvent { q.Reply = r; return q }

// on handles everything in either state: the next one is the other.
func (d *dimmer) on(t *statem.Turn[flipEvent], ev flipEvent, here, other bool) (bool, error) {
	switch ev := ev.(type) {
	case flips:
		t.Reply(ev.Answer(d.n))
	case rearm:
		t.Timeout(statem.StateTimeout, time.Hour, flip{})
	case flip:
		d.n++
		return other, nil
	}
	return here, nil
}

func (d *dimmer) onOff(t *statem.Turn[flipEvent], ev flipEvent) (bool, error) {
	return d.on(t, ev, false, true)
}

func (d *dimmer) onOn(t *statem.Turn[flipEvent], ev flipEvent) (bool, error) {
	return d.on(t, ev, true, false)
}

func (d *dimmer) late(*statem.Turn[flipEvent]) (bool, error) { return false, nil }

var flipping = statem.Must(statem.New(statem.Spec[bool, flipEvent, dimmer]{
	Init: func(*statem.Turn[flipEvent]) (bool, *dimmer, error) { return false, &dimmer{}, nil },
	States: map[bool]statem.State[bool, flipEvent, dimmer]{
		false: {On: (*dimmer).onOff, To: []bool{true}},
		true:  {On: (*dimmer).onOn, To: []bool{false}, Timeout: time.Hour, Expired: (*dimmer).late},
	},
}))

func startFlipping(b *testing.B) (context.Context, statem.Ref[flipEvent]) {
	b.Helper()
	ctx := processtest.Context(b)
	ref, err := flipping.Start(ctx)
	if err != nil {
		b.Fatal(err)
	}
	return ctx, ref
}

func BenchmarkCall(b *testing.B) {
	ctx, ref := startFlipping(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := statem.Call(ctx, ref, flips{}); err != nil {
			b.Fatal(err)
		}
	}
}

// often is how many events are sent before one waits until they are handled.
const often = 1000

// Events that change nothing.
func BenchmarkCast(b *testing.B) { benchCast(b, look{}) }

// Each event changes the state; every other one sets a time-out, and the next
// cancels it.
func BenchmarkTransition(b *testing.B) { benchCast(b, flip{}) }

// Each event replaces the state time-out.
func BenchmarkTimeout(b *testing.B) { benchCast(b, rearm{}) }

func benchCast(b *testing.B, ev flipEvent) {
	ctx, ref := startFlipping(b)
	b.ReportAllocs()
	sent := 0
	for b.Loop() {
		if err := ref.Cast(ctx, ev); err != nil {
			b.Fatal(err)
		}
		if sent++; sent%often == 0 {
			n, err := statem.Call(ctx, ref, flips{})
			if err == nil && ev == (flip{}) && n != sent {
				err = fmt.Errorf("%d of %d transitions", n, sent)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkStartAndStop(b *testing.B) {
	ctx := processtest.Context(b)
	b.ReportAllocs()
	for b.Loop() {
		ref, err := flipping.Start(ctx)
		if err == nil {
			err = process.Stop(ctx, ref, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// What a machine takes that waits for an event, its process and its data
// included: one that has handled some and answered one, and one with a time-out
// that runs.
func BenchmarkIdle(b *testing.B) {
	b.Run("at-rest", func(b *testing.B) { benchIdle(b, look{}, look{}) })
	b.Run("with-time-out", func(b *testing.B) { benchIdle(b, flip{}) })
}

func benchIdle(b *testing.B, evs ...flipEvent) {
	const machines = 10_000
	for b.Loop() {
		ctx := processtest.Context(b)
		before := liveHeap()
		for range machines {
			ref, err := flipping.Start(ctx)
			for _, ev := range evs {
				err = cmp.Or(err, ref.Cast(ctx, ev))
			}
			if _, failed := statem.Call(ctx, ref, flips{}); cmp.Or(err, failed) != nil {
				b.Fatal(err, failed)
			}
		}
		b.ReportMetric(float64(liveHeap()-before)/machines, "bytes/machine")
	}
}

func liveHeap() uint64 {
	runtime.GC() // and once more, for what is pooled
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
