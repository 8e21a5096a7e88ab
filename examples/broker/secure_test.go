package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// startSecure runs a broker with TLS until the test ends, and returns the address of
// that. What it had to report is given to judge, when there can be no more of it.
func startSecure(t *testing.T, o options, judge func(reports []process.Event)) (addr string) {
	t.Helper()
	rec := &processtest.Recorder{}
	t.Cleanup(func() { judge(rec.Events(0)) })
	ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
	o.tcp, o.tls = "127.0.0.1:0", "127.0.0.1:0"
	if o.out == nil {
		o.out = io.Discard
	}
	startOn(t, ctx, o)
	at, err := acceptor.Addr(ctx, process.Name(tlsListener))
	if err != nil {
		t.Fatal(err)
	}
	return at.String()
}

func anything([]process.Event) {}

func withTLS(conf *tls.Config) func(*paho.ClientOptions) {
	return func(o *paho.ClientOptions) {
		o.SetCustomOpenConnectionFn(func(u *url.URL, o paho.ClientOptions) (net.Conn, error) {
			return tls.DialWithDialer(&net.Dialer{Timeout: o.ConnectTimeout}, "tcp", u.Host, conf)
		})
	}
}

// A broker without a certificate makes one that its clients can trust, and has the same
// the next time.
func TestOwnCertificate(t *testing.T) {
	t.Chdir(t.TempDir())
	var out bytes.Buffer
	addr := startSecure(t, options{out: &out}, anything)
	made, err := os.ReadFile(ownCert)
	if err != nil {
		t.Fatal(err)
	}
	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM(made)
	for _, name := range []string{"localhost", "127.0.0.1"} {
		c := dial(t, addr, "c"+name, withTLS(&tls.Config{RootCAs: trust, ServerName: name}))
		c.subscribe("a", 1)
		c.publish("a", 1, "x")
		c.want("a=x", "it is subscribed")
		c.disconnect()
	}
	if text := out.String(); !strings.Contains(text, addr+" (TLS)") || !strings.Contains(text, "--cafile "+ownCert) {
		t.Errorf("the greeting does not say how to connect:\n%s", text)
	}
	if info, err := os.Stat(ownKey); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the key is for its owner only: %v %v", info, err)
	}
	startSecure(t, options{}, anything)
	if again, err := os.ReadFile(ownCert); err != nil || !bytes.Equal(made, again) {
		t.Errorf("the next start has another certificate (%v)", err)
	}
}

// With -client-ca only those are let in whom that authority has signed.
func TestClientCertificate(t *testing.T) {
	root, dir := pki.CA("root"), t.TempDir()
	files := root.Server("localhost", "127.0.0.1").Write(t, dir)
	o := options{cert: files.Cert, key: files.Key, ca: files.CA, clientCA: files.CA}
	addr := startSecure(t, o, func(reports []process.Event) {
		refused := 0
		for _, e := range reports {
			if e.Kind == process.Network && e.Level >= process.LevelWarn && strings.Contains(e.Reason.Error(), "client_auth") {
				refused++
			}
		}
		if refused != 2 {
			t.Errorf("%d refusals were reported, want 2", refused)
		}
	})
	conf := func(cert ...tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: root.Pool(), ServerName: "localhost", Certificates: cert}
	}
	dial(t, addr, "alice", withTLS(conf(root.Client("alice").TLS()))).disconnect()
	for _, stranger := range [][]tls.Certificate{nil, {pki.CA("other").Client("mallory").TLS()}} {
		token := newClient(t, addr, "mallory", withTLS(conf(stranger...))).mqtt.Connect()
		if !token.WaitTimeout(patience) || token.Error() == nil {
			t.Errorf("let in with %d certificates", len(stranger))
		}
	}
}

// A program that cannot do its work says so at once: which file, what is wrong with it,
// what to do. It serves nobody before that, not even without TLS.
func TestBadFiles(t *testing.T) {
	root := pki.CA("root")
	good := root.Server("localhost", "127.0.0.1")
	issue := func(name string, w pki.Want) *pki.Cert {
		w.Name, w.Names = name, []string{"localhost"}
		return root.Issue(w)
	}
	late := issue("late", pki.Want{NotAfter: time.Now().Add(-time.Hour)})
	early := issue("early", pki.Want{NotBefore: time.Now().Add(72 * time.Hour)})
	forClients := root.Client("for clients")
	nameless := root.Issue(pki.Want{Name: "nameless"})
	lost := root.CA("between").Server("localhost")
	sha1 := issue("sha1", pki.Want{SHA1: true})
	short := issue("short", pki.Want{Algo: pki.RSA1024})
	folder := []byte("a folder")
	for _, c := range []struct {
		name      string
		cert, key []byte // nil: no file
		clientCA  []byte
		want      string // parts of the message, separated by |
	}{
		{"certificate missing", nil, good.KeyPEM(), nil, "server.crt: does not exist|correct the path"},
		{"key missing", good.PEM(), nil, nil, "server.key: does not exist|correct the path"},
		{"both missing", nil, nil, nil, "server.crt: does not exist|server.key: does not exist|correct the path"},
		{"swapped", good.KeyPEM(), good.PEM(), nil, "server.crt: holds a private key|swapped|exchange the two"},
		{"not PEM", []byte("hello"), good.KeyPEM(), nil, "server.crt: is not PEM|BEGIN CERTIFICATE"},
		{"empty", []byte(""), good.KeyPEM(), nil, "server.crt: is empty|write"},
		{"DER", good.Raw, good.KeyPEM(), nil, "server.crt: is DER|openssl x509 -inform DER"},
		{"truncated", good.PEM()[:200], good.KeyPEM(), nil, "server.crt: |cut short|anew"},
		{"bad DER inside", bytes.Replace(good.PEM(), []byte("\nMII"), []byte("\nAII"), 1), good.KeyPEM(), nil, "server.crt: |cannot be parsed|anew"},
		{"key encrypted", good.PEM(), good.EncryptedKeyPEM("x"), nil, "server.key: is encrypted|openssl pkey"},
		{"mismatch", good.PEM(), root.KeyPEM(), nil, "server.key: |sha256:|name the key"},
		{"expired", late.PEM(), late.KeyPEM(), nil, "server.crt: |expired on|renew it"},
		{"chain in wrong order", append(root.PEM(), good.PEM()...), good.KeyPEM(), nil, "server.crt: the leaf is not first|write them in this order"},
		{"a folder", folder, good.KeyPEM(), nil, "server.crt: is a folder|name a file in it"},
		{"key not PEM", good.PEM(), []byte("hello"), nil, "server.key: is not PEM|BEGIN PRIVATE KEY"},
		{"certificate as key", good.PEM(), good.PEM(), nil, "server.key: holds no private key|name the file with the private key"},
		{"not yet valid", early.PEM(), early.KeyPEM(), nil, "server.crt: |is not valid before|wait"},
		{"for another use", forClients.PEM(), forClients.KeyPEM(), nil, "server.crt: |is not for a server|serverAuth"},
		{"no names", nameless.PEM(), nameless.KeyPEM(), nil, "server.crt: |has no names|subjectAltName"},
		{"incomplete chain", lost.PEM(), lost.KeyPEM(), nil, "server.crt: |its issuer|append"},
		{"SHA-1", sha1.PEM(), sha1.KeyPEM(), nil, "server.crt: |SHA1|SHA-256"},
		{"RSA 1024", short.PEM(), short.KeyPEM(), nil, "server.crt: |1024 bits|2048"},
		{"client CA not PEM", good.PEM(), good.KeyPEM(), []byte("hello"), "clients.crt: is not PEM|BEGIN CERTIFICATE"},
		{"client CA is none", good.PEM(), good.KeyPEM(), good.PEM(), "clients.crt: |is not an authority|name the certificate of its issuer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"-ca=" + pki.WriteFile(t, dir, "root.crt", root.PEM())}
			file := func(flag, name string, data []byte) {
				args = append(args, "-"+flag+"="+filepath.Join(dir, name))
				switch {
				case bytes.Equal(data, folder):
					if err := os.Mkdir(filepath.Join(dir, name), 0o777); err != nil {
						t.Fatal(err)
					}
				case data != nil:
					pki.WriteFile(t, dir, name, data)
				}
			}
			file("cert", "server.crt", c.cert)
			file("key", "server.key", c.key)
			if c.clientCA != nil {
				file("client-ca", "clients.crt", c.clientCA)
			}
			// Both addresses are taken: who would bind first, would complain of that.
			out := refuses(t, append(args, "-tcp="+takenAddress(t), "-tls="+takenAddress(t))...)
			for _, part := range strings.Split(c.want, "|") {
				if !strings.Contains(out, part) {
					t.Errorf("the message does not say %q:\n%s", part, out)
				}
			}
			if strings.Contains(out, "goroutine") || strings.Contains(out, "in use") || strings.Contains(out, `"level"`) {
				t.Errorf("more than one message:\n%s", out)
			}
			for _, key := range []*pki.Cert{good, root, late} {
				if where := key.Leaked(out); where != "" {
					t.Errorf("a key is shown, as %s", where)
				}
			}
		})
	}
}

// refuses runs a broker that must end by itself, and not well.
func refuses(t *testing.T, args ...string) (out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), beBroker+"=1")
	text, err := cmd.CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 {
		t.Errorf("ended with %v, want exit status 1", err)
	}
	return string(text)
}

func takenAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
