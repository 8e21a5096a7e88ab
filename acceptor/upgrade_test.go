package acceptor_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// secure is crypto/tls as a transport, with nothing around it.
type secure struct{ config *tls.Config }

func (secure) Start(context.Context) (process.PID, error) { return process.PID{}, process.ErrIgnore }

func (s secure) Handshake(ctx context.Context, raw net.Conn, _ process.PID) (net.Conn, error) {
	conn := tls.Server(raw, s.config)
	return conn, conn.HandshakeContext(ctx)
}

// securely makes a transport with a certificate, and what a client needs for it.
// It runs in a bubble, so it is valid around the bubble's clock.
func securely(t *testing.T) (secure, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"street"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return secure{&tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}},
		&tls.Config{RootCAs: roots, ServerName: "street"}
}

// AskUpgrade asks for an upgrade where it may not be.
type AskUpgrade struct{}

func (AskUpgrade) Handle(ctx context.Context, g *guest) (string, error) {
	return g.conn.Upgrade(ctx).Error(), nil
}

// starttls answers "starttls" by going on over TLS.
func starttls(t *testing.T, client **tls.Config) func(*acceptor.Spec, *acceptor.Protocol[guest]) {
	return func(s *acceptor.Spec, p *acceptor.Protocol[guest]) {
		s.Upgrade, *client = securely(t)
		inner := p.Frame
		p.Frame = func(ctx context.Context, g *guest, line []byte) error {
			if string(line) != "starttls" {
				return inner(ctx, g, line)
			}
			if _, err := g.conn.Write([]byte("go ahead\n")); err != nil {
				return err
			}
			if err := g.conn.Upgrade(ctx); err != nil {
				return err
			}
			if _, err := g.conn.Write([]byte("?")); err != acceptor.ErrNotOpen {
				t.Errorf("Write behind Upgrade: %v, want %v", err, acceptor.ErrNotOpen)
			}
			return nil
		}
		p.Open = func(_ context.Context, g *guest) error {
			if _, over := g.conn.NetConn().(*tls.Conn); !over {
				return nil
			}
			_, err := g.conn.Write([]byte("welcome\n"))
			return err
		}
	}
}

func TestUpgrade(t *testing.T) {
	var config *tls.Config
	bubble(t, starttls(t, &config), func(t *test) {
		c := t.street.dial()
		c.send(t.T, "in clear\n")
		c.want(t.T, "echo: in clear")
		c.send(t.T, "starttls\n")
		c.want(t.T, "go ahead")
		conn := tls.Client(c.Conn, config)
		s := &client{Conn: conn, in: bufio.NewReader(conn)}
		s.want(t.T, "welcome")
		s.send(t.T, "in secret\n")
		s.want(t.T, "echo: in secret")
		// The clock of a write does not run on: a transport writes when it reads.
		time.Sleep(time.Minute)
		s.send(t.T, "later\n")
		s.want(t.T, "echo: later")
		go io.Copy(io.Discard, conn) // the answer, and the goodbye
		s.send(t.T, "starttls\n")
		t.wantOpen(0)
		t.wantEnds("crashed") // a second upgrade is the protocol's mistake
	})
}

// What the peer sends in clear behind its request is never taken for a frame.
func TestUpgradeInjection(t *testing.T) {
	for name, c := range map[string]struct{ together, then, class string }{
		"in one write": {"starttls\nevil\n", "", "injection"},
		"half a line":  {"starttls\ne", "", "injection"},
		"a bit later":  {"starttls\n", "evil, evil, evil\n", "handshake_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			var config *tls.Config
			bubble(t, starttls(t, &config), func(t *test) {
				cl := t.street.dial()
				go func() {
					cl.Write([]byte(c.together))
					cl.Write([]byte(c.then))
				}()
				cl.want(t.T, "go ahead")
				rest := make([]byte, 100)
				n, _ := cl.in.Read(rest)
				if strings.Contains(string(rest[:n]), "evil") {
					t.Errorf("the connection answered %q", rest[:n])
				}
				t.wantOpen(0)
				t.wantEnds(c.class)
				if got := t.log.Events(process.Crashed); len(got) > 0 {
					t.Errorf("the peer's fault is reported as a crash: %v", got)
				}
			})
		})
	}
}

func TestUpgradeRefused(t *testing.T) {
	var config *tls.Config
	for name, c := range map[string]struct {
		edit func(*acceptor.Spec, *acceptor.Protocol[guest])
		want string
	}{
		"without a transport": {nil, "set Spec.Upgrade"},
		"outside of Frame":    {starttls(t, &config), "outside of Frame"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, c.edit, func(t *test) {
				cl := t.street.dial()
				defer cl.Close()
				t.wantOpen(1)
				got, err := server.Call(t.ctx, t.host.guest(0), AskUpgrade{})
				if err != nil || !strings.Contains(got, c.want) {
					t.Errorf("Upgrade said %q, %v; want %q", got, err, c.want)
				}
				cl.send(t.T, "x\n")
				cl.want(t.T, "echo: x")
			})
		})
	}
}

// A peer that asks for an upgrade and then does nothing has its time.
func TestUpgradeTooSlow(t *testing.T) {
	var config *tls.Config
	bubble(t, starttls(t, &config), func(t *test) {
		c := t.street.dial()
		c.send(t.T, "starttls\n")
		c.want(t.T, "go ahead")
		time.Sleep(5*time.Second - ms)
		t.wantOpen(1)
		time.Sleep(2 * ms)
		synctest.Wait()
		t.wantOpen(0)
		t.wantEnds("handshake_timeout")
	})
}
