package statem_test

import (
	"context"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/statem"
)

// A lamp that goes from off to on and back, with a time-out in one of the states
// that is never over.
type (
	flip   struct{}
	flips  struct{ statem.Reply[int] }
	dimmer struct{ n int }
)

func (flips) flipEvent() {}
func (flip) flipEvent()  {}

type flipEvent interface{ flipEvent() }

func (q flips) With(r statem.Reply[int]) flipEvent { q.Reply = r; return q }

// on handles everything in either state: the next one is the other.
func (d *dimmer) on(t *statem.Turn[flipEvent], ev flipEvent, here, other bool) (bool, error) {
	if q, ok := ev.(flips); ok {
		t.Reply(q.Answer(d.n))
		return here, nil
	}
	d.n++
	return other, nil
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

// Each event changes the state; every other one sets a time-out, and the next
// cancels it.
func BenchmarkTransition(b *testing.B) {
	ctx, ref := startFlipping(b)
	b.ReportAllocs()
	sent := 0
	for b.Loop() {
		if err := ref.Cast(ctx, flip{}); err != nil {
			b.Fatal(err)
		}
		if sent++; sent%often == 0 {
			if n, err := statem.Call(ctx, ref, flips{}); n != sent || err != nil {
				b.Fatalf("%d of %d transitions, %v", n, sent, err)
			}
		}
	}
}
