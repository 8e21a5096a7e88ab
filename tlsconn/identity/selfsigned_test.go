package identity

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
)

func TestEnsureSelfSigned(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	f := Files{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), Names: []string{"localhost", "127.0.0.1", "::1"}}
	made, err := EnsureSelfSigned(f, 365*24*time.Hour, now)
	if err != nil || !made {
		t.Fatalf("made %v, %v", made, err)
	}
	if info, err := os.Stat(f.Key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file is %v, %v", info.Mode(), err)
	}
	p, err := Load(f, now)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, files: f}
	b.handshake(p)
	if names, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(names) != 2 {
		t.Errorf("files left: %v, %v", names, err)
	}
	if names, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(names) != 0 {
		t.Errorf("files left: %v, %v", names, err)
	}

	made, err = EnsureSelfSigned(f, 365*24*time.Hour, now)
	again, loadErr := Load(f, now)
	if made || err != nil || loadErr != nil || again.Fingerprint() != p.Fingerprint() {
		t.Errorf("made again: %v, %v, %v", made, err, loadErr)
	}

	// A start that was cut short between key and certificate.
	if err := os.Remove(f.Cert); err != nil {
		t.Fatal(err)
	}
	made, err = EnsureSelfSigned(f, 365*24*time.Hour, now)
	again, loadErr = Load(f, now)
	if !made || err != nil || loadErr != nil || again.Fingerprint() == p.Fingerprint() || !samePublic(again.Leaf().PublicKey, p.Leaf().PublicKey) {
		t.Errorf("made for the key that was there: %v, %v, %v", made, err, loadErr)
	}

	// A certificate alone.
	if err := os.Remove(f.Key); err != nil {
		t.Fatal(err)
	}
	if made, err = EnsureSelfSigned(f, time.Hour, now); made || err == nil {
		t.Errorf("made beside a certificate: %v", err)
	}
}

func TestEnsureSelfSignedRefuses(t *testing.T) {
	dir := t.TempDir()
	f := Files{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), Names: []string{"localhost"}}
	for name, spoil := range map[string]func(f *Files) time.Duration{
		"no cert":     func(f *Files) time.Duration { f.Cert = ""; return time.Hour },
		"no key":      func(f *Files) time.Duration { f.Key = ""; return time.Hour },
		"no names":    func(f *Files) time.Duration { f.Names = nil; return time.Hour },
		"no validity": func(*Files) time.Duration { return 0 },
		"a port":      func(f *Files) time.Duration { f.Names = []string{"localhost:1"}; return time.Hour },
		"no folder":   func(f *Files) time.Duration { f.Key = filepath.Join(dir, "none", "x"); return time.Hour },
		"bad key": func(f *Files) time.Duration {
			f.Key = pki.WriteFile(t, dir, "bad.key", []byte("bad"))
			return time.Hour
		},
	} {
		f := f
		validity := spoil(&f)
		if made, err := EnsureSelfSigned(f, validity, time.Now()); made || err == nil {
			t.Errorf("%s: made %v, %v", name, made, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "tls.crt")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a certificate was written: %v", name, err)
		}
	}
}

// writeNew does not write over what has come meanwhile.
func TestWriteNew(t *testing.T) {
	path := pki.WriteFile(t, t.TempDir(), "x", []byte("precious"))
	if err := writeNew(path, "X", []byte("new"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error is %v", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "precious" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

// The commands that cures tell to type do what they say.
func TestCuresWork(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Log("no openssl: its commands are not tried")
		return
	}
	b := newBench(t)
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	p, err := b.load()
	if err != nil {
		t.Fatal(err)
	}
	b.put("server.crt.der", b.leaf.Raw)
	b.put("server.key.der", b.leaf.KeyDER())
	in := func(name string) string { return filepath.Join(b.dir, name) }
	run("openssl", "x509", "-inform", "DER", "-in", in("server.crt.der"), "-out", in("server.crt"))
	run("openssl", "pkey", "-inform", "DER", "-in", in("server.key.der"), "-out", in("server.key"))
	b.put("server.crt", append(b.leaf.PEM(), b.inter.PEM()...))
	if _, err := b.load(); err != nil {
		t.Error(err)
	}
	b.put("enc.key", b.leaf.EncryptedKeyPEM("secret"))
	run("openssl", "pkey", "-in", in("enc.key"), "-passin", "pass:secret", "-out", in("server.key"))
	if _, err := b.load(); err != nil {
		t.Error(err)
	}
	out, cmdErr := exec.Command("sh", "-c", "openssl x509 -in "+quote(b.files.Cert)+" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum").Output()
	if cmdErr != nil || "sha256:"+string(out[:64]) != fingerprint(p.Leaf().PublicKey) {
		t.Errorf("openssl's fingerprint is %s, %v; ours is %s", out, cmdErr, fingerprint(p.Leaf().PublicKey))
	}
	// openssl makes PKCS #12 files with which ours can be compared.
	run("openssl", "pkcs12", "-export", "-in", b.files.Cert, "-inkey", b.files.Key, "-passout", "pass:x", "-out", in("server.p12"))
	b.files.Cert = in("server.p12")
	b.check([]want{{NotPEM, "Cert", "server.p12", "PKCS #12", "openssl pkcs12 -nodes -in"}})
	run("openssl", "pkcs12", "-nodes", "-in", in("server.p12"), "-passin", "pass:x", "-out", in("server.p12.pem"))
	b.files.Cert, b.files.Key = in("server.p12.pem"), in("server.p12.pem")
	if _, err := b.load(); err != nil {
		t.Error(err)
	}
}

// openssl, with which most clients verify, trusts what EnsureSelfSigned makes.
func TestSelfSignedForOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Log("no openssl: it is not asked")
		return
	}
	dir := t.TempDir()
	f := Files{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), Names: []string{"localhost"}}
	if _, err := EnsureSelfSigned(f, time.Hour, time.Now()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "verify", "-verify_hostname", "localhost", "-purpose", "sslserver", "-x509_strict", "-CAfile", f.Cert, f.Cert).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := tls.LoadX509KeyPair(f.Cert, f.Key); err != nil {
		t.Error(err)
	}
}

func TestLocalNames(t *testing.T) {
	for address, more := range map[string]string{
		"": "", ":8443": "", "0.0.0.0:1": "", "[::]:1": "", "127.0.0.2:1": "", "localhost:1": "", "no port": "",
		"10.0.0.1:1": "10.0.0.1", "example.org:1": "example.org",
	} {
		want := []string{"localhost", "127.0.0.1", "::1"}
		if more != "" {
			want = append(want, more)
		}
		if got := LocalNames(address); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}
