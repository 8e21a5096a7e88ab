package tlsconn_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/internal/badtls"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
)

// A runtimeRow is one way in which a connection fails, and what must come of it.
type runtimeRow struct {
	name string // as in docs/tls.md; behind a comma are variants of a row
	spec tlsconn.Spec
	// inBubble: it takes time, and no socket.
	inBubble bool
	// peer plays the client. It returns what it saw of an alert: an error of
	// crypto/tls, or nil if that is not its business.
	peer func(w *world, c net.Conn) error

	class  tlsconn.Class
	stage  tlsconn.State
	blame  tlsconn.Blame
	level  process.Level
	alert  string // "" : none
	reason string
	sni    string
	cause  string // part of its text
	is     error  // in the chain
}

// The rows of what can go wrong at run time. Their classes are those of this Go:
// crypto/tls has no types for most of its errors, so a new version may have to be
// taught to classify, and this table is what notices.
var runtimeRows = []runtimeRow{
	{
		name:  "connect and FIN",
		peer:  func(_ *world, c net.Conn) error { return c.Close() },
		class: tlsconn.Probe, stage: tlsconn.Hello, blame: tlsconn.BlamePeer, level: process.LevelQuiet, cause: "EOF", is: io.EOF,
	},
	{
		name: "plain HTTP",
		peer: func(_ *world, c net.Conn) error {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			return nothing(until(c))
		},
		class: tlsconn.ClientNotTLS, stage: tlsconn.Hello, level: process.LevelWarn, reason: "http",
		cause: "first record does not look like a TLS handshake",
	},
	{
		name: "random bytes",
		peer: func(_ *world, c net.Conn) error {
			io.WriteString(c, "\x91\x3b\xf0\x05\x77\xe2\x10\xaa\x64\x19\x8c\xd3\x00\x42\x5f\xbb\x27\xc9")
			return nothing(until(c))
		},
		class: tlsconn.ClientNotTLS, stage: tlsconn.Hello, level: process.LevelWarn,
		cause: "first record does not look like a TLS handshake",
	},
	{
		name: "record of length 0xffff",
		peer: func(_ *world, c net.Conn) error {
			io.WriteString(c, "\x16\x03\x01\xff\xff")
			return onWire(c)
		},
		class: tlsconn.ProtocolViolation, stage: tlsconn.Hello, level: process.LevelWarn, alert: "sent record_overflow",
		cause: "oversized record received with length 65535",
	},
	{
		name: "ClientHello and RST",
		peer: func(w *world, c net.Conn) error {
			c.Write(badtls.Hello(w.trusting()))
			io.ReadFull(c, make([]byte, 1)) // or the RST may overtake it
			reset(c)
			return nil
		},
		class: tlsconn.PeerGone, stage: tlsconn.Negotiating, level: process.LevelInfo, sni: "localhost", cause: "connection reset by peer",
	},
	{
		name: "ClientHello and FIN",
		peer: func(w *world, c net.Conn) error {
			c.Write(badtls.Hello(w.trusting()))
			c.(*net.TCPConn).CloseWrite()
			return nothing(until(c))
		},
		class: tlsconn.PeerGone, stage: tlsconn.Negotiating, level: process.LevelInfo, sni: "localhost", cause: "EOF", is: io.EOF,
	},
	{
		name: "half a ClientHello and FIN",
		peer: func(w *world, c net.Conn) error {
			hello := badtls.Hello(w.trusting())
			c.Write(hello[:len(hello)/2])
			return c.Close()
		},
		class: tlsconn.PeerGone, stage: tlsconn.Hello, level: process.LevelInfo, cause: "unexpected EOF", is: io.ErrUnexpectedEOF,
	},
	{
		name: "client rejects our certificate",
		peer: func(w *world, c net.Conn) error {
			shakes(c, w.trusting(func(c *tls.Config) { c.RootCAs = w.clientRoot.Pool() }))
			return nil
		},
		class: tlsconn.PeerRejectedUs, stage: tlsconn.Negotiating, blame: tlsconn.BlameUs, level: process.LevelError,
		alert: "received bad_certificate", sni: "localhost", cause: "remote error: tls: bad certificate",
	},
	{
		name: "client rejects our certificate, TLS 1.2",
		peer: func(w *world, c net.Conn) error {
			shakes(c, w.trusting(maxVersion(tls.VersionTLS12), func(c *tls.Config) { c.RootCAs = w.clientRoot.Pool() }))
			return nil
		},
		class: tlsconn.PeerRejectedUs, stage: tlsconn.Negotiating, blame: tlsconn.BlameUs, level: process.LevelError,
		alert: "received bad_certificate", sni: "localhost", cause: "remote error: tls: bad certificate",
	},
	{
		// So does OpenSSL: it has not made its keys yet when it looks at our certificate.
		name: "client rejects our certificate, in the clear",
		peer: func(w *world, c net.Conn) error {
			shakes(c, w.trusting(func(conf *tls.Config) {
				conf.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error {
					_, err := c.Write([]byte("\x15\x03\x03\x00\x02\x02\x30"))
					return errors.Join(err, c.Close())
				}
			}))
			return nil
		},
		class: tlsconn.PeerRejectedUs, stage: tlsconn.Negotiating, blame: tlsconn.BlameUs, level: process.LevelError,
		alert: "received unknown_ca", sni: "localhost", cause: "the peer said unknown_ca in the clear",
	},
	{
		name: "TLS 1.0 only",
		peer: func(w *world, c net.Conn) error {
			return shakes(c, w.trusting(maxVersion(tls.VersionTLS10), func(c *tls.Config) { c.MinVersion = tls.VersionTLS10 }))
		},
		class: tlsconn.NoCommonVersion, stage: tlsconn.Negotiating, level: process.LevelWarn, alert: "sent protocol_version",
		sni: "localhost", cause: "tls: client offered only unsupported versions: [301]",
	},
	{
		name: "no common cipher",
		peer: func(w *world, c net.Conn) error {
			return shakes(c, w.trusting(maxVersion(tls.VersionTLS12), func(c *tls.Config) {
				c.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA} // for which our key is no good
			}))
		},
		class: tlsconn.NoCommonCipher, stage: tlsconn.Negotiating, level: process.LevelWarn, alert: "sent handshake_failure",
		sni: "localhost", cause: "no cipher suite supported by both client and server; client offered: [2f]",
	},
	{
		name: "no common ALPN",
		spec: tlsconn.Spec{ALPN: []string{"h2"}},
		peer: func(w *world, c net.Conn) error {
			return shakes(c, w.trusting(func(c *tls.Config) { c.NextProtos = []string{"gopher"} }))
		},
		class: tlsconn.NoCommonALPN, stage: tlsconn.Negotiating, level: process.LevelWarn, alert: "sent no_application_protocol",
		sni: "localhost", cause: `client requested unsupported application protocols (["gopher"])`,
	},
	{
		name: "unknown server name",
		spec: tlsconn.Spec{UnknownName: tlsconn.RefuseName},
		peer: func(w *world, c net.Conn) error {
			return shakes(c, w.trusting(func(c *tls.Config) { c.ServerName = "elsewhere.example" }))
		},
		class: tlsconn.UnknownName, stage: tlsconn.Negotiating, level: process.LevelWarn, alert: "sent unrecognized_name",
		sni: "elsewhere.example", cause: "nobody serves this name",
	},
	mutual("no client certificate", tls.VersionTLS13, nil, "missing", "sent certificate_required", "client didn't provide a certificate"),
	mutual("no client certificate, TLS 1.2", tls.VersionTLS12, nil, "missing", "sent handshake_failure", "client didn't provide a certificate"),
	mutual("expired client certificate", tls.VersionTLS13, func(w *world) *pki.Cert { return expired(w.clientRoot) },
		"expired", "sent certificate_expired", "certificate has expired or is not yet valid"),
	mutual("client certificate of an unknown authority", tls.VersionTLS13, func(w *world) *pki.Cert { return w.root.Client("alice") },
		"unknown_ca", "sent unknown_ca", "certificate signed by unknown authority"),
	mutual("client certificate for another use", tls.VersionTLS13, func(w *world) *pki.Cert { return onlyFor(w.clientRoot, x509.ExtKeyUsageServerAuth) },
		"key_usage", "sent bad_certificate", "certificate specifies an incompatible key usage"),
	mutual("client certificate for another use, TLS 1.2", tls.VersionTLS12, func(w *world) *pki.Cert { return onlyFor(w.clientRoot, x509.ExtKeyUsageServerAuth) },
		"key_usage", "sent bad_certificate", "certificate specifies an incompatible key usage"),
	{
		name: "FIN without close_notify",
		peer: func(w *world, c net.Conn) error {
			established(c, w.trusting())
			return c.Close()
		},
		class: tlsconn.Truncated, stage: tlsconn.Established, blame: tlsconn.BlameNetwork, level: process.LevelWarn,
		sni: "localhost", cause: "unexpected EOF", is: io.ErrUnexpectedEOF,
	},
	{
		name: "FIN without close_notify, self-framing",
		spec: tlsconn.Spec{SelfFraming: true},
		peer: func(w *world, c net.Conn) error {
			established(c, w.trusting())
			return c.Close()
		},
		class: tlsconn.Truncated, stage: tlsconn.Established, blame: tlsconn.BlameNetwork, level: process.LevelQuiet,
		sni: "localhost", cause: "unexpected EOF", is: io.ErrUnexpectedEOF,
	},
	{
		name: "FIN without close_notify, TLS 1.2",
		peer: func(w *world, c net.Conn) error {
			established(c, w.trusting(maxVersion(tls.VersionTLS12)))
			return c.Close()
		},
		class: tlsconn.Truncated, stage: tlsconn.Established, blame: tlsconn.BlameNetwork, level: process.LevelWarn,
		sni: "localhost", cause: "unexpected EOF", is: io.ErrUnexpectedEOF,
	},
	{
		name: "RST after the handshake",
		peer: func(w *world, c net.Conn) error {
			established(c, w.trusting())
			reset(c)
			return nil
		},
		class: tlsconn.PeerReset, stage: tlsconn.Established, level: process.LevelInfo, sni: "localhost", cause: "connection reset by peer",
	},
	{
		name: "half a record and FIN",
		peer: func(w *world, c net.Conn) error {
			established(c, w.trusting())
			io.WriteString(c, "\x17\x03\x03\x00\x50half")
			return c.Close()
		},
		class: tlsconn.Truncated, stage: tlsconn.Established, blame: tlsconn.BlameNetwork, level: process.LevelWarn,
		sni: "localhost", cause: "unexpected EOF", is: io.ErrUnexpectedEOF,
	},
	{
		name: "forged record",
		peer: func(w *world, c net.Conn) error {
			t := established(c, w.trusting())
			io.WriteString(c, "\x17\x03\x03\x00\x20"+strings.Repeat("f", 32))
			return until(t)
		},
		class: tlsconn.Tampering, stage: tlsconn.Established, blame: tlsconn.BlameNetwork, level: process.LevelError,
		alert: "sent bad_record_mac", sni: "localhost", cause: "local error: tls: bad record MAC",
	},
	{
		name: "renegotiation",
		peer: func(w *world, c net.Conn) error {
			return badtls.Renegotiate(c, w.trusting(), talk)
		},
		class: tlsconn.RenegotiationRefused, stage: tlsconn.Established, level: process.LevelWarn,
		alert: "sent unexpected_message", sni: "localhost", cause: "received unexpected handshake message of type *tls.clientHelloMsg",
	},
	{
		name: "fatal alert of the peer",
		peer: func(w *world, c net.Conn) error {
			io.WriteString(c, "\x15\x03\x01\x00\x02\x02\x50")
			return nothing(until(c))
		},
		class: tlsconn.PeerAlert, stage: tlsconn.Hello, level: process.LevelWarn, alert: "received internal_error",
		cause: "remote error: tls: internal error",
	},
}

// mutual is a row about a client's certificate.
func mutual(name string, version uint16, cert func(*world) *pki.Cert, reason, alert, cause string) runtimeRow {
	return runtimeRow{
		name: name,
		spec: tlsconn.Spec{ClientAuth: tlsconn.RequireClientCert},
		peer: func(w *world, c net.Conn) error {
			conf := w.trusting(maxVersion(version))
			if cert != nil {
				with(cert(w))(conf)
			}
			return shakes(c, conf)
		},
		class: tlsconn.ClientNotTrusted, stage: tlsconn.Negotiating, level: process.LevelWarn,
		alert: alert, reason: reason, sni: "localhost", cause: cause,
	}
}

// nothing drops what a raw client sees when the other side has closed.
func nothing(error) error { return nil }

// onWire returns the alert that the other side sends in the clear.
func onWire(c net.Conn) error {
	defer c.Close()
	all, _ := io.ReadAll(c) // that it may end in a reset is not what is asked
	return sawOnWire{tlsconn.AlertOnWire(all)}
}

type sawOnWire struct{ tlsconn.Alert }

func (s sawOnWire) Error() string { return "on the wire: " + s.Alert.Name() }

// shakes does a handshake, reads on, and returns what went wrong: with TLS 1.3 a
// client learns only then that its certificate is refused.
func shakes(c net.Conn, conf *tls.Config) error {
	t := tls.Client(c, conf)
	defer c.Close()
	if err := t.Handshake(); err != nil {
		return err
	}
	return until(t)
}

// established is a client's connection on which a byte has gone each way.
func established(c net.Conn, conf *tls.Config) *tls.Conn {
	t := tls.Client(c, conf)
	if err := talk(t); err != nil {
		panic(fmt.Sprint("client: ", err))
	}
	return t
}

// talk sends a byte, and waits for that of serve.
func talk(t *tls.Conn) error {
	if _, err := t.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(t, make([]byte, 1))
	return err
}

// serve is what the server does: it answers each byte with one, until it ends.
func serve(c *tlsconn.Conn) error {
	var b [1]byte
	for {
		if _, err := c.Read(b[:]); err != nil {
			return err
		}
		if _, err := c.Write(b[:]); err != nil {
			return err
		}
	}
}

// Every fault is one event, one counter and one end, with its class, and nothing
// else is said.
func TestRuntimeFaults(t *testing.T) {
	for _, row := range runtimeRows {
		t.Run(row.name, func(t *testing.T) {
			raw, client := tcpPair(t)
			row.play(t, raw, client)
		})
	}
	t.Run(slowloris.name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			raw, client := net.Pipe()
			start := time.Now()
			slowloris.play(t, raw, client)
			if took := time.Since(start); took > 6*time.Second {
				t.Errorf("it took %v, want 5 s", took)
			}
		})
	})
}

// slowloris is a row, too: who sends so slowly that it never ends.
var slowloris = runtimeRow{
	name: "slowloris", inBubble: true,
	peer: func(w *world, c net.Conn) error {
		for _, b := range badtls.Hello(w.trusting()) {
			if _, err := c.Write([]byte{b}); err != nil {
				return nil
			}
			time.Sleep(time.Second)
		}
		return errors.New("it was heard to the end")
	},
	class: tlsconn.HandshakeTimeout, stage: tlsconn.Hello, level: process.LevelWarn,
	cause: "not done within 5s", is: process.ErrTimeout,
}

func (row *runtimeRow) play(t *testing.T, raw, client net.Conn) {
	ctx, rec := node(t)
	w := newWorld()
	s := w.serving(t, ctx, row.spec)
	saw := make(chan error, 1)
	go func() { saw <- row.peer(w, client) }()
	c, err := s.Open(ctx, raw, idler(t, ctx))
	if err != nil {
		t.Fatal(err)
	}
	err = c.Handshake(ctx)
	if err == nil {
		err = serve(c)
	}
	f := faultOf(t, err)
	reason, err := process.Wait(ctx, c.PID())
	if err != nil {
		t.Fatal(err)
	}
	alert := <-saw
	client.Close()
	row.wantFault(t, f, w)
	row.wantAlert(t, f, alert)

	// One end, with that reason.
	if got := faultOf(t, reason); got != f || !process.Clean(reason) {
		t.Errorf("the process ended with %v, want a shutdown with what Read returned, %v", reason, f)
	}
	if c.Err() != error(f) || c.State() != row.stage {
		t.Errorf("the connection says %v in state %v", c.Err(), c.State())
	}
	exits := 0
	for _, e := range rec.Events(process.Exited) {
		if e.PID == c.PID() {
			exits++
		}
	}
	if exits != 1 {
		t.Errorf("the process ended %d times", exits)
	}
	// One counter.
	if got := s.Counts(); !maps.Equal(got, map[tlsconn.Class]uint64{row.class: 1}) {
		t.Errorf("counted %v", got)
	}
	// One event, and nothing else.
	events := rec.Events(reports)
	if len(events) != 1 {
		t.Fatalf("%d events, want one:\n%v", len(events), rec)
	}
	e := events[0]
	if e.Kind != process.Network || e.Level != row.level || e.PID != c.PID() || e.Reason != error(f) || e.Detail != process.Detail(f) {
		t.Errorf("event %+v", e)
	}
	if key := pki.Leaked(w.server.Key, fmt.Sprintf("%v %+v %#v %v %v", f, f, c, e, rec)); key != "" {
		t.Errorf("the key is shown: %s", key)
	}
}

func (row *runtimeRow) wantFault(t *testing.T, f *tlsconn.Fault, w *world) {
	t.Helper()
	if f.Class != row.class || f.Stage != row.stage || f.Blame != row.blame || f.SNI != row.sni || f.Reason != row.reason {
		t.Errorf("got class %v, stage %v, blame %v, sni %q, reason %q\nwant      %v, stage %v, blame %v, sni %q, reason %q\nfor %v",
			f.Class, f.Stage, f.Blame, f.SNI, f.Reason, row.class, row.stage, row.blame, row.sni, row.reason, f)
	}
	if f.Endpoint == "" || f.Peer == nil || f.Alert.String() != row.alert {
		t.Errorf("endpoint %q, peer %v, alert %q; want the last to be %q", f.Endpoint, f.Peer, f.Alert, row.alert)
	}
	if f.Cause == nil || !strings.Contains(f.Cause.Error(), row.cause) {
		t.Errorf("cause %v, want %q in it", f.Cause, row.cause)
	}
	if row.is != nil && !errors.Is(f, row.is) {
		t.Errorf("%v is no %v", f, row.is)
	}
	if shown := row.class == tlsconn.ClientNotTrusted && row.reason != "missing"; shown != (f.Serial != "" && f.Subject != "") {
		t.Errorf("subject %q, serial %q", f.Subject, f.Serial)
	}
}

// wantAlert compares the alert in the fault with what the peer saw.
func (row *runtimeRow) wantAlert(t *testing.T, f *tlsconn.Fault, saw error) {
	t.Helper()
	if f.Alert.Way != tlsconn.Sent {
		return
	}
	got := tlsconn.AlertIn(saw)
	if wire, ok := errors.AsType[sawOnWire](saw); ok {
		got = wire.Alert
	}
	if got.Code != f.Alert.Code || got.Way == tlsconn.NoAlert {
		t.Errorf("the peer saw %v, the fault says %v", saw, f.Alert)
	}
}
