package tlsconn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/internal/badtls"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/tlsconn"
)

// Who writes while another one reads a fault gets that fault, not what is left of
// it on the other side of crypto/tls: there it is no more than an alert.
func TestWriterHearsWhatTheReaderMet(t *testing.T) {
	for name, want := range map[string]tlsconn.Class{"forged": tlsconn.Tampering, "renegotiation": tlsconn.RenegotiationRefused} {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				ctx, _ := node(t)
				w := newWorld()
				s := w.serving(t, ctx, tlsconn.Spec{})
				raw, client := tcpPair(t)
				go func() {
					if want == tlsconn.RenegotiationRefused {
						badtls.Renegotiate(client, w.trusting(), talk)
						return
					}
					c := established(client, w.trusting())
					io.WriteString(client, "\x17\x03\x03\x00\x20"+strings.Repeat("f", 32))
					until(c)
				}()
				c, err := s.Open(ctx, raw, idler(t, ctx))
				if err != nil {
					t.Fatal(err)
				}
				reader := make(chan error, 1)
				go func() { reader <- until(c) }()
				for err == nil {
					_, err = c.Write([]byte("x"))
				}
				if f := faultOf(t, err); f.Class != want || error(f) != <-reader {
					t.Errorf("the writer got %v", err)
				}
			}
		})
	}
}

// A client's files are read before each attempt. If they are no good any more the
// last good ones are used on, and that is an alarm; so is their approaching end.
func TestClientFiles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, rec := node(t)
		if _, err := alarm.Start(ctx); err != nil {
			t.Fatal(err)
		}
		b := &backend{w: newWorld()}
		alice := b.w.root.Issue(pki.Want{Name: "alice", NotAfter: time.Now().AddDate(0, 0, 100)})
		files := b.w.clientFiles(t, alice)
		keys := filepath.Join(t.TempDir(), "keys.log")
		c := tlsconn.NewClient(tlsconn.ClientSpec{Name: "db", Address: "localhost:1", Dialer: b.dial, Files: files, KeyLog: keys})
		pid, err := c.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if serving := c.Info().Serving; len(serving) != 1 || serving[0].Subject != "CN=alice" || serving[0].Cert != files.Cert {
			t.Errorf("serving %+v", serving)
		}
		alarms := func(want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			all, err := alarm.List(ctx)
			for _, a := range all {
				got = append(got, a.ID)
			}
			if err != nil || strings.Join(got, ", ") != strings.Join(want, ", ") {
				t.Errorf("alarms %q, %v, want %q", got, err, want)
			}
		}
		conn, err := c.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		write(t, files.Key, []byte("garbage"))
		for range 20 { // until it has lasted
			b.cut()
			echo(conn)
			if conn, err = c.Conn(ctx); err != nil {
				t.Fatal(err)
			}
		}
		alarms("tls db: cannot_reload")
		write(t, files.Key, alice.KeyPEM())
		b.cut()
		echo(conn)
		if conn, err = c.Conn(ctx); err != nil {
			t.Fatal(err)
		}
		alarms()
		time.Sleep(75 * 24 * time.Hour)
		alarms("tls db: expiry")
		if err := echo(conn); err != nil {
			t.Error(err)
		}
		if err := process.Stop(ctx, pid, process.ErrShutdown); err != nil {
			t.Fatal(err)
		}
		alarms()
		text, err := os.ReadFile(keys)
		if err != nil || strings.Count(string(text), "CLIENT_TRAFFIC_SECRET_0") < 20 {
			t.Errorf("the key log has %d bytes, %v", len(text), err)
		}
		if key := pki.Leaked(alice.Key, rec.String()+string(text)); key != "" {
			t.Errorf("the key is shown: %s", key)
		}
		write(t, files.Key, []byte("garbage"))
		if _, err := c.Start(ctx); err == nil || !strings.Contains(err.Error(), files.Key) {
			t.Errorf("started with garbage: %v", err)
		}
	})
}

// Dial with files that are no good, or a log that cannot be written, dials nobody.
func TestDialFaults(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, _ := node(t)
		b := &backend{w: newWorld()}
		spec := tlsconn.ClientSpec{Address: "localhost:1", Dialer: b.dial, Files: b.w.clientFiles(t, nil)}
		spec.KeyLog = t.TempDir()
		if _, err := tlsconn.Dial(ctx, spec); err == nil || !strings.Contains(err.Error(), "KeyLog") {
			t.Errorf("log: %v", err)
		}
		if _, err := tlsconn.StartClient(ctx, spec); err == nil || !strings.Contains(err.Error(), "KeyLog") {
			t.Errorf("log: %v", err)
		}
		spec.KeyLog = filepath.Join(t.TempDir(), "keys.log")
		c, err := tlsconn.Dial(ctx, spec)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if text, err := os.ReadFile(spec.KeyLog); err != nil || !strings.Contains(string(text), "CLIENT_TRAFFIC_SECRET_0") {
			t.Errorf("the key log has %q, %v", text, err)
		}
		spec.Files.ServerCA = "/nowhere.crt"
		if _, err := tlsconn.Dial(ctx, spec); err == nil || !strings.Contains(err.Error(), "/nowhere.crt") {
			t.Errorf("files: %v", err)
		}
		if n := b.dialled(); n != 1 {
			t.Errorf("dialled %d times", n)
		}
	})
}

// What belongs to the node says goodbye when that stops.
func TestNodeStops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := process.NewNode(process.NodeSpec{Name: "stops"})
		b := &backend{w: newWorld()}
		c, err := tlsconn.Dial(n.Context(), tlsconn.ClientSpec{Address: "localhost:1", Dialer: b.dial, Files: b.w.clientFiles(t, nil)})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		end, ok := errors.AsType[*tlsconn.EndError](c.Err())
		if !ok || end.How != tlsconn.Stopped || !errors.Is(end, process.ErrShutdown) {
			t.Errorf("it ended with %v", c.Err())
		}
	})
}

// A Conn is a net.Conn in all its methods, and its errors are net.Errors.
func TestNetConn(t *testing.T) {
	ctx, _ := node(t)
	w := newWorld()
	s := w.serving(t, ctx, tlsconn.Spec{})
	raw, client := tcpPair(t)
	go func() { established(client, w.trusting(maxVersion(tls.VersionTLS13))).NetConn().Close() }()
	c, err := s.Handshake(ctx, raw, idler(t, ctx))
	if err != nil {
		t.Fatal(err)
	}
	if c.LocalAddr() != raw.LocalAddr() || c.RemoteAddr() != raw.RemoteAddr() {
		t.Errorf("addresses %v, %v", c.LocalAddr(), c.RemoteAddr())
	}
	if err := errors.Join(c.SetWriteDeadline(time.Now().Add(time.Minute)), c.SetReadDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Error(err)
	}
	err = serve(c.(*tlsconn.Conn))
	f := faultOf(t, err)
	if ne, ok := errors.AsType[net.Error](err); !ok || ne.Timeout() || f.Temporary() || f.ClassName() != "truncated" {
		t.Errorf("%v", err)
	}
	if text := f.LogValue().String(); !strings.Contains(text, "class=truncated") || !strings.Contains(text, "cause=unexpected EOF") {
		t.Errorf("%s", text)
	}
}
