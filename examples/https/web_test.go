package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// Both versions of HTTP are there, and requests act for the process of their
// connection.
func TestHello(t *testing.T) {
	s := start(t, nil)
	visitor := 0
	for proto, edit := range map[string]func(*http.Transport){"HTTP/2.0": func(*http.Transport) {}, "HTTP/1.1": onlyHTTP1} {
		c, from := client(t, ownCert, edit), ""
		for range 2 {
			visitor++
			text := want(t, c, s.url, 200, fmt.Sprintf("Hello, whoever you are. You are visitor %d, over %s and TLS 1.3, ", visitor, proto))
			_, who, _ := strings.Cut(text, "talk to process ")
			if from != "" && from != who {
				t.Errorf("%s: process %s, then %s, on one connection", proto, from, who)
			}
			from = who
		}
		if !strings.Contains(from, "https/top/web/connections/") {
			t.Errorf("served by %s, want a connection", from)
		}
		want(t, c, s.url+"/slow?for=1ms", 200, "That took 1ms.")
		want(t, c, s.url+"/slow?for=ever", 400, "ask for a time up to 20s")
		want(t, c, s.url+"/slow?for=1h", 400, "ask for a time up to 20s")
		want(t, c, s.url+"/nowhere", 404, "404")
		want(t, c, s.url+"/readyz", 200, "ready")
	}
	s.wantQuiet(t)
}

// Clients with a certificate are called by its name; others are not let in, and the
// listener knows why they were not.
func TestClientCA(t *testing.T) {
	clients := pki.CA("clients")
	s := start(t, func(o *options) { o.clientCA = pki.WriteFile(t, t.TempDir(), "clients.crt", clients.PEM()) })
	alice := client(t, ownCert, withCert(clients.Client("alice")))
	want(t, alice, s.url, 200, "Hello, alice. ")
	want(t, client(t, ownCert, onlyHTTP1, withCert(clients.Client("bob"))), s.url, 200, "Hello, bob. ")
	for name, c := range map[string]*http.Client{
		"nobody":   client(t, ownCert),
		"stranger": client(t, ownCert, withCert(pki.CA("others").Client("alice"))),
	} {
		if _, text, err := get(c, s.url); err == nil {
			t.Errorf("%s is let in: %s", name, text)
		}
	}
	eventually(t, "both are counted", func() error {
		info, err := acceptor.GetInfo(s.ctx, web)
		if err == nil && info.Ends["client_auth"] != 2 {
			err = fmt.Errorf("ends %v", info.Ends)
		}
		return err
	})
}

// Another pair is served to who comes, without anything being told or restarted; half
// a pair is not.
func TestReload(t *testing.T) {
	s := start(t, nil)
	old := client(t, ownCert)
	want(t, old, s.url, 200, "Hello")

	renewed := pki.Make(pki.Want{Name: "renewed", Names: []string{"127.0.0.1"}})
	trust := pki.WriteFile(t, t.TempDir(), "renewed.crt", renewed.PEM())
	put(t, renewed, ownCert, ownKey)
	eventually(t, "the new certificate is served", func() error {
		_, _, err := get(client(t, trust), s.url)
		return err
	})
	want(t, old, s.url, 200, "Hello") // its connection lives on

	pki.WriteFile(t, ".", ownKey, pki.CA("another").KeyPEM())
	eventually(t, "it is warned of the key", func() error {
		for _, e := range s.rec.Events(process.Warned) {
			if errors.Is(e.Reason, identity.Flaw{Check: identity.Mismatch, File: ownKey}) {
				return nil
			}
		}
		return fmt.Errorf("no warning in\n%v", s.rec)
	})
	want(t, client(t, trust), s.url, 200, "Hello")
}

// eventually tries again and again.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not so after %v: %s: %v", patience, what, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// The stop: not ready, and serving; then closed, while what is in hand is finished;
// then over.
func TestStop(t *testing.T) {
	s := start(t, func(o *options) { o.delay = time.Second })
	inHand := make(chan string)
	go func() { inHand <- want(t, client(t, ownCert), s.url+"/slow?for=3s", 200, "That took 3s.") }()
	eventually(t, "the slow request is there", func() error {
		if all, err := acceptor.Connections(s.ctx, web); err != nil || len(all) != 1 {
			return fmt.Errorf("connections %v (%v)", all, err)
		}
		return nil
	})

	stopped := make(chan error)
	go func() { stopped <- application.Stop(s.ctx, s.app) }()
	health := client(t, ownCert)
	eventually(t, "it is not ready", func() error {
		status, text, err := get(health, s.url+"/readyz")
		if status != 503 || !strings.Contains(text, acceptor.ErrWithdrawn.Error()) {
			return fmt.Errorf("%d %s (%w)", status, text, err)
		}
		return nil
	})
	want(t, client(t, ownCert), s.url, 200, "Hello") // who comes now is still served
	eventually(t, "the port is closed", func() error {
		if _, _, err := get(client(t, ownCert), s.url); !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("not refused, but %w", err)
		}
		return nil
	})
	select {
	case <-inHand:
		t.Error("the slow request was done before the port was closed: this shows nothing")
	case err := <-stopped:
		t.Errorf("stopped with a request in hand: %v", err)
	default:
	}
	<-inHand
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	s.wantQuiet(t)
}

// A stop under load: every request is answered, or was never let in.
func TestStopUnderLoad(t *testing.T) {
	for proto, edit := range map[string]func(*http.Transport){"HTTP/2.0": func(*http.Transport) {}, "HTTP/1.1": onlyHTTP1} {
		t.Run(proto, func(t *testing.T) {
			t.Chdir(t.TempDir())
			p := launch(t, "-delay=100ms")
			busy := make(chan struct{}, 50)
			var all sync.WaitGroup
			for range cap(busy) {
				c := client(t, ownCert, edit)
				all.Go(func() {
					for n := 0; ; n++ {
						if status, text, err := get(c, "https://"+p.addr); errors.Is(err, syscall.ECONNREFUSED) {
							return
						} else if err != nil || status != 200 {
							t.Errorf("after %d requests: %d %s (%v)", n, status, text, err)
							return
						}
						if n == 20 {
							busy <- struct{}{}
						}
					}
				})
			}
			for range cap(busy) {
				<-busy
			}
			p.stopCleanly(t)
			all.Wait()
		})
	}
}

// What clients would refuse keeps the program from starting: it says which file, and
// what to do, and nothing else.
func TestBadFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	root := pki.CA("root")
	good := root.Server("localhost").Write(t, t.TempDir())
	late := root.Issue(pki.Want{Name: "late", Names: []string{"localhost"}, NotAfter: time.Now().Add(-time.Hour)}).Write(t, t.TempDir())
	for name, tt := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"missing": {[]string{"-cert=nowhere.pem", "-key=" + good.Key}, 1, []string{"nowhere.pem", "does not exist", "put it there"}},
		"expired": {[]string{"-cert=" + late.Cert, "-key=" + late.Key, "-ca=" + good.CA}, 1, []string{late.Cert, "expired", "renew it"}},
		"half":    {[]string{"-cert=" + good.Cert}, 2, []string{"-cert and -key go together"}},
		"leaf":    {[]string{"-client-ca=" + good.Cert}, 1, []string{good.Cert, "not an authority"}},
		"never":   {[]string{"-reload=0"}, 2, []string{"-reload=0s"}},
		"more":    {[]string{"8443"}, 2, []string{`got ["8443"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"-addr=127.0.0.1:0"}, tt.args...)...)
			cmd.Env = append(os.Environ(), beHTTPS+"=1")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run() // the exit code tells
			if code := cmd.ProcessState.ExitCode(); code != tt.code || stdout.Len() > 0 || strings.Contains(stderr.String(), "goroutine") {
				t.Errorf("exit code %d, want %d; it said %q and\n%s", code, tt.code, &stdout, &stderr)
			}
			for _, part := range tt.says {
				if !strings.Contains(stderr.String(), part) {
					t.Errorf("it does not say %q, but\n%s", part, &stderr)
				}
			}
		})
	}
}

// What the greeting says of a service that all the world may reach.
func TestGreeting(t *testing.T) {
	for _, tt := range []struct {
		o    options
		addr string
		want string
	}{
		{options{}, "127.0.0.1:8443", "curl --cacert https-cert.pem https://127.0.0.1:8443/\n"},
		{options{}, "[::]:8443", "curl --cacert https-cert.pem https://localhost:8443/\n"},
		{options{cert: "a", key: "b"}, "10.0.0.1:443", "curl https://10.0.0.1:443/\n"},
		{options{cert: "a", key: "b", ca: "c", clientCA: "d"}, "10.0.0.1:443", "curl --cacert c --cert YOURS --key YOURS https://10.0.0.1:443/\n"},
	} {
		text, err := tt.o.greeting(addr(tt.addr))
		if err != nil || !strings.Contains(text, "  "+tt.want) {
			t.Errorf("greeting for %s (%v):\n%s\nwant %s", tt.addr, err, text, tt.want)
		}
	}
}

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }
