package tlsconn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/tlsconn"
)

// A clientRow is one way in which a client's connection fails.
type clientRow struct {
	name string
	spec tlsconn.ClientSpec
	cert func(*world) *pki.Cert // the client's
	// peer plays the server on an accepted socket.
	peer func(w *world, c net.Conn)

	class  tlsconn.Class
	stage  tlsconn.State
	blame  tlsconn.Blame
	level  process.Level
	alert  string
	reason string
	cause  string
}

// answering is a server of crypto/tls with these settings, that answers bytes.
func answering(edit func(*world, *tls.Config)) func(*world, net.Conn) {
	return func(w *world, c net.Conn) {
		conf := &tls.Config{Certificates: []tls.Certificate{w.server.TLS()}}
		edit(w, conf)
		t := tls.Server(c, conf)
		defer c.Close()
		io.Copy(t, t)
	}
}

func serving(cert func(*world) *pki.Cert) func(*world, net.Conn) {
	return answering(func(w *world, c *tls.Config) { c.Certificates = []tls.Certificate{cert(w).TLS()} })
}

var clientRows = []clientRow{
	{
		name: "nobody listens",
		spec: tlsconn.ClientSpec{Dialer: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("nobody is there")
		}},
		class: tlsconn.DialFailed, stage: tlsconn.Dialing, blame: tlsconn.BlameNetwork, level: process.LevelWarn, cause: "nobody is there",
	},
	{
		name:  "dialing takes too long",
		spec:  tlsconn.ClientSpec{Timeout: 10 * time.Millisecond, Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }},
		class: tlsconn.DialFailed, stage: tlsconn.Dialing, blame: tlsconn.BlameNetwork, level: process.LevelWarn, cause: "not done within 10ms",
	},
	{
		name:  "not TLS",
		peer:  func(_ *world, c net.Conn) { io.WriteString(c, "220 mail.example ESMTP\r\n"); io.Copy(io.Discard, c) },
		class: tlsconn.ServerNotTLS, stage: tlsconn.Negotiating, level: process.LevelWarn, cause: "first record does not look like a TLS handshake",
	},
	{
		name: "the server hangs up",
		peer: func(_ *world, c net.Conn) {
			io.ReadFull(c, make([]byte, 100))
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
		},
		class: tlsconn.PeerGone, stage: tlsconn.Hello, level: process.LevelInfo, cause: "EOF",
	},
	{
		name:  "the server says nothing",
		spec:  tlsconn.ClientSpec{Timeout: 50 * time.Millisecond},
		peer:  func(_ *world, c net.Conn) { io.Copy(io.Discard, c) },
		class: tlsconn.HandshakeTimeout, stage: tlsconn.Hello, level: process.LevelWarn, cause: "not done within 50ms",
	},
	{
		name:  "unknown authority",
		peer:  serving(func(w *world) *pki.Cert { return w.clientRoot.Server("localhost") }),
		class: tlsconn.ServerNotTrusted, stage: tlsconn.Negotiating, level: process.LevelError, alert: "sent bad_certificate",
		reason: "unknown_ca", cause: "signed by unknown authority",
	},
	{
		name:  "expired",
		peer:  serving(func(w *world) *pki.Cert { return expired(w.root, "localhost") }),
		class: tlsconn.ServerNotTrusted, stage: tlsconn.Negotiating, level: process.LevelError, alert: "sent bad_certificate",
		reason: "expired", cause: "expired",
	},
	{
		name: "not yet valid",
		peer: serving(func(w *world) *pki.Cert {
			return w.root.Issue(pki.Want{Name: "early", Names: []string{"localhost"}, NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)})
		}),
		class: tlsconn.ServerNotTrusted, stage: tlsconn.Negotiating, level: process.LevelError, alert: "sent bad_certificate",
		reason: "not_yet_valid", cause: "not yet valid",
	},
	{
		name:  "another name",
		peer:  serving(func(w *world) *pki.Cert { return w.root.Server("elsewhere.example") }),
		class: tlsconn.ServerNotTrusted, stage: tlsconn.Negotiating, level: process.LevelError, alert: "sent bad_certificate",
		reason: "name", cause: "valid for elsewhere.example, not localhost",
	},
	{
		name: "our certificate is missing",
		peer: answering(func(w *world, c *tls.Config) {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, w.clientRoot.Pool()
		}),
		class: tlsconn.WeWereRejected, stage: tlsconn.Established, blame: tlsconn.BlameUs, level: process.LevelError,
		alert: "received certificate_required", cause: "certificate required",
	},
	{
		name: "our certificate is not trusted",
		cert: func(w *world) *pki.Cert { return w.root.Client("alice") },
		peer: answering(func(w *world, c *tls.Config) {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, w.clientRoot.Pool()
		}),
		class: tlsconn.WeWereRejected, stage: tlsconn.Established, blame: tlsconn.BlameUs, level: process.LevelError,
		alert: "received unknown_ca", cause: "unknown certificate authority",
	},
	{
		name: "the server is too old",
		peer: answering(func(_ *world, c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }),
		// It answers with an alert.
		class: tlsconn.NoCommonVersion, stage: tlsconn.Negotiating, blame: tlsconn.BlameUs, level: process.LevelWarn,
		alert: "received protocol_version", cause: "protocol version not supported",
	},
	{
		name:  "no common ALPN",
		spec:  tlsconn.ClientSpec{ALPN: []string{"gopher"}},
		peer:  answering(func(_ *world, c *tls.Config) { c.NextProtos = []string{"h2"} }),
		class: tlsconn.NoCommonALPN, stage: tlsconn.Negotiating, blame: tlsconn.BlameUs, level: process.LevelWarn,
		alert: "received no_application_protocol", cause: "no application protocol",
	},
	{
		name:  "unknown name",
		peer:  answering(func(_ *world, c *tls.Config) { c.Certificates = nil; c.GetCertificate = noCertificate }),
		class: tlsconn.UnknownName, stage: tlsconn.Negotiating, blame: tlsconn.BlameUs, level: process.LevelWarn,
		alert: "received unrecognized_name", cause: "unrecognized name",
	},
	{
		name: "cut",
		peer: func(w *world, c net.Conn) {
			t := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{w.server.TLS()}})
			t.Handshake()
			c.Close()
		},
		class: tlsconn.Truncated, stage: tlsconn.Established, blame: tlsconn.BlameNetwork, level: process.LevelWarn, cause: "unexpected EOF",
	},
}

func noCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }

// A client tells its faults as a server does: one event each, and the error.
func TestClientFaults(t *testing.T) {
	for _, row := range clientRows {
		t.Run(row.name, func(t *testing.T) { row.play(t) })
	}
	t.Run("refused", func(t *testing.T) { // by the operating system
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		ln.Close()
		ctx, _ := node(t)
		_, err = tlsconn.Dial(ctx, tlsconn.ClientSpec{Address: addr})
		if f := faultOf(t, err); f.Class != tlsconn.DialFailed || f.Peer != nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("dial: %v", err)
		}
	})
}

func (row *clientRow) play(t *testing.T) {
	ctx, rec := node(t)
	f := row.meet(t, ctx, newWorld())
	if f.Class != row.class || f.Stage != row.stage || f.Blame != row.blame || f.Reason != row.reason || f.Alert.String() != row.alert {
		t.Errorf("got %v, %v, %v, reason %q, alert %q\nfor %v", f.Class, f.Stage, f.Blame, f.Reason, f.Alert, f)
	}
	if f.Endpoint != "backend" || f.SNI != "localhost" || (f.Peer != nil) != (row.stage > tlsconn.Dialing) {
		t.Errorf("endpoint %q, sni %q, peer %v", f.Endpoint, f.SNI, f.Peer)
	}
	if !strings.Contains(f.Cause.Error(), row.cause) {
		t.Errorf("cause %v, want %q in it", f.Cause, row.cause)
	}
	if shown := row.class == tlsconn.ServerNotTrusted; shown != (f.Serial != "" && f.Subject != "") {
		t.Errorf("subject %q, serial %q", f.Subject, f.Serial)
	}
	events := rec.Events(reports)
	if len(events) != 1 || events[0].Kind != process.Network || events[0].Level != row.level || events[0].Reason != error(f) {
		t.Errorf("%d events:\n%v", len(events), rec)
	}
}

// meet dials the row's peer, and returns how that ended.
func (row *clientRow) meet(t *testing.T, ctx context.Context, w *world) *tlsconn.Fault {
	t.Helper()
	raw, theirs := tcpPair(t)
	var peer sync.WaitGroup
	if row.peer != nil {
		peer.Go(func() { row.peer(w, theirs) })
	}
	spec := row.spec
	spec.Name, spec.Address = "backend", "localhost:1"
	if spec.Dialer == nil {
		spec.Dialer = func(context.Context, string, string) (net.Conn, error) { return raw, nil }
	}
	var cert *pki.Cert
	if row.cert != nil {
		cert = row.cert(w)
	}
	spec.Files = w.clientFiles(t, cert)
	result := make(chan error)
	pid, err := process.Go(ctx, func(ctx context.Context) error {
		c, err := tlsconn.Dial(ctx, spec)
		if err == nil {
			_, err = io.Copy(io.Discard, c)
			process.Wait(ctx, c.PID())
		}
		result <- err
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f := faultOf(t, <-result)
	raw.Close()
	peer.Wait()
	process.Wait(ctx, pid)
	return f
}

// A server of ours and a client of ours know each other by certificate.
func TestMutual(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, rec := node(t)
		w := newWorld()
		s := w.serving(t, ctx, tlsconn.Spec{ClientAuth: tlsconn.RequireClientCert, NoTickets: true})
		raw, theirs := net.Pipe()
		alice := w.clientRoot.Issue(pki.Want{Name: "alice", Names: []string{"alice.example", "10.0.0.7"}})
		owner := idler(t, ctx)
		got := make(chan net.Conn, 1)
		go func() {
			c, err := s.Handshake(ctx, raw, owner)
			if err != nil {
				t.Error(err)
			}
			got <- c
		}()
		c, err := tlsconn.Dial(ctx, tlsconn.ClientSpec{Address: "localhost:1", Dialer: func(context.Context, string, string) (net.Conn, error) { return theirs, nil }, Files: w.clientFiles(t, alice)})
		if err != nil {
			t.Fatal(err)
		}
		server := (<-got).(*tlsconn.Conn)
		id, ok := server.Peer()
		if !ok || id.CommonName != "alice" || id.Subject != "CN=alice" || id.Issuer != "CN=clients" || strings.Join(id.Names, " ") != "alice.example 10.0.0.7" ||
			id.Serial != alice.SerialNumber.Text(16) || len(id.Fingerprint) != 64 || !id.Certificate.Equal(alice.Certificate) || !id.NotAfter.Equal(alice.NotAfter) {
			t.Errorf("the client is %+v, %v", id, ok)
		}
		if id, ok := c.Peer(); !ok || id.CommonName != "server" {
			t.Errorf("the server is %+v, %v", id, ok)
		}
		if c.PID().Parent() != (process.PID{}) {
			t.Errorf("parent %v", c.PID().Parent())
		}
		go server.Close()
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := len(rec.Events(reports)); n > 0 {
			t.Errorf("reported:\n%v", rec)
		}
	})
}

// Before a connection is established nobody is known.
func TestPeerUnknown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := opened(t, tlsconn.Spec{})
		if id, ok := p.conn.Peer(); ok {
			t.Errorf("%+v", id)
		}
	})
	if id, ok := tlsconn.PeerOf(nil); ok { // a request without TLS
		t.Errorf("%+v", id)
	}
}

// What is wrong with a Spec is told at once, all of it, and nothing is dialled.
func TestClientSpecFaults(t *testing.T) {
	rows := map[string]struct {
		spec tlsconn.ClientSpec
		want []string
	}{
		"nothing":   {tlsconn.ClientSpec{}, []string{"Address is missing"}},
		"no port":   {tlsconn.ClientSpec{Address: "localhost"}, []string{`Address is "localhost"`, "missing port"}},
		"no host":   {tlsconn.ClientSpec{Address: ":1"}, []string{"give ServerName"}},
		"unix":      {tlsconn.ClientSpec{Network: "unix"}, []string{"Address is missing", "ServerName is missing"}},
		"network":   {tlsconn.ClientSpec{Network: "udp", Address: "a:1"}, []string{`Network is "udp"`}},
		"times":     {tlsconn.ClientSpec{Address: "a:1", Timeout: -5, Backoff: tlsconn.Backoff{Min: -1}}, []string{"Timeout is -5ns", "Backoff is"}},
		"protocols": {tlsconn.ClientSpec{Address: "a:1", ALPN: []string{""}, MinVersion: tls.VersionTLS11}, []string{"ALPN has a protocol of 0 bytes", "MinVersion is TLS 1.1"}},
		"levels":    {tlsconn.ClientSpec{Address: "a:1", Levels: map[tlsconn.Class]process.Level{0: 1}}, []string{"Levels has 0"}},
	}
	for name, row := range rows {
		bubble(t, func(t *testing.T) {
			ctx, _ := node(t)
			_, dial := tlsconn.Dial(ctx, row.spec)
			c, start := tlsconn.StartClient(ctx, row.spec)
			for _, err := range []error{dial, start} {
				for _, want := range row.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%s: %v, want %q in it", name, err, want)
					}
				}
			}
			if _, err := c.Conn(ctx); err == nil || !strings.Contains(err.Error(), "not started") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// A backend is a server that a Client dials, over pipes.
type backend struct {
	w      *world
	mu     sync.Mutex
	down   error
	dials  []time.Time
	serves []*tls.Conn
	wires  []net.Conn
}

func (b *backend) dial(context.Context, string, string) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dials = append(b.dials, time.Now())
	if b.down != nil {
		return nil, b.down
	}
	ours, theirs := net.Pipe()
	t := tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{b.w.server.TLS()}, SessionTicketsDisabled: true})
	b.serves, b.wires = append(b.serves, t), append(b.wires, theirs)
	go func() { io.Copy(t, t); theirs.Close() }()
	return ours, nil
}

func (b *backend) setDown(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = err
}

func (b *backend) dialled() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.dials)
}

func (b *backend) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wires[len(b.wires)-1].Close()
}

// A Client has a connection again after every end, and those who ask wait for it.
func TestClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, rec := node(t)
		b := &backend{w: newWorld()}
		if _, err := alarm.Start(ctx); err != nil {
			t.Fatal(err)
		}
		c := tlsconn.NewClient(tlsconn.ClientSpec{Name: "db", Address: "localhost:1", Dialer: b.dial, Files: b.w.clientFiles(t, nil)})
		pid, err := c.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		first, err := c.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := echo(first); err != nil {
			t.Error(err)
		}
		if again, err := c.Conn(ctx); again != first || err != nil {
			t.Errorf("asked again: %v, %v", again, err)
		}

		// It is cut; the next one comes by itself.
		b.cut()
		if err := echo(first); !errors.Is(err, io.ErrUnexpectedEOF) && !isFault(err) {
			t.Errorf("after the cut: %v", err)
		}
		next, err := c.Conn(ctx)
		if err != nil || next == first {
			t.Fatalf("after the cut: %v, %v", next, err)
		}
		if err := echo(next); err != nil {
			t.Error(err)
		}

		// Closed by a user: the same.
		next.Close()
		if next, err = c.Conn(ctx); err != nil {
			t.Fatal(err)
		}

		// The server is away for long: who asks is told of the last attempt, and an
		// alarm is set.
		b.setDown(errors.New("on holiday"))
		b.cut()
		echo(next)
		before := b.dialled()
		short, cancel := context.WithTimeout(ctx, 10*time.Minute)
		defer cancel()
		_, err = c.Conn(short)
		if f := faultOf(t, err); !errors.Is(err, context.DeadlineExceeded) || f.Class != tlsconn.DialFailed || !strings.Contains(err.Error(), "on holiday") {
			t.Errorf("while the server is away: %v", err)
		}
		if n := b.dialled() - before; n < 20 || n > 60 {
			t.Errorf("dialled %d times in ten minutes", n)
		}
		if alarms, err := alarm.List(ctx); err != nil || len(alarms) != 1 || alarms[0].ID != "tls db: no connection" {
			t.Errorf("alarms %+v, %v", alarms, err)
		}
		b.setDown(nil)
		if next, err = c.Conn(ctx); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if alarms, err := alarm.List(ctx); err != nil || len(alarms) > 0 {
			t.Errorf("alarms %+v, %v", alarms, err)
		}
		if n := c.Info().Established; n != 4 {
			t.Errorf("established %d", n)
		}

		// The Client ends, and its connection with it.
		if err := process.Stop(ctx, pid, nil); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if next.PID().Alive() || next.Err() == nil {
			t.Errorf("the connection lives on: %v", next.Err())
		}
		// Everything was said, or told by number.
		said := map[tlsconn.Class]uint64{}
		for _, e := range rec.Events(process.Network) {
			if f, ok := errors.AsType[*tlsconn.Fault](e.Reason); ok {
				if e.Level >= process.LevelInfo {
					said[f.Class]++
				}
				continue
			}
			e.Detail.Each(func(key string, v any) {
				if key == "count" {
					said[tlsconn.DialFailed] += v.(uint64)
				}
			})
		}
		if !maps.Equal(said, c.Counts()) {
			t.Errorf("said %v of %v", said, c.Counts())
		}
		// It can be started again, as a supervisor does.
		if _, err := c.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if next, err = c.Conn(ctx); err != nil {
			t.Fatal(err)
		}
		if err := echo(next); err != nil {
			t.Error(err)
		}
	})
}

func isFault(err error) bool {
	_, ok := errors.AsType[*tlsconn.Fault](err)
	return ok
}

func echo(c net.Conn) error {
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	return wantText(c, "hello")
}

// A server that takes connections and drops them at once is not dialled in a
// storm.
func TestClientBacksOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, _ := node(t)
		b := &backend{w: newWorld()}
		c, err := tlsconn.StartClient(ctx, tlsconn.ClientSpec{Address: "localhost:1", Dialer: b.dial, SelfFraming: true, Files: b.w.clientFiles(t, nil)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
		defer cancel()
		for {
			conn, err := c.Conn(ctx)
			if err != nil {
				break
			}
			b.cut()
			fmt.Fprint(io.Discard, until(conn))
			process.Wait(ctx, conn.PID())
		}
		if n := b.dialled(); n < 10 || n > 40 {
			t.Errorf("dialled %d times in five minutes", n)
		}
	})
}
