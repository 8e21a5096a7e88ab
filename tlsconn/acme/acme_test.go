package acme_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/acceptor/httpd"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/acme"
)

const patience = 30 * time.Second

// A site is a web service that has its certificates from an authority.
type site struct {
	*testing.T
	a      *authority
	ctx    context.Context
	certs  *acme.Source
	server *tlsconn.Server
	rec    *processtest.Recorder
	pid    process.PID
}

// start starts a service.
func start(t *testing.T, a *authority, spec acme.Spec) (*site, error) {
	t.Helper()
	s := &site{T: t, a: a, certs: acme.New(spec), rec: &processtest.Recorder{}}
	s.ctx = processtest.Node(t, process.NodeSpec{Probe: s.rec})
	if _, err := alarm.Start(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.server = tlsconn.NewServer(tlsconn.Spec{Source: s.certs, ALPN: []string{"h2", "http/1.1"}, SelfFraming: true, Reload: 20 * time.Millisecond})
	pid, err := acceptor.Start(s.ctx, acceptor.Spec{
		Name:    "web",
		Address: fmt.Sprintf("127.0.0.1:%d", a.port),
		Protocol: httpd.Serve(func() *http.Server {
			return &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) })}
		}),
		Transport: s.server,
	})
	s.pid = pid
	return s, err
}

func mustStart(t *testing.T, a *authority, spec acme.Spec) *site {
	t.Helper()
	s, err := start(t, a, spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// visit has a client that trusts the authority look at the certificate for a name.
func (s *site) visit(name string) (*x509.Certificate, error) {
	s.Helper()
	roots := x509.NewCertPool()
	text, err := os.ReadFile(s.a.roots)
	if err != nil || !roots.AppendCertsFromPEM(text) {
		s.Fatalf("no roots: %v", err)
	}
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.a.port), &tls.Config{RootCAs: roots, ServerName: name})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

func (s *site) served(name string) *x509.Certificate {
	s.Helper()
	cert, err := s.visit(name)
	if err != nil {
		s.Fatalf("%s: %v", name, err)
	}
	return cert
}

// eventually tries again and again.
func (s *site) eventually(what string, try func() error) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			s.Fatalf("not so after %v: %s: %v\n%v", patience, what, err, s.rec)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// quiet wants nothing in the log that somebody would have to look at, and no key.
func (s *site) quiet(spec acme.Spec) {
	s.Helper()
	for _, e := range s.rec.Events(0) {
		if e.Level >= process.LevelWarn {
			s.Errorf("reported: %v %s: %v", e.Level, e.Text, e.Reason)
		}
	}
	for _, site := range s.certs.Sites() {
		pair, err := tlsPair(s.certs, site)
		if err != nil {
			s.Fatal(err)
		}
		if where := pki.Leaked(pair.PrivateKey, s.rec.String()+fmt.Sprintf("%v %+v %#v", s.certs, s.certs, s.certs)); where != "" {
			s.Errorf("a key is shown: %s", where)
		}
	}
}

func tlsPair(from *acme.Source, site tlsconn.Site) (tls.Certificate, error) {
	cert, err := from.ReadFile(site.Files.Cert)
	key, err2 := from.ReadFile(site.Files.Key)
	if err := errors.Join(err, err2); err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

// The first start gets what is needed; the next one has it, also if the authority is
// not there.
func TestStart(t *testing.T) {
	a := newAuthority(t, 0)
	spec := a.spec(t, "a.example", "b.example")
	s := mustStart(t, a, spec)
	first := s.served("a.example")
	if second := s.served("b.example"); first.Equal(second) {
		t.Error("one certificate for both names")
	}
	s.quiet(spec)
	if err := process.Stop(s.ctx, s.pid, process.ErrShutdown); err != nil {
		t.Fatal(err)
	}

	a.Server.Close()
	again := mustStart(t, a, spec)
	if cert := again.served("a.example"); !cert.Equal(first) {
		t.Errorf("another certificate after a restart: %v, was %v", cert.SerialNumber, first.SerialNumber)
	}
	again.quiet(spec)
}

// A renewal is validated by our own listener, among those who use it, and served at
// once.
func TestRenew(t *testing.T) {
	a := newAuthority(t, 0)
	spec := a.spec(t, "a.example", "b.example")
	s := mustStart(t, a, spec)
	first, other := s.served("a.example"), s.served("b.example")
	if err := s.certs.Renew(s.ctx, "a.example"); err != nil {
		t.Fatal(err)
	}
	s.eventually("another certificate is served", func() error {
		if s.served("a.example").Equal(first) {
			return errors.New("it is the first one")
		}
		return nil
	})
	if !s.served("b.example").Equal(other) {
		t.Error("the other one was renewed as well")
	}
	s.eventually("a challenge was answered by this listener", func() error {
		info, err := acceptor.GetInfo(s.ctx, s.pid)
		if err != nil || info.Ends["challenged"] == 0 {
			return fmt.Errorf("ends %v (%v)", info.Ends, err)
		}
		return nil
	})
	if err := s.certs.Renew(s.ctx, "c.example"); err == nil || !strings.Contains(err.Error(), "nothing was renewed") {
		t.Errorf("a name that is not ours: %v", err)
	}
	s.quiet(spec)
}

// What is about to expire is renewed by itself.
func TestRenewsWhenDue(t *testing.T) {
	a := newAuthority(t, 10) // so after 6 s
	spec := a.spec(t, "a.example")
	spec.Every = 50 * time.Millisecond
	s := mustStart(t, a, spec)
	first := s.served("a.example")
	s.eventually("another certificate is served", func() error {
		if s.served("a.example").Equal(first) {
			return errors.New("it is the first one")
		}
		return nil
	})
	if now := s.served("a.example"); !now.NotAfter.After(first.NotAfter) {
		t.Errorf("now valid until %v, first until %v", now.NotAfter, first.NotAfter)
	}
	if n := len(s.rec.Events(process.Crashed)); n > 0 {
		t.Errorf("%d crashes", n)
	}
}

// A renewal that fails is an alarm, and what there is is served on.
func TestRenewalFails(t *testing.T) {
	a := newAuthority(t, 0)
	s := mustStart(t, a, a.spec(t, "a.example"))
	first := s.served("a.example")
	a.Server.Close()
	err := s.certs.Renew(s.ctx)
	if err == nil || !strings.Contains(err.Error(), "a.example") {
		t.Errorf("renewed without an authority: %v", err)
	}
	alarms, err := alarm.List(s.ctx)
	if err != nil || len(alarms) != 1 || alarms[0].ID != "acme a.example: cannot_renew" || !strings.Contains(alarms[0].Text, "15m0s") || alarms[0].Err == nil {
		t.Errorf("alarms %+v (%v)", alarms, err)
	}
	if !s.served("a.example").Equal(first) {
		t.Error("another one is served")
	}
	if err := process.Stop(s.ctx, s.pid, process.ErrShutdown); err != nil {
		t.Fatal(err)
	}
	if alarms, err := alarm.List(s.ctx); err != nil || len(alarms) != 0 {
		t.Errorf("after the stop: alarms %+v (%v)", alarms, err)
	}
}

// Without a certificate there is no service: the error says for whom, and why.
func TestNoCertificate(t *testing.T) {
	a := newAuthority(t, 0)
	down := newAuthority(t, 0)
	down.Server.Close()
	for name, tt := range map[string]struct {
		edit func(*acme.Spec)
		says []string
	}{
		"the authority is not there": {func(s *acme.Spec) { s.Directory = down.directory }, []string{"a.example", down.directory, "connection refused"}},
		"whom we do not trust":       {func(s *acme.Spec) { s.DirectoryCA = "" }, []string{"a.example", "x509: certificate signed by unknown authority"}},
		"nobody answers it":          {func(s *acme.Spec) { s.Port = freePort(t) }, []string{"a.example", "Failed to connect"}},
		"it takes too long":          {func(s *acme.Spec) { s.Timeout = time.Millisecond }, []string{"a.example", "not done within 1ms"}},
		"no roots":                   {func(s *acme.Spec) { s.Roots = "" }, []string{"a.example.crt", "incomplete_chain"}},
		"no file":                    {func(s *acme.Spec) { s.DirectoryCA = "/nowhere.pem" }, []string{"DirectoryCA", "/nowhere.pem"}},
		"nothing is right": {func(s *acme.Spec) {
			*s = acme.Spec{Names: []string{"*.a.example", "b.example", "B.example", "a b"}, Port: -1, Every: -1}
		},
			[]string{`"*.a.example": a wildcard needs DNS`, `"B.example" twice`, `"a b"`, "Email", "Agreed", "Folder", "Port is -1", "Every is -1ns"}},
		"no names": {func(s *acme.Spec) { s.Names = nil }, []string{"no identities"}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := a.spec(t, "a.example")
			tt.edit(&spec)
			s, err := start(t, a, spec)
			if err == nil {
				t.Fatal("started")
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("it does not say %q, but %v", part, err)
				}
			}
			if cert, err := s.visit("a.example"); err == nil {
				t.Errorf("somebody listens, with %v", cert.Subject)
			}
		})
	}
}
