package tlsconn_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
)

// Who takes the connection of crypto/tls reads io.EOF for a cut stream. The
// process finds out all the same, once that is closed.
func TestHandedOut(t *testing.T) {
	rows := []struct {
		name  string
		peer  func(raw net.Conn, c *tls.Conn)
		class tlsconn.Class // 0: none
	}{
		{"a goodbye", func(_ net.Conn, c *tls.Conn) { c.Close() }, 0},
		{"cut", func(raw net.Conn, _ *tls.Conn) { raw.Close() }, tlsconn.Truncated},
		{"cut in a record", func(raw net.Conn, _ *tls.Conn) { io.WriteString(raw, "\x17\x03\x03\x00\x50half"); raw.Close() }, tlsconn.Truncated},
		{"reset", func(raw net.Conn, _ *tls.Conn) { reset(raw) }, tlsconn.PeerReset},
		{"forged", func(raw net.Conn, c *tls.Conn) {
			io.WriteString(raw, "\x17\x03\x03\x00\x20"+strings.Repeat("f", 32))
			until(c)
		}, tlsconn.Tampering},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			ctx, rec := node(t)
			w := newWorld()
			s := w.serving(t, ctx, tlsconn.Spec{})
			raw, client := tcpPair(t)
			done := make(chan struct{})
			go func() { row.peer(client, established(client, w.trusting())); close(done) }()
			sock, err := s.Handshake(ctx, raw, idler(t, ctx))
			if err != nil {
				t.Fatal(err)
			}
			c := sock.(*tlsconn.Conn)
			var b [1]byte
			for err == nil {
				if _, err = c.TLS().Read(b[:]); err == nil {
					c.TLS().Write(b[:])
				}
			}
			c.TLS().Close()
			reason, err := process.Wait(ctx, c.PID())
			if err != nil {
				t.Fatal(err)
			}
			<-done
			events := rec.Events(reports)
			if row.class == 0 {
				if reason != nil || len(events) > 0 {
					t.Errorf("it ended with %v, and said\n%v", reason, rec)
				}
				return
			}
			if f := faultOf(t, reason); f.Class != row.class || len(events) != 1 || s.Counts()[row.class] != 1 {
				t.Errorf("it ended with %v, counted %v and said\n%v", f, s.Counts(), rec)
			}
		})
	}
}

// A reset of which only a writer was told is a reset, and no riddle of a closed socket.
func TestHandedOutAndWritten(t *testing.T) {
	ctx, rec := node(t)
	w := newWorld()
	s := w.serving(t, ctx, tlsconn.Spec{})
	raw, client := tcpPair(t)
	go func() {
		established(client, w.trusting())
		reset(client)
	}()
	sock, err := s.Handshake(ctx, raw, idler(t, ctx))
	if err != nil {
		t.Fatal(err)
	}
	c := sock.(*tlsconn.Conn)
	if _, err := io.ReadFull(c.TLS(), make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = c.TLS().Write([]byte("x"))
	}
	c.TLS().Close()
	reason, err := process.Wait(ctx, c.PID())
	if err != nil {
		t.Fatal(err)
	}
	if f := faultOf(t, reason); f.Class != tlsconn.PeerReset || len(rec.Events(reports)) != 1 {
		t.Errorf("it ended with %v, and said\n%v", f, rec)
	}
}

// Who closes it first has closed it, whatever the peer is about to do.
func TestHandedOutAndClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := connect(t, tlsconn.Spec{})
		go until(p.client)
		if err := p.conn.TLS().Close(); err != nil {
			t.Fatal(err)
		}
		if reason := p.wantEnd(tlsconn.Closed, tlsconn.Established); reason != nil {
			t.Errorf("it ended with %v", reason)
		}
		if _, err := p.conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read: %v", err)
		}
	})
}
