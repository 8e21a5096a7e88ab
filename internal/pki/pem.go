package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// PEM is the certificate alone.
func (c *Cert) PEM() []byte { return block("CERTIFICATE", c.Raw) }

// ChainPEM is what a server's certificate file holds: the certificate, then its
// issuers, without the root.
func (c *Cert) ChainPEM() []byte {
	var out []byte
	for _, one := range c.Chain() {
		out = append(out, one.PEM()...)
	}
	return out
}

// KeyDER is the key in PKCS #8, without PEM.
func (c *Cert) KeyDER() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(c.Key)
	return must(der, err)
}

// KeyPEM is the key in PKCS #8, as openssl genpkey writes it.
func (c *Cert) KeyPEM() []byte { return block("PRIVATE KEY", c.KeyDER()) }

// OldKeyPEM is the key in the form before PKCS #8: "EC PRIVATE KEY" or "RSA
// PRIVATE KEY".
func (c *Cert) OldKeyPEM() []byte { return block(c.oldKey()) }

func (c *Cert) oldKey() (kind string, der []byte) {
	switch key := c.Key.(type) {
	case *rsa.PrivateKey:
		return "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		return "EC PRIVATE KEY", must(der, err)
	}
	panic(fmt.Sprintf("pki: a %T has no form before PKCS #8", c.Key))
}

// OldEncryptedKeyPEM is the key behind a password, in the old form, with a
// Proc-Type header.
func (c *Cert) OldEncryptedKeyPEM(password string) []byte {
	kind, der := c.oldKey()
	//lint:ignore SA1019 the form is unsafe, and still met: tests need it
	b, err := x509.EncryptPEMBlock(rand.Reader, kind, der, []byte(password), x509.PEMCipherAES256)
	return pem.EncodeToMemory(must(b, err))
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("pki: %v", err))
	}
	return v
}

// Files are the paths of one identity's PEM files.
type Files struct {
	Cert string // the leaf, then its issuers
	Key  string // PKCS #8
	CA   string // the root
}

// Write puts the certificate with its chain, the key and the root into a folder,
// as NAME.crt, NAME.key and NAME-ca.crt, where NAME is the common name.
func (c *Cert) Write(tb testing.TB, dir string) Files {
	tb.Helper()
	name := c.Subject.CommonName
	return Files{
		Cert: WriteFile(tb, dir, name+".crt", c.ChainPEM()),
		Key:  WriteFile(tb, dir, name+".key", c.KeyPEM()),
		CA:   WriteFile(tb, dir, name+"-ca.crt", c.Root().PEM()),
	}
}

// WriteFile puts data into a file that only its owner can read, and returns its
// path.
func WriteFile(tb testing.TB, dir, name string, data []byte) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatalf("pki: %v", err)
	}
	return path
}
