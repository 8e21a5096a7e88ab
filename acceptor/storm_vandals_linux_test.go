package acceptor_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/coppice-go/coppice/internal/badtls"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/tlsconn"
)

// A mischief is one way in which a client does it wrong.
type mischief struct {
	name   string
	class  tlsconn.Class // of the fault; 0: it is none of TLS
	end    string        // of the connection; "": as the class is called
	where  string        // "open", "behind": only there; "": at both
	bare   bool          // it does not introduce itself to a listener behind a proxy
	denied bool
	leaves bool // it does not wait for an answer
	// play does it. What goes wrong for the client is as it should be, or is found
	// out by what the server says.
	play func(s *storm, c net.Conn, dice *rand.Rand)
}

var mischiefs = []mischief{
	{name: "connect and FIN", leaves: true, class: tlsconn.Probe, play: func(_ *storm, c net.Conn, _ *rand.Rand) {}},
	{name: "connect and RST", leaves: true, class: tlsconn.Probe, where: "open", play: func(_ *storm, c net.Conn, _ *rand.Rand) { hangUp(c) }},
	{name: "plain HTTP", class: tlsconn.ClientNotTLS, play: func(_ *storm, c net.Conn, _ *rand.Rand) {
		write(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		drain(c)
	}},
	{name: "random bytes", class: tlsconn.ClientNotTLS, play: func(_ *storm, c net.Conn, dice *rand.Rand) {
		b := make([]byte, 5+dice.IntN(500))
		for i := range b {
			b[i] = byte(dice.Uint32())
		}
		b[0] = 0x20 + b[0]%0x60 // neither of TLS nor of SSL 2
		write(c, string(b))
		drain(c)
	}},
	{name: "record of length 0xffff", class: tlsconn.ProtocolViolation, play: func(_ *storm, c net.Conn, _ *rand.Rand) {
		write(c, "\x16\x03\x01\xff\xff")
		drain(c)
	}},
	{name: "fatal alert", class: tlsconn.PeerAlert, play: func(_ *storm, c net.Conn, _ *rand.Rand) {
		write(c, "\x15\x03\x01\x00\x02\x02\x50")
		drain(c)
	}},
	{name: "ClientHello and RST", class: tlsconn.PeerGone, play: func(s *storm, c net.Conn, _ *rand.Rand) {
		write(c, string(badtls.Hello(s.config())))
		io.ReadFull(c, make([]byte, 1)) // or the RST may overtake it
		hangUp(c)
	}},
	{name: "ClientHello and FIN", class: tlsconn.PeerGone, play: func(s *storm, c net.Conn, _ *rand.Rand) {
		write(c, string(badtls.Hello(s.config())))
		c.(*net.TCPConn).CloseWrite()
		drain(c)
	}},
	{name: "half a ClientHello and FIN", leaves: true, class: tlsconn.PeerGone, play: func(s *storm, c net.Conn, dice *rand.Rand) {
		hello := badtls.Hello(s.config())
		write(c, string(hello[:1+dice.IntN(len(hello)-1)]))
	}},
	{name: "half a ClientHello and RST", leaves: true, class: tlsconn.PeerGone, play: func(s *storm, c net.Conn, dice *rand.Rand) {
		hello := badtls.Hello(s.config())
		write(c, string(hello[:1+dice.IntN(len(hello)-1)]))
		hangUp(c)
	}},
	handshake("refuses our certificate", tlsconn.PeerRejectedUs, func(s *storm, c *tls.Config, dice *rand.Rand) {
		c.RootCAs, c.MaxVersion = s.pki.stranger.Pool(), version(dice)
	}),
	handshake("TLS 1.0 only", tlsconn.NoCommonVersion, func(_ *storm, c *tls.Config, _ *rand.Rand) {
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	}),
	handshake("no common cipher", tlsconn.NoCommonCipher, func(_ *storm, c *tls.Config, _ *rand.Rand) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	}),
	handshake("no common ALPN", tlsconn.NoCommonALPN, func(_ *storm, c *tls.Config, dice *rand.Rand) {
		c.NextProtos, c.MaxVersion = []string{"gopher"}, version(dice)
	}),
	handshake("unknown name", tlsconn.UnknownName, func(_ *storm, c *tls.Config, dice *rand.Rand) {
		c.ServerName, c.MaxVersion = "elsewhere.example", version(dice)
	}),
	handshake("no client certificate", tlsconn.ClientNotTrusted, func(_ *storm, c *tls.Config, dice *rand.Rand) {
		c.GetClientCertificate, c.MaxVersion = nil, version(dice)
	}),
	handshake("expired client certificate", tlsconn.ClientNotTrusted, func(s *storm, c *tls.Config, dice *rand.Rand) {
		identify(s.pki.clients.Issue(pki.Want{Name: "late", NotAfter: time.Now().Add(-time.Hour)}))(c)
		c.MaxVersion = version(dice)
	}),
	handshake("client certificate of a stranger", tlsconn.ClientNotTrusted, func(s *storm, c *tls.Config, dice *rand.Rand) {
		identify(s.pki.stranger.Client("alice"))(c)
		c.MaxVersion = version(dice)
	}),
	handshake("client certificate for servers", tlsconn.ClientNotTrusted, func(s *storm, c *tls.Config, dice *rand.Rand) {
		identify(s.pki.clients.Issue(pki.Want{Name: "other", Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}))(c)
		c.MaxVersion = version(dice)
	}),
	established("FIN without goodbye", tlsconn.Truncated, func(c net.Conn, _ *tls.Conn, _ *rand.Rand) {}),
	established("FIN without goodbye in a frame", tlsconn.Truncated, func(_ net.Conn, t *tls.Conn, _ *rand.Rand) {
		t.Write([]byte("\x01\x00abc"))
	}),
	established("RST", tlsconn.PeerReset, func(c net.Conn, _ *tls.Conn, _ *rand.Rand) { hangUp(c) }),
	established("half a record and FIN", tlsconn.Truncated, func(c net.Conn, _ *tls.Conn, _ *rand.Rand) { write(c, "\x17\x03\x03\x00\x50half") }),
	established("forged record", tlsconn.Tampering, func(c net.Conn, t *tls.Conn, dice *rand.Rand) {
		b := []byte("\x17\x03\x03\x00\x2032 bytes that are nobody's .....")
		for i := range b[5:] {
			b[5+i] = byte(dice.Uint32())
		}
		write(c, string(b))
		drain(t)
	}),
	{name: "renegotiation", class: tlsconn.RenegotiationRefused, play: func(s *storm, c net.Conn, dice *rand.Rand) {
		_ = badtls.Renegotiate(c, s.config(), func(t *tls.Conn) error { return say(t, dice, 3) })
	}},
	{name: "makes it crash", end: "crashed", play: func(s *storm, c net.Conn, dice *rand.Rand) {
		if t := tls.Client(c, s.config()); say(t, dice, 3) == nil {
			t.Write([]byte{0xff, 0xff})
			drain(t)
		}
	}},
	{name: "goodbye in a frame", end: "truncated", play: func(s *storm, c net.Conn, dice *rand.Rand) {
		if t := tls.Client(c, s.config()); say(t, dice, 3) == nil {
			t.Write([]byte("\x01\x00abc"))
			t.Close()
		}
	}},
	{name: "denied address", where: "open", denied: true, play: func(_ *storm, c net.Conn, _ *rand.Rand) { drain(c) }},
	{name: "no PROXY header", end: "proxy_missing", where: "behind", bare: true, play: func(s *storm, c net.Conn, _ *rand.Rand) {
		_ = tls.Client(c, s.config()).Handshake()
	}},
	{name: "wrong PROXY header", end: "proxy_invalid", where: "behind", bare: true, play: func(s *storm, c net.Conn, _ *rand.Rand) {
		write(c, "PROXY TCP4 somebody\r\n")
		drain(c)
	}},
	{name: "half a PROXY header", leaves: true, end: "proxy_invalid", where: "behind", bare: true, play: func(s *storm, c net.Conn, _ *rand.Rand) {
		write(c, "PROXY TCP4 10.0")
	}},
	{name: "connect and FIN ahead of the PROXY header", leaves: true, end: "closed", where: "behind", bare: true, play: func(*storm, net.Conn, *rand.Rand) {}},
}

// slow are those of whom a listener has enough after a while.
var slow = []mischief{
	{name: "silence", class: tlsconn.HandshakeTimeout, play: func(_ *storm, c net.Conn, _ *rand.Rand) { drain(c) }},
	{name: "drop by drop", class: tlsconn.HandshakeTimeout, play: func(s *storm, c net.Conn, _ *rand.Rand) {
		gone := make(chan struct{})
		go func() { defer close(gone); drain(c) }()
		for _, b := range badtls.Hello(s.config()) {
			if _, err := c.Write([]byte{b}); err != nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		<-gone
	}},
	{name: "silence after the ClientHello", class: tlsconn.HandshakeTimeout, play: func(s *storm, c net.Conn, _ *rand.Rand) {
		write(c, string(badtls.Hello(s.config())))
		drain(c)
	}},
}

// handshake is a mischief with these settings.
func handshake(name string, class tlsconn.Class, edit func(*storm, *tls.Config, *rand.Rand)) mischief {
	return mischief{name: name, class: class, play: func(s *storm, c net.Conn, dice *rand.Rand) {
		t := tls.Client(c, s.config(func(c *tls.Config) { edit(s, c, dice) }))
		if t.Handshake() == nil { // with TLS 1.3 a client is told later
			drain(t)
		}
	}}
}

// established is one that comes when everything has been well for a while.
func established(name string, class tlsconn.Class, then func(net.Conn, *tls.Conn, *rand.Rand)) mischief {
	return mischief{name: name, class: class, play: func(s *storm, c net.Conn, dice *rand.Rand) {
		t := tls.Client(c, s.config(func(c *tls.Config) { c.MaxVersion = version(dice) }))
		if say(t, dice, 1+dice.IntN(100)) == nil {
			then(c, t, dice)
		}
	}}
}

func identify(as *pki.Cert) func(*tls.Config) {
	t := as.TLS()
	return func(c *tls.Config) {
		// Whatever authorities the server names: some clients do not care either.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &t, nil }
	}
}

// write is for those who do not care whether anybody listens.
func write(c net.Conn, text string) { _, _ = io.WriteString(c, text) }

func drain(r io.Reader) { _, _ = io.Copy(io.Discard, r) }

// hangUp ends a connection with a RST.
func hangUp(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// vandal plays one mischief after the other, in any order: all of them at least once.
func (p *site) vandal(dice *rand.Rand) {
	for done := false; !done || !p.over(); done = true {
		for _, i := range dice.Perm(len(mischiefs)) {
			m := &mischiefs[i]
			if done && p.over() {
				return
			}
			if m.where == "" || m.where == p.name {
				p.suffer(m, dice)
			}
		}
	}
}

func (p *site) loiter(dice *rand.Rand) {
	for done := false; !done || !p.over(); done = true {
		for _, i := range dice.Perm(len(slow)) {
			p.suffer(&slow[i], dice)
		}
	}
}

func (p *site) suffer(m *mischief, dice *rand.Rand) {
	v := &visit{what: m.name, class: m.class, end: m.end, denied: m.denied, leaves: m.leaves}
	if v.end == "" {
		v.end = m.class.String()
	}
	defer func() { v.to = time.Now() }()
	c, err := p.arrive(v)
	if c != nil {
		defer c.Close()
	}
	if err == nil && !m.bare {
		err = p.introduce(v, c)
	}
	if err != nil {
		v.err = err
		pause(dice, 10*time.Millisecond)
		return
	}
	m.play(p.storm, c, dice)
}
