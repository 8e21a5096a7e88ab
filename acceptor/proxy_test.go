package acceptor_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/pires/go-proxyproto"
)

// from is a connection whose peer has an address.
type from struct {
	net.Conn
	addr net.Addr
}

func (c from) RemoteAddr() net.Addr { return c.addr }

// dialFrom connects a client that has an address.
func (s *street) dialFrom(addr string) *client {
	ours, theirs := net.Pipe()
	s.queue <- from{theirs, tcpAddr(addr)}
	return &client{Conn: ours, in: bufio.NewReader(ours)}
}

func tcpAddr(s string) *net.TCPAddr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

// behindProxy has headers taken from 10.0.0.0/8.
func behindProxy(required bool) func(*acceptor.Spec, *acceptor.Protocol[guest]) {
	return func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) {
		s.Proxy = &acceptor.Proxy{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}, Required: required}
	}
}

const line1 = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"

// header2 is a header of version 2.
func header2(t *testing.T, source, dest string, tlvs ...proxyproto.TLV) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(2, tcpAddr(source), tcpAddr(dest))
	if err := h.SetTLVs(tlvs); err != nil {
		t.Fatal(err)
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var local2 = string([]byte("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"))

// What a trusted proxy says is believed: the address is that of the client
// wherever it is shown.
func TestProxy(t *testing.T) {
	v6 := header2(t, "[2001:db8::7]:4711", "[2001:db8::1]:443", proxyproto.TLV{Type: proxyproto.PP2_TYPE_UNIQUE_ID, Value: []byte("id")})
	for name, c := range map[string]struct {
		peer     string
		sent     []string
		peerWant string
		version  int
		required bool
	}{
		"version 1":               {peer: "10.1.1.1:5", sent: []string{line1 + "x\n"}, peerWant: "192.0.2.7:4711", version: 1, required: true},
		"version 1 in pieces":     {peer: "10.1.1.1:5", sent: []string{"P", "ROXY TCP4 192.0.2.7 198", ".51.100.1 4711 443\r", "\n", "x\n"}, peerWant: "192.0.2.7:4711", version: 1, required: true},
		"version 2":               {peer: "[fd00::1]:5", sent: []string{v6, "x\n"}, peerWant: "[2001:db8::7]:4711", version: 2, required: true},
		"version 2 in pieces":     {peer: "[fd00::1]:5", sent: []string{v6[:3], v6[3:20], v6[20:] + "x", "\n"}, peerWant: "[2001:db8::7]:4711", version: 2, required: true},
		"the proxy itself":        {peer: "10.1.1.1:5", sent: []string{local2 + "x\n"}, peerWant: "10.1.1.1:5", version: 2, required: true},
		"of nobody":               {peer: "10.1.1.1:5", sent: []string{"PROXY UNKNOWN\r\n", "x\n"}, peerWant: "10.1.1.1:5", version: 1, required: true},
		"none, which may be":      {peer: "10.1.1.1:5", sent: []string{"x\n"}, peerWant: "10.1.1.1:5"},
		"not trusted":             {peer: "192.0.2.1:5", sent: []string{"x\n"}, peerWant: "192.0.2.1:5"},
		"almost one":              {peer: "10.1.1.1:5", sent: []string{"PROX", "\nx\n"}, peerWant: "10.1.1.1:5"},
		"of a proxy by IPv4 in 6": {peer: "[::ffff:10.1.1.1]:5", sent: []string{line1 + "x\n"}, peerWant: "192.0.2.7:4711", version: 1, required: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, behindProxy(c.required), func(t *test) {
				cl := t.street.dialFrom(c.peer)
				done := make(chan struct{})
				go func() {
					defer close(done)
					for _, s := range c.sent {
						io.WriteString(cl, s)
						time.Sleep(ms)
					}
				}()
				if name == "almost one" {
					cl.want(t.T, "echo: PROX")
				}
				cl.want(t.T, "echo: x")
				<-done
				all, err := acceptor.Connections(t.ctx, t.pid)
				if err != nil || len(all) != 1 || all[0].Peer.String() != c.peerWant {
					t.Errorf("Connections = %v, %v; want the peer %s", all, err, c.peerWant)
				}
				cl.Close()
				t.wantOpen(0)
				h := t.host.conn(0).ProxyHeader()
				if (h == nil) != (c.version == 0) || h != nil && h.Version != c.version {
					t.Errorf("the header is %+v, want version %d", h, c.version)
				}
				if h != nil && h.Version == 2 && !h.Local && (len(h.TLVs) != 1 || string(h.TLVs[0].Value) != "id" || h.Destination.String() != "[2001:db8::1]:443") {
					t.Errorf("the header says %+v", h)
				}
				for _, e := range t.log.Events(process.Network) {
					if e.Text == "connection closed" && detail(e, "remote") != c.peerWant {
						t.Errorf("the event names %q, want %q", detail(e, "remote"), c.peerWant)
					}
				}
				if got := t.lines(process.LevelInfo); len(got) > 0 {
					t.Errorf("said %q, want nothing", got)
				}
			})
		})
	}
}

// A header that is not as it should be ends the connection, counted by what is
// wrong, and said in one line for many.
func TestProxyFaults(t *testing.T) {
	late := header2(t, "192.0.2.7:1", "192.0.2.8:2")
	broken := checksummed(t)
	broken = strings.Replace(broken, "more", "less", 1)
	for name, c := range map[string]struct {
		peer, sent string
		required   bool
		leaves     bool
		class      string
	}{
		"missing":             {sent: "x\n", required: true, class: "proxy_missing"},
		"missing, and leaves": {sent: "x", required: true, leaves: true, class: "proxy_missing"},
		"not trusted":         {peer: "192.0.2.1:5", sent: line1, required: true, class: "proxy_untrusted"},
		"never":               {required: true, class: "proxy_timeout"},
		"half":                {sent: line1[:20], class: "proxy_timeout"},
		"half of version 2":   {sent: late[:20], class: "proxy_timeout"},
		"half, and leaves":    {sent: late[:20], leaves: true, class: "proxy_invalid"},
		"no end of line":      {sent: "PROXY " + strings.Repeat("x", 200), class: "proxy_invalid"},
		"no address":          {sent: "PROXY TCP4 192.0.2 198.51.100.1 4711 443\r\n", class: "proxy_invalid"},
		"far too long":        {sent: local2[:14] + "\xff\xff", class: "proxy_invalid"},
		"a wrong checksum":    {sent: broken, class: "proxy_invalid"},
		"only a look":         {required: true, leaves: true, class: "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, behindProxy(c.required), func(t *test) {
				for range 3 {
					cl := t.street.dialFrom(peerOr(c.peer))
					go func() {
						io.WriteString(cl, c.sent)
						if c.leaves {
							cl.Close()
						}
					}()
				}
				time.Sleep(5*time.Second + ms)
				t.wantOpen(0)
				t.wantEnds1(c.class, 3)
				lines := t.lines(process.LevelInfo)
				if c.class == "closed" && len(lines) > 0 || c.class != "closed" && (len(lines) != 1 || !strings.Contains(lines[0], "PROXY")) {
					t.Errorf("said %q", lines)
				}
				for _, reason := range t.host.reasons() {
					if fault, ok := errors.AsType[*acceptor.ProxyError](reason); c.class != "closed" && (!ok || fault.Proxy == nil) || !process.Clean(reason) {
						t.Errorf("Terminate was told %v", reason)
					} else if ok && !strings.Contains(fault.Error(), peerOr(c.peer)) {
						t.Errorf("%q does not name %s", fault, peerOr(c.peer))
					}
				}
			})
		})
	}
}

func peerOr(s string) string {
	if s == "" {
		return "10.1.1.1:5"
	}
	return s
}

// wantEnds1 wants n ends of one class, and no other.
func (t *test) wantEnds1(class string, n uint64) {
	t.Helper()
	if got := t.info().Ends; len(got) != 1 || got[class] != n {
		t.Errorf("counted %v, want %d of %s", got, n, class)
	}
}

// checksummed is a header with a checksum that is right.
func checksummed(t *testing.T) string {
	b := []byte(header2(t, "192.0.2.7:1", "192.0.2.8:2", proxyproto.TLV{Type: proxyproto.PP2_TYPE_NOOP, Value: make([]byte, 9)},
		proxyproto.TLV{Type: proxyproto.PP2_TYPE_CRC32C, Value: make([]byte, 4)},
		proxyproto.TLV{Type: proxyproto.PP2_TYPE_UNIQUE_ID, Value: []byte("more")}))
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	i := bytes.Index(b, []byte{3, 0, 4, 0, 0, 0, 0})
	binary.BigEndian.PutUint32(b[i+3:], sum)
	return string(b)
}

func TestProxyChecksum(t *testing.T) {
	header := checksummed(t)
	bubble(t, behindProxy(true), func(t *test) {
		c := t.street.dialFrom("10.1.1.1:5")
		c.send(t.T, header+"x\n")
		c.want(t.T, "echo: x")
		c.Close()
	})
}

// Who may send a header, and sends nothing at all, is served when its time is over.
func TestProxySilent(t *testing.T) {
	bubble(t, func(s *acceptor.Spec, p *acceptor.Protocol[guest]) {
		behindProxy(false)(s, p)
		s.Proxy.Timeout = time.Second
	}, func(t *test) {
		c := t.street.dialFrom("10.1.1.1:5")
		time.Sleep(time.Minute)
		c.send(t.T, "x\n")
		c.want(t.T, "echo: x")
		c.Close()
	})
}

// The header comes before TLS, and the handshake has its own time.
func TestProxyThenTLS(t *testing.T) {
	var config *tls.Config
	bubble(t, func(s *acceptor.Spec, p *acceptor.Protocol[guest]) {
		behindProxy(true)(s, p)
		s.Transport, config = securely(t)
	}, func(t *test) {
		c := t.street.dialFrom("10.1.1.1:5")
		time.Sleep(4 * time.Second)
		c.send(t.T, line1)
		time.Sleep(4 * time.Second)
		conn := tls.Client(c.Conn, config)
		s := &client{Conn: conn, in: bufio.NewReader(conn)}
		s.send(t.T, "x\n")
		s.want(t.T, "echo: x")
		if got := t.host.conn(0).NetConn().RemoteAddr().String(); got != "192.0.2.7:4711" {
			t.Errorf("the transport sees %s, want the client", got)
		}
		go io.Copy(io.Discard, conn)
		s.Close()
		t.wantOpen(0)
	})
}

// A connection that is stopped while its header is awaited is not held up.
func TestProxyStopped(t *testing.T) {
	bubble(t, behindProxy(true), func(t *test) {
		c := t.street.dialFrom("10.1.1.1:5")
		t.wantOpen(1)
		begin := time.Now()
		if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d > 0 {
			t.Errorf("the stop took %v", d)
		}
		c.wantEnd(t.T)
		synctest.Wait()
	})
}

// On the real network: TCP, and a unix socket, whose peers are trusted.
func TestProxyReal(t *testing.T) {
	for name, spec := range map[string]acceptor.Spec{
		"tcp":  {Address: "127.0.0.1:0", Proxy: &acceptor.Proxy{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Required: true}},
		"unix": {Network: "unix", Address: filepath.Join(t.TempDir(), "s"), Proxy: &acceptor.Proxy{Required: true}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, pid, addr := start(t, spec)
			c := dial(t, addr)
			c.send(t, line1+"x\n")
			c.want(t, "echo: x")
			all, err := acceptor.Connections(ctx, pid)
			if err != nil || len(all) != 1 || all[0].Peer.String() != "192.0.2.7:4711" {
				t.Errorf("Connections = %v, %v; want the client", all, err)
			}
		})
	}
}

func TestProxySpecFaults(t *testing.T) {
	for name, c := range map[string]struct {
		spec acceptor.Spec
		want []string
	}{
		"nobody": {acceptor.Spec{Address: ":0", Proxy: &acceptor.Proxy{Timeout: -5}}, []string{"Trusted is empty", "Timeout is -5ns"}},
		"unix":   {acceptor.Spec{Network: "unix", Address: "s", Proxy: &acceptor.Proxy{Trusted: make([]netip.Prefix, 1)}}, []string{"set Mode", "Trusted[0] is no prefix"}},
		"IPv4 in 6": {acceptor.Spec{Address: ":0", Proxy: &acceptor.Proxy{Trusted: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}}},
			[]string{"as an IPv4 prefix"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.spec.Protocol = (&host{}).protocol()
			_, err := acceptor.Start(processtest.Context(t), c.spec)
			if err == nil {
				t.Fatal("it was started")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
		})
	}
}
