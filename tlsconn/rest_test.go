package tlsconn_test

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
)

// A Read that has met its deadline goes on where it was;
// who rests instead of reading is told of whatever our side does to the
// connection, and told at once if that has been done. Giving it away is no end.
func TestRest(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, c *tlsconn.Conn, owner func()){
		"closed":         func(t *testing.T, c *tlsconn.Conn, _ func()) { c.Close() },
		"the owner goes": func(_ *testing.T, _ *tlsconn.Conn, owner func()) { owner() },
		"killed": func(t *testing.T, c *tlsconn.Conn, _ func()) {
			ctx, _ := node(t)
			if err := process.Kill(ctx, c.PID()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _ := node(t)
			w := newWorld()
			s := w.serving(t, ctx, tlsconn.Spec{})
			raw, wire := tcpPair(t)
			client := tls.Client(wire, w.trusting())
			go client.Handshake()
			var c *tlsconn.Conn
			heir := idler(t, ctx)
			g := newGiver(t, ctx, func() *tlsconn.Conn { return c })
			conn, err := s.Handshake(ctx, raw, g.pid)
			if err != nil {
				t.Fatal(err)
			}
			c = conn.(*tlsconn.Conn)
			b := make([]byte, 100)
			for range 3 {
				if err := raw.SetReadDeadline(time.Unix(1, 0)); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("Read: %v", err)
				}
				if err := raw.SetReadDeadline(time.Time{}); err != nil {
					t.Fatal(err)
				}
			}
			ended := make(chan struct{}, 2)
			if !c.Rest(func() { ended <- struct{}{} }) {
				t.Fatal("it cannot rest though it lives")
			}
			if err := g.give(heir); err != nil {
				t.Error(err)
			}
			select {
			case <-ended:
				t.Error("to be given away was told as an end")
			default:
			}
			if _, err := client.Write([]byte("hello")); err != nil {
				t.Error(err)
			}
			if n, err := io.ReadFull(c, b[:5]); err != nil || string(b[:n]) != "hello" {
				t.Errorf("after a rest: %q, %v", b[:n], err)
			}
			end(t, c, func() {
				if err := process.Kill(ctx, heir); err != nil {
					t.Error(err)
				}
			})
			go io.Copy(io.Discard, client)
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Error("nobody was told of the end")
			}
			if c.Rest(func() {}) {
				t.Error("it can rest though it has ended")
			}
		})
	}
}
