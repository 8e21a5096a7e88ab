package main

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// Whatever a client does, the outbox loses nothing that it accepted, keeps the order,
// sends at most a window ahead, and never gives an identifier to two deliveries.
func TestOutbox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			o        outbox
			pushed   int
			wantSend []string              // accepted and not sent yet
			unacked  []uint16              // sent, not acknowledged
			topics   = map[uint16]string{} // of the unacknowledged
		)
		o.lastID = rapid.SampledFrom([]uint16{0, 65533}).Draw(t, "lastID")
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 2, 2 * window, maxQueued}).Draw(t, "n") {
					topic := strconv.Itoa(pushed)
					if pushed++; o.push(message{Topic: topic}) {
						wantSend = append(wantSend, topic)
					} else if len(wantSend) < maxQueued {
						t.Fatalf("refused with %d waiting", len(wantSend))
					}
				}
			},
			"next": func(t *rapid.T) {
				for _, d := range o.next() {
					if d.Dup || d.ID == 0 || topics[d.ID] != "" || d.Topic != wantSend[0] {
						t.Fatalf("next is %+v, want topic %s; in flight: %v", d, wantSend[0], topics)
					}
					wantSend, unacked, topics[d.ID] = wantSend[1:], append(unacked, d.ID), d.Topic
				}
				if len(unacked) > window || len(unacked) < window && len(wantSend) > 0 {
					t.Fatalf("%d in flight, %d waiting", len(unacked), len(wantSend))
				}
			},
			"acknowledge": func(t *rapid.T) {
				if len(unacked) == 0 {
					o.acknowledge(rapid.Uint16().Draw(t, "unknown"))
					return
				}
				i := rapid.IntRange(0, len(unacked)-1).Draw(t, "i")
				o.acknowledge(unacked[i])
				delete(topics, unacked[i])
				unacked = append(unacked[:i], unacked[i+1:]...)
			},
			"resend": func(t *rapid.T) {
				var ids []uint16
				for _, d := range o.resend() {
					if !d.Dup || d.Topic != topics[d.ID] {
						t.Fatalf("resent %+v, want topic %s", d, topics[d.ID])
					}
					ids = append(ids, d.ID)
				}
				if !slices.Equal(unacked, ids) {
					t.Fatalf("resent %v, want %v", ids, unacked)
				}
			},
		})
	})
}
