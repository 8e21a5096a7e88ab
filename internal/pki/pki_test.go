package pki_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
)

func TestChainServes(t *testing.T) {
	root := pki.CA("root")
	leaf := root.CA("first").CA("second").Server("localhost", "127.0.0.1", "::1")
	client := root.Client("alice")
	near, far := net.Pipe()
	server := tls.Server(far, &tls.Config{
		Certificates: []tls.Certificate{leaf.TLS()},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    root.Pool(),
	})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	conn := tls.Client(near, &tls.Config{
		RootCAs:      root.Pool(),
		ServerName:   "localhost",
		Certificates: []tls.Certificate{client.TLS()},
	})
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := server.ConnectionState().PeerCertificates[0].Subject.CommonName; got != "alice" {
		t.Errorf("client is %q, want alice", got)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
}

func TestSameEachTime(t *testing.T) {
	for _, algo := range []pki.Algo{pki.P256, pki.P384, pki.Ed25519, pki.RSA1024, pki.RSA2048} {
		a, b := pki.Make(pki.Want{Name: "a", Algo: algo}), pki.Make(pki.Want{Name: "a", Algo: algo})
		other := pki.Make(pki.Want{Name: "a", Algo: algo, Seed: "other"})
		if !bytes.Equal(a.KeyDER(), b.KeyDER()) {
			t.Errorf("%d: the same name gives another key", algo)
		}
		a, b = pki.Make(pki.Want{Name: "a", CA: true, Algo: algo}), pki.Make(pki.Want{Name: "a", CA: true, Algo: algo})
		if !bytes.Equal(a.Raw, b.Raw) {
			t.Errorf("%d: the same name and time give another certificate", algo)
		}
		if bytes.Equal(a.KeyDER(), other.KeyDER()) || a.SerialNumber.Cmp(other.SerialNumber) == 0 {
			t.Errorf("%d: another seed gives the same certificate", algo)
		}
		if _, err := tls.X509KeyPair(a.PEM(), a.KeyPEM()); err != nil {
			t.Errorf("%d: %v", algo, err)
		}
	}
	if bits := pki.Make(pki.Want{Name: "a", Algo: pki.RSA1024}).Key.(*rsa.PrivateKey).N.BitLen(); bits != 1024 {
		t.Errorf("RSA1024 has %d bits", bits)
	}
}

func TestFlaws(t *testing.T) {
	root := pki.CA("root")
	now := time.Now()
	verify := func(c *pki.Cert) error {
		_, err := c.Verify(x509.VerifyOptions{Roots: root.Pool()})
		return err
	}
	if err := verify(root.Server("localhost")); err != nil {
		t.Errorf("a sound one: %v", err)
	}
	var invalid x509.CertificateInvalidError
	if err := verify(root.Issue(pki.Want{Name: "late", NotAfter: now.Add(-time.Hour)})); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("expired: %v", err)
	}
	if err := verify(root.Issue(pki.Want{Name: "early", NotBefore: now.Add(time.Hour)})); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("not yet valid: %v", err)
	}
	if err := verify(root.Client("alice")); !errors.As(err, &invalid) || invalid.Reason != x509.IncompatibleUsage {
		t.Errorf("for clients only: %v", err)
	}
	if err := verify(root.Server("localhost").Issue(pki.Want{Name: "below a leaf"})); err == nil {
		t.Error("a leaf may sign")
	}
	sha1 := root.Issue(pki.Want{Name: "sha1", SHA1: true})
	if sha1.SignatureAlgorithm != x509.ECDSAWithSHA1 || verify(sha1) == nil {
		t.Errorf("SHA-1: %v, %v", sha1.SignatureAlgorithm, verify(sha1))
	}
	if c := root.Issue(pki.Want{Name: "nothing", KeyUsage: -1, Usage: []x509.ExtKeyUsage{}}); c.KeyUsage != 0 || len(c.ExtKeyUsage) != 0 {
		t.Errorf("usages: %v, %v", c.KeyUsage, c.ExtKeyUsage)
	}
}

func TestValidInBubble(t *testing.T) {
	root := pki.CA("root") // made outside
	synctest.Test(t, func(t *testing.T) {
		if _, err := root.Server("localhost").Verify(x509.VerifyOptions{Roots: root.Pool(), DNSName: "localhost", CurrentTime: time.Now()}); err != nil {
			t.Error(err)
		}
	})
}

func TestFiles(t *testing.T) {
	leaf := pki.CA("root").CA("between").Server("localhost")
	files := leaf.Write(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	if len(pair.Certificate) != 2 {
		t.Errorf("%d certificates in the chain, want the leaf and the intermediate", len(pair.Certificate))
	}
	ca, err := os.ReadFile(files.CA)
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(ca) {
		t.Errorf("no authority in %s: %v", files.CA, err)
	}
}

// openssl is the judge of the encrypted forms: Go reads one of them, and not
// well.
func TestEncryptedKeys(t *testing.T) {
	leaf := pki.CA("root").Server("localhost")
	old, _ := pem.Decode(leaf.OldEncryptedKeyPEM("secret"))
	if old == nil || old.Type != "EC PRIVATE KEY" || old.Headers["Proc-Type"] != "4,ENCRYPTED" {
		t.Errorf("the old form: %+v", old)
	}
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Log("no openssl: the encrypted keys are not decrypted")
		return
	}
	for form, text := range map[string][]byte{"old": leaf.OldEncryptedKeyPEM("secret"), "PKCS #8": leaf.EncryptedKeyPEM("secret")} {
		path := pki.WriteFile(t, t.TempDir(), "key.pem", text)
		out, err := exec.Command(openssl, "pkey", "-in", path, "-passin", "pass:secret").Output()
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		if _, err := tls.X509KeyPair(leaf.PEM(), out); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
}

func TestLeaked(t *testing.T) {
	c := pki.CA("root").Server("localhost")
	key := c.Key.(*ecdsa.PrivateKey)
	secret, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	commas := func(s string) string { return strings.ReplaceAll(s, " ", ", ") }
	number := new(big.Int).SetBytes(secret)
	hexed := hex.EncodeToString(secret)
	leaks := map[string]string{
		"raw":             string(secret),
		"quoted":          fmt.Sprintf("%q", secret),
		"hex":             hexed,
		"upper hex":       strings.ToUpper(hexed),
		"hex, blanks":     fmt.Sprintf("% x", secret),
		"hex, colons":     strings.ReplaceAll(fmt.Sprintf("% X", secret), " ", ":\n    "),
		"list":            fmt.Sprint(secret),
		"list, commas":    commas(fmt.Sprint(secret)),
		"JSON list":       strings.ReplaceAll(fmt.Sprint(secret), " ", ","),
		"Go syntax":       fmt.Sprintf("%#v", secret),
		"base64":          base64.StdEncoding.EncodeToString(secret),
		"base64, by 1":    base64.StdEncoding.EncodeToString(append([]byte("x"), secret...)),
		"base64, by 2":    base64.RawURLEncoding.EncodeToString(append([]byte("xy"), secret...)),
		"PKCS #8":         string(c.KeyPEM()),
		"quoted PEM":      fmt.Sprintf("%q", c.KeyPEM()),
		"old PEM":         string(c.OldKeyPEM()),
		"the key, %v":     fmt.Sprint(key),
		"the key, %+v":    fmt.Sprintf("%+v", key),
		"the number, %#v": fmt.Sprintf("%#v", *number),
		"the number":      number.String(),
	}
	for name, text := range leaks {
		if c.Leaked("before "+text+" after") == "" {
			t.Errorf("%s: not found in %q", name, text)
		}
		if pki.Search("before "+text).Bytes(secret) == "" {
			t.Errorf("%s: the bytes are not found in %q", name, text)
		}
	}
	for _, text := range []string{"", "nothing of note", string(c.ChainPEM()), fmt.Sprint(c.Certificate), fmt.Sprint(key.Public())} {
		if form := c.Leaked(text); form != "" {
			t.Errorf("found as %s in %q", form, text)
		}
	}
	for _, algo := range []pki.Algo{pki.P384, pki.Ed25519, pki.RSA1024} {
		c := pki.Make(pki.Want{Name: "a", Algo: algo})
		if c.Leaked(string(c.KeyPEM())) == "" || c.Leaked(fmt.Sprint(c.KeyDER())) == "" {
			t.Errorf("%d: not found in its own PEM", algo)
		}
		if form := c.Leaked(string(c.PEM())); form != "" {
			t.Errorf("%d: found as %s in the certificate", algo, form)
		}
	}
}
