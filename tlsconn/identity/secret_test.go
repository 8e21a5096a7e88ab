package identity

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/internal/render"
)

// everything prints a value in every way that Go has.
func everything(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%T"} {
		fmt.Fprintf(&b, verb+"\n", v)
		fmt.Fprintf(&b, verb+"\n", struct{ Exported any }{v})
		fmt.Fprintf(&b, verb+"\n", struct{ hidden any }{v})
		fmt.Fprintf(&b, verb+"\n", []any{v})
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("", "value", v, "within", struct{ Value any }{v})
	}
	for _, v := range []any{v, struct{ Value any }{v}, []any{v}} {
		text, err := json.Marshal(v)
		fmt.Fprintf(&b, "%s %v\n", text, err)
	}
	b.WriteString(render.Value(v))
	return b.String()
}

// No key byte gets out of anything of this package, however it is printed.
func TestNothingShowsKeys(t *testing.T) {
	for _, algo := range []pki.Algo{pki.P256, pki.P384, pki.Ed25519, pki.RSA2048} {
		b := newBench(t)
		b.serve(b.inter.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, Algo: algo}))
		p, err := b.load()
		if err != nil {
			t.Fatal(err)
		}
		r := &Rotation{Files: b.files}
		change, lookErr := r.Look(b.now)
		if lookErr != nil {
			t.Fatal(lookErr)
		}
		b.put("server.crt", b.root.PEM())
		bad, lookErr := r.Look(b.now)
		for _, v := range []any{
			p, *p, p.TLS(), *p.TLS(), p.TLS().PrivateKey, p.Leaf(), p.ClientCAs(), b.files,
			r, *r, change, bad, lookErr, lookErr.(*Error).Flaws, &tls.Config{Certificates: []tls.Certificate{*p.TLS()}},
		} {
			text := everything(t, v)
			b.quiet(text)
			if form := pki.Leaked(b.leaf.Key, text); form != "" || len(text) < 100 {
				t.Errorf("%d: %T shows its key, %s:\n%s", algo, v, form, text)
			}
		}
	}
}

// What the search for keys above can find: the same, with a key that is not
// sealed.
func TestSearchFinds(t *testing.T) {
	c := pki.CA("root").Issue(pki.Want{Name: "server", Algo: pki.Ed25519})
	if pki.Leaked(c.Key, everything(t, c.TLS())) == "" {
		t.Error("a key that is not sealed is not found")
	}
}

// Keys that are broken, in the wrong place or of the wrong kind are not quoted
// either.
func TestErrorsShowNoKeys(t *testing.T) {
	for _, algo := range []pki.Algo{pki.P256, pki.Ed25519, pki.RSA2048} {
		b := newBench(t)
		b.serve(b.inter.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, Algo: algo}))
		key, der := b.leaf.KeyPEM(), b.leaf.KeyDER()
		forms := [][]byte{
			key, der, key[:len(key)-30], key[30:], der[:len(der)-1], der[1:], bytes.ToLower(key),
			bytes.ReplaceAll(key, []byte("\n"), []byte(`\n`)), bytes.ReplaceAll(key, []byte("\n"), nil),
			bytes.ReplaceAll(key, []byte("PRIVATE KEY"), []byte("CERTIFICATE")), append([]byte("X"), key...),
			bytes.ReplaceAll(key, []byte("PRIVATE KEY"), []byte("CERTIFICATE REQUEST")),
			append(bytes.Clone(key), key...), fmt.Append(nil, der), fmt.Appendf(nil, "%x", der),
		}
		names := []string{"server.crt", "server.key", "clients.pem", "roots.pem"}
		for _, form := range forms {
			for _, name := range names {
				b := &bench{T: t, dir: b.dir, root: b.root, inter: b.inter, leaf: b.leaf, files: b.files, now: b.now, sys: b.sys}
				b.serve(b.leaf)
				b.put("clients.pem", b.root.PEM())
				b.put("roots.pem", b.root.PEM())
				b.put(name, form)
				if _, err := b.load(); err != nil {
					b.quiet(everything(t, err))
					b.quiet(everything(t, errors.Unwrap(err.Flaws[0])))
				} else if name != "server.key" {
					t.Errorf("%d: a key in place of %s is found good", algo, name)
				}
			}
		}
	}
}

func TestPairTells(t *testing.T) {
	b := newBench(t)
	p, err := b.load()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("identity CN=server, serial %x, valid until %s", b.leaf.SerialNumber, date(b.leaf.NotAfter))
	for _, got := range []string{p.String(), fmt.Sprint(p), fmt.Sprintf("%#v", *p), fmt.Sprintf("%x", p), p.GoString()} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	text, jsonErr := json.Marshal(p)
	if want := fmt.Sprintf(`{"subject":"CN=server","serial":"%x","not_after":"%s"}`, b.leaf.SerialNumber, b.leaf.NotAfter.Format("2006-01-02T15:04:05Z")); jsonErr != nil || string(text) != want {
		t.Errorf("JSON is %s, %v, want %s", text, jsonErr, want)
	}
	if len(p.Fingerprint()) != 64 || p.Serial() == "" || p.Subject() != "CN=server" {
		t.Errorf("fingerprint %q, serial %q, subject %q", p.Fingerprint(), p.Serial(), p.Subject())
	}
}
