package tlsconn_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is the certificates of a test. They are made in it, for in a bubble it
// is another time.
type world struct {
	root, clientRoot *pki.Cert
	server           *pki.Cert // for localhost and *.wild.example
}

func newWorld() *world {
	w := &world{root: pki.CA("root"), clientRoot: pki.CA("clients")}
	w.server = w.root.Server("localhost", "127.0.0.1", "*.wild.example")
	return w
}

// serving is a started server with the world's certificate, and more for other
// names.
func (w *world) serving(t testing.TB, ctx context.Context, spec tlsconn.Spec, more ...*pki.Cert) *tlsconn.Server {
	t.Helper()
	spec.Files = filesOf(t, w.server, spec.ClientAuth, w.clientRoot)
	for _, c := range more {
		spec.Sites = append(spec.Sites, tlsconn.Site{Files: filesOf(t, c, spec.ClientAuth, w.clientRoot)})
	}
	s := tlsconn.NewServer(spec)
	if _, err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

// filesOf writes a server's files.
func filesOf(t testing.TB, c *pki.Cert, auth tlsconn.ClientAuth, clients *pki.Cert) identity.Files {
	t.Helper()
	written := c.Write(t, t.TempDir())
	f := identity.Files{Cert: written.Cert, Key: written.Key, Roots: written.CA}
	if auth != tlsconn.NoClientCert {
		f.ClientCA = pki.WriteFile(t, t.TempDir(), "clients.crt", clients.PEM())
	}
	return f
}

// clientFiles writes a client's: whom it trusts, and its certificate, if any.
func (w *world) clientFiles(t testing.TB, cert *pki.Cert) identity.Files {
	t.Helper()
	f := identity.Files{ServerCA: pki.WriteFile(t, t.TempDir(), "servers.crt", w.root.PEM())}
	if cert != nil {
		written := cert.Write(t, t.TempDir())
		f.Cert, f.Key, f.Roots = written.Cert, written.Key, written.CA
	}
	return f
}

// trusting is a client's settings.
func (w *world) trusting(edit ...func(*tls.Config)) *tls.Config {
	conf := &tls.Config{RootCAs: w.root.Pool(), ServerName: "localhost"}
	for _, e := range edit {
		e(conf)
	}
	return conf
}

func maxVersion(v uint16) func(*tls.Config) { return func(c *tls.Config) { c.MaxVersion = v } }

func with(cert *pki.Cert) func(*tls.Config) {
	return func(c *tls.Config) {
		t := cert.TLS()
		// Whatever authorities the server names: some clients do not care either.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &t, nil }
	}
}

// reports are all kinds of events that somebody may have to read.
const reports = process.Crashed | process.Abandoned | process.Supervised | process.Application | process.Network | process.Warned

// node is a node of its own, with what it has said.
func node(t testing.TB) (context.Context, *processtest.Recorder) {
	rec := &processtest.Recorder{Kinds: reports | process.Exited}
	return processtest.Node(t, process.NodeSpec{Probe: rec}), rec
}

// idler is a process that does nothing until it is ended.
func idler(t testing.TB, ctx context.Context) process.PID {
	t.Helper()
	pid, err := process.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// tcpPair is a connection over loopback.
func tcpPair(t testing.TB) (server, client *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second) // a test that hangs should say where
	if err := errors.Join(c.SetDeadline(deadline), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return s.(*net.TCPConn), c.(*net.TCPConn)
}

// reset ends a connection with a RST.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

// until reads everything and returns how that ended.
func until(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// faultOf wants a fault.
func faultOf(t testing.TB, err error) *tlsconn.Fault {
	t.Helper()
	f, ok := errors.AsType[*tlsconn.Fault](err)
	if !ok {
		t.Fatalf("got %v (%T), want a *Fault", err, err)
	}
	return f
}

func expired(c *pki.Cert, names ...string) *pki.Cert {
	return c.Issue(pki.Want{Name: "late", Names: names, NotAfter: time.Now().Add(-time.Hour)})
}

func onlyFor(c *pki.Cert, usage x509.ExtKeyUsage, names ...string) *pki.Cert {
	return c.Issue(pki.Want{Name: "other use", Names: names, Usage: []x509.ExtKeyUsage{usage}})
}
