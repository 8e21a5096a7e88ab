package acme_test

import (
	"encoding/pem"

	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/tlsconn/acme"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Of Pebble, which cannot be stopped.
		goleak.IgnoreAnyFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"),
		// Of certmagic: its limit of requests to an authority, and those that keep a
		// lock in a folder fresh, which look only every five seconds whether it is gone.
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"),
	)
}

// An authority is Pebble, Let's Encrypt's ACME server for tests, in this program. It
// finds every name at 127.0.0.1, and calls the port that it was made for.
type authority struct {
	*httptest.Server
	directory string
	trust     string // PEM file: whom its HTTPS leads to
	roots     string // PEM file: whom its certificates lead to
	port      int
}

// newAuthority starts one whose certificates are valid for so many seconds; 0: for
// years.
func newAuthority(t *testing.T, valid uint64) *authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1") // validate at once
	t.Setenv("PEBBLE_AUTHZREUSE", "0") // and each time
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	logger := log.New(io.Discard, "", 0)
	store, port := db.NewMemoryStore(), freePort(t)
	issuer := ca.New(logger, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: valid}})
	validator := va.New(logger, freePort(t), port, false, nameserver(t), store)
	front := wfe.New(logger, store, validator, issuer, []string{"pebble.example"}, false, false, 0, 0)
	a := &authority{Server: httptest.NewTLSServer(front.Handler()), port: port}
	t.Cleanup(a.Close)
	a.Config.ErrorLog = logger
	a.directory = a.URL + wfe.DirectoryPath
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw})
	a.trust = pki.WriteFile(t, t.TempDir(), "pebble.crt", own)
	a.roots = pki.WriteFile(t, t.TempDir(), "roots.crt", issuer.GetRootCert(0).PEM())
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return a
}

// spec is for a Source that gets its certificates here.
func (a *authority) spec(t *testing.T, names ...string) acme.Spec {
	return acme.Spec{
		Names: names, Email: "ops@example.com", Agreed: true, Folder: t.TempDir(),
		Directory: a.directory, DirectoryCA: a.trust, Roots: a.roots, Host: "127.0.0.1", Port: a.port,
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// nameserver says that every name is this machine's.
func nameserver(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // which is how Pebble asks
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	srv := &dns.Server{Listener: ln, NotifyStartedFunc: func() { close(started) }}
	srv.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer := new(dns.Msg).SetReply(q)
		if q := q.Question[0]; q.Qtype == dns.TypeA {
			answer.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)}}
		}
		w.WriteMsg(answer)
	})
	done := make(chan error, 1)
	go func() { done <- srv.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		srv.Shutdown()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}
