package httpd_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/acceptor/httpd"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// A secure transport speaks TLS, and lets one see it.
type secure struct{ config *tls.Config }

func (secure) Start(context.Context) (process.PID, error) {
	return process.PID{}, process.ErrIgnore
}

func (s secure) Handshake(ctx context.Context, raw net.Conn, _ process.PID) (net.Conn, error) {
	c := tls.Server(spy{raw}, s.config)
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secured{c}, nil
}

// spy hides what is below it, as a transport's own conn may.
type spy struct{ net.Conn }

type secured struct{ *tls.Conn }

func (s secured) TLS() *tls.Conn { return s.Conn }

// pair returns a server's and a client's settings.
func pair(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"web"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}},
		&tls.Config{RootCAs: roots, ServerName: "web"}
}

// Whoever speaks TLS, the server or a Transport, HTTP/1 and HTTP/2 requests act for
// their connection, and a drain tells HTTP/2 to go away.
func TestProtocols(t *testing.T) {
	server, client := pair(t)
	protocols := func(set ...func(*http.Protocols, bool)) *http.Protocols {
		p := new(http.Protocols)
		for _, f := range set {
			f(p, true)
		}
		return p
	}
	only1, only2 := protocols((*http.Protocols).SetHTTP1), protocols((*http.Protocols).SetHTTP2)
	clear2 := protocols((*http.Protocols).SetUnencryptedHTTP2)
	both := protocols((*http.Protocols).SetHTTP1, (*http.Protocols).SetUnencryptedHTTP2)
	transport := func(s *acceptor.Spec, _ *http.Server) { s.Transport = secure{server} }
	itself := func(_ *acceptor.Spec, srv *http.Server) { srv.TLSConfig = server.Clone() }
	for name, tt := range map[string]struct {
		edit   func(*acceptor.Spec, *http.Server)
		client *http.Protocols
		url    string
		proto  string
	}{
		"transport, HTTP/1": {transport, only1, "https://web/", "HTTP/1.1"},
		"transport, HTTP/2": {transport, only2, "https://web/", "HTTP/2.0"},
		"server, HTTP/1":    {itself, only1, "https://web/", "HTTP/1.1"},
		"server, HTTP/2":    {itself, only2, "https://web/", "HTTP/2.0"},
		"clear, HTTP/2":     {func(_ *acceptor.Spec, srv *http.Server) { srv.Protocols = both }, clear2, "http://web/", "HTTP/2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			h := func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					time.Sleep(10 * time.Second)
				}
				self(w, r)
			}
			bubble(t, http.HandlerFunc(h), tt.edit, func(t *test) {
				t.client.Transport = &http.Transport{DialContext: t.street.dial, TLSClientConfig: client.Clone(), Protocols: tt.client}
				first := get(t.client, tt.url)
				if first.err != nil || first.proto != tt.proto {
					t.Fatalf("got %+v (%v), want %s", first, first.err, tt.proto)
				}
				c := t.only()
				if first.text != c.PID.String() {
					t.Errorf("the request acts for %s, want its connection %v", first.text, c.PID)
				}
				slow := make(chan answer)
				go func() { slow <- get(t.client, tt.url+"slow") }()
				t.wantOpen(1)

				begin := time.Now()
				drained := make(chan error)
				go func() { drained <- acceptor.Drain(t.ctx, t.pid, time.Minute) }()
				if a := <-slow; a.err != nil || a.text != first.text {
					t.Errorf("the request in hand got %+v", a)
				}
				t.since(begin, 10*time.Second)
				if err := <-drained; err != nil {
					t.Errorf("the drain: %v", err)
				}
				// HTTP/2 waits a second after the last answer; and the ends of a
				// pipe that say goodbye both at once wait for each other, 5 s.
				if took := time.Since(begin); took > 16*time.Second {
					t.Errorf("the drain took %v", took)
				}
				t.wantOpen(0)
				t.wantQuiet()
			})
		})
	}
}

// A client that does not believe in our certificate is the peer's doing: no crash.
func TestHandshakeFails(t *testing.T) {
	server, client := pair(t)
	client.RootCAs = x509.NewCertPool()
	edit := func(s *acceptor.Spec, _ *http.Server) { s.Transport = secure{server} }
	bubble(t, http.HandlerFunc(self), edit, func(t *test) {
		t.client.Transport = &http.Transport{DialContext: t.street.dial, TLSClientConfig: client}
		if got := get(t.client, "https://web/"); got.err == nil {
			t.Errorf("got %+v", got)
		}
		t.wantOpen(0)
		if ends := t.info().Ends; ends["handshake_failed"] != 1 {
			t.Errorf("the ends are %v", ends)
		}
		t.wantQuiet()
	})
}

// On real sockets, where the kernel copies a file.
func TestFile(t *testing.T) {
	ctx := processtest.Context(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })
	pid, err := acceptor.Start(ctx, acceptor.Spec{Address: "127.0.0.1:0",
		Protocol: httpd.Serve(func() *http.Server { return &http.Server{Handler: h} })})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, pid)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	if got := get(client, "http://"+addr.String()); got.text != string(want) {
		t.Errorf("got %d bytes (%v), want %d", len(got.text), got.err, len(want))
	}
	client.CloseIdleConnections()
}
