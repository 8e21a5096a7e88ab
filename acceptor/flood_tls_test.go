package acceptor_test

import (
	"errors"
	"io"
	"maps"
	"net"
	"testing"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// secured has a listener speak TLS. The certificate is made where it is used: in a
// bubble it is another time.
func secured(t testing.TB) *tlsconn.Server {
	t.Helper()
	written := pki.CA("root").Server("localhost").Write(t, t.TempDir())
	return tlsconn.NewServer(tlsconn.Spec{Files: identity.Files{Cert: written.Cert, Key: written.Key, Roots: written.CA}})
}

// Ten thousand clients that leave at once, without a byte, are health checks: probes,
// each of them counted, and not worth a line. Ten thousand that do not speak TLS are a
// few lines, and exact numbers all the same.
func TestTenThousandConnectsTLS(t *testing.T) {
	const n = 10_000
	for name, c := range map[string]struct {
		edit  func(*acceptor.Spec, *acceptor.Protocol[guest])
		say   string
		class tlsconn.Class
		lines int
	}{
		"served":  {nil, "", tlsconn.Probe, 0},
		"waiting": {limit(100, acceptor.Wait), "", tlsconn.Probe, 0},
		"HTTP":    {nil, "GET / HTTP/1.1\r\n\r\n", tlsconn.ClientNotTLS, 6},
	} {
		t.Run(name, func(t *testing.T) {
			var secure *tlsconn.Server
			bubble(t, func(s *acceptor.Spec, p *acceptor.Protocol[guest]) {
				if c.edit != nil {
					c.edit(s, p)
				}
				secure = secured(t)
				s.Transport = secure
			}, func(t *test) {
				for range n {
					d := t.street.dial()
					// A pipe takes what is read only, and crypto/tls reads the head first.
					_, _ = io.WriteString(d, c.say)
					d.Close()
				}
				t.wantOpen(0)
				time.Sleep(2 * time.Minute) // what was not said is said by number
				t.wantCounts(nil, map[string]uint64{c.class.String(): n})
				t.wantFaults(secure, c.class, n, c.lines)
			})
		})
	}
	t.Run("sockets", func(t *testing.T) { tenThousandSockets(t, n) })
}

// wantFaults wants n faults of a class, told in a few lines.
func (t *test) wantFaults(s *tlsconn.Server, class tlsconn.Class, n uint64, lines int) {
	t.Helper()
	if got := s.Counts(); !maps.Equal(got, map[tlsconn.Class]uint64{class: n}) {
		t.Errorf("counted %v", got)
	}
	events, said, told := uint64(0), 0, uint64(0)
	for _, e := range t.log.Events(0) {
		f, fault := errors.AsType[*tlsconn.Fault](e.Reason)
		if e.Kind == process.Network && fault && e.Detail == process.Detail(f) {
			events++
		} else if e.Kind == process.Network && e.Text == "connection closed" {
			continue
		}
		if e.Level <= process.LevelDebug {
			continue
		}
		said++
		told++
		if e.Detail != nil && !fault {
			e.Detail.Each(func(key string, v any) {
				if count, ok := v.(uint64); ok && key == "count" {
					told += count - 1
				}
			})
		}
	}
	if events != n || said != lines || lines > 0 && told != n {
		t.Errorf("%d events, %d lines that tell of %d; want %d lines", events, said, told, lines)
	}
}

// The same with a real socket.
func tenThousandSockets(t *testing.T, n int) {
	log := &processtest.Recorder{}
	ctx := processtest.Node(t, process.NodeSpec{Probe: log})
	secure := secured(t)
	pid, err := acceptor.Start(ctx, acceptor.Spec{Address: "127.0.0.1:0", Protocol: (&host{}).protocol(), Transport: secure})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, pid)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	b := &test{T: t, ctx: ctx, pid: pid, log: log}
	// Those in the system's queue are to be accepted first.
	for range 1000 {
		if b.info().Accepted == uint64(n) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := acceptor.WaitForConnections(ctx, pid, "==", 0); err != nil {
		t.Fatal(err)
	}
	info := b.info()
	if info.Accepted != uint64(n) || !maps.Equal(info.Ends, map[string]uint64{"probe": uint64(n)}) {
		t.Errorf("accepted %d, ended %v", info.Accepted, info.Ends)
	}
	b.wantFaults(secure, tlsconn.Probe, uint64(n), 0)
}
