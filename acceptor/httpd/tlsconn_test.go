package httpd_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/acceptor/httpd"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// All together: connections of tlsconn, HTTP/2 on them, each a process that ends
// with what tlsconn has found out.
func TestOverTLSConn(t *testing.T) {
	ctx := processtest.Context(t)
	root := pki.CA("root")
	files := root.Server("localhost").Write(t, t.TempDir())
	srv := tlsconn.NewServer(tlsconn.Spec{
		Files: identity.Files{Cert: files.Cert, Key: files.Key, Roots: files.CA},
		ALPN:  []string{"h2", "http/1.1"},
	})
	pid, err := acceptor.Start(ctx, acceptor.Spec{Address: "127.0.0.1:0", Transport: srv,
		Protocol: httpd.Serve(func() *http.Server { return &http.Server{Handler: http.HandlerFunc(self)} })})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, pid)
	if err != nil {
		t.Fatal(err)
	}
	trusting := &tls.Config{RootCAs: root.Pool(), ServerName: "localhost"}

	for proto, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusting.Clone(), ForceAttemptHTTP2: h2}}
		got := get(client, "https://"+addr.String())
		all, err := acceptor.Connections(ctx, pid)
		if err != nil || len(all) != 1 || got.proto != proto || got.text != all[0].PID.String() {
			t.Errorf("got %+v of %v (%v), want %s", got, all, err, proto)
		}
		client.CloseIdleConnections()
		if err := acceptor.WaitForConnections(ctx, pid, "==", 0); err != nil {
			t.Fatal(err)
		}
	}

	// A stream that is cut: net/http sees an end, tlsconn knows better.
	raw, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(raw, trusting.Clone())
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	raw.Close()
	if err := acceptor.WaitForConnections(ctx, pid, "==", 0); err != nil {
		t.Fatal(err)
	}
	// One that does not know us.
	if _, err := tls.Dial("tcp", addr.String(), &tls.Config{RootCAs: pki.CA("other").Pool(), ServerName: "localhost"}); err == nil {
		t.Error("a stranger has connected")
	}
	if err := acceptor.WaitForConnections(ctx, pid, "==", 0); err != nil {
		t.Fatal(err)
	}
	info, err := acceptor.GetInfo(ctx, pid)
	if err != nil || info.Ends["truncated"] != 1 || info.Ends["peer_rejected_us"] != 1 || info.Ends["crashed"] != 0 {
		t.Errorf("the ends are %v (%v)", info.Ends, err)
	}
	if err := acceptor.Drain(ctx, pid, time.Minute); err != nil {
		t.Errorf("the drain: %v", err)
	}
}

// TLS that is replaced while it runs: by one whose files are missing, which changes
// nothing, by another authority's, and by none. Who is connected stays.
func TestRebindTLSConn(t *testing.T) {
	ctx := processtest.Context(t)
	serve := func(root *pki.Cert) *tlsconn.Server {
		files := root.Server("localhost").Write(t, t.TempDir())
		return tlsconn.NewServer(tlsconn.Spec{Files: identity.Files{Cert: files.Cert, Key: files.Key, Roots: files.CA}})
	}
	first, second := pki.CA("first"), pki.CA("second")
	pid, err := acceptor.Start(ctx, acceptor.Spec{Address: "127.0.0.1:0", Transport: serve(first),
		Protocol: httpd.Serve(func() *http.Server { return &http.Server{Handler: http.HandlerFunc(self)} })})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, pid)
	if err != nil {
		t.Fatal(err)
	}
	client := func(root *pki.Cert) *http.Client {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: root.Pool(), ServerName: "localhost"}}}
		t.Cleanup(c.CloseIdleConnections)
		return c
	}
	want := func(c *http.Client, url string, conns int) {
		t.Helper()
		got := get(c, url+addr.String())
		all, err := acceptor.Connections(ctx, pid)
		if err != nil || len(all) != conns || got.proto != "HTTP/1.1" {
			t.Fatalf("got %+v; there are %d connections (%v), want %d", got, len(all), err, conns)
		}
	}
	old, fresh, plain := client(first), client(second), client(first)
	want(old, "https://", 1)

	bad := tlsconn.NewServer(tlsconn.Spec{Files: identity.Files{Cert: "no-such.pem", Key: "no-such.key"}})
	err = acceptor.Rebind(ctx, pid, func(b *acceptor.Binding) { b.Transport = bad })
	if _, ok := errors.AsType[*identity.Error](err); !ok {
		t.Errorf("Rebind with missing files: %v, want an *identity.Error", err)
	}
	want(old, "https://", 1)
	other := client(first) // still what it was
	want(other, "https://", 2)

	if err := acceptor.Rebind(ctx, pid, func(b *acceptor.Binding) { b.Transport = serve(second) }); err != nil {
		t.Fatal(err)
	}
	want(fresh, "https://", 3)
	want(old, "https://", 3)
	if err := acceptor.Rebind(ctx, pid, func(b *acceptor.Binding) { b.Transport = nil }); err != nil {
		t.Fatal(err)
	}
	want(plain, "http://", 4)
	want(old, "https://", 4)
	want(fresh, "https://", 4)
	if err := acceptor.Drain(ctx, pid, time.Minute); err != nil {
		t.Errorf("the drain: %v", err)
	}
}
