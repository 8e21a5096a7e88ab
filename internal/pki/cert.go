package pki

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// A Cert is a certificate with its key and the one that signed it.
type Cert struct {
	*x509.Certificate
	Key    crypto.Signer
	Issuer *Cert // nil: self-signed
}

// Want says what a certificate shall be. Only Name is needed.
type Want struct {
	Name  string   // the subject's common name
	Names []string // the names that it is for: host names and IP addresses; nil: none

	CA   bool   // an authority
	Algo Algo   // of the key; zero: ECDSA P-256
	Seed string // another key than that of the same name without one
	Key  crypto.Signer

	NotBefore, NotAfter time.Time // zero: see the package comment

	// Usage is the extended key usage. Nil: servers' and clients' of a leaf, none of
	// an authority. Empty but not nil: none.
	Usage []x509.ExtKeyUsage
	// KeyUsage is the plain key usage. Zero: digital signature of a leaf, signing
	// certificates of an authority. Below zero: the certificate does not say.
	KeyUsage x509.KeyUsage

	SHA1 bool                    // signed with SHA-1, which nobody accepts any more
	Edit func(*x509.Certificate) // whatever else, last
}

// CA makes an authority that signed itself.
func CA(name string) *Cert { return Make(Want{Name: name, CA: true}) }

// Make makes a certificate that signed itself.
func Make(w Want) *Cert { return issue(nil, w) }

// CA makes an authority that c signed: an intermediate.
func (c *Cert) CA(name string) *Cert { return c.Issue(Want{Name: name, CA: true}) }

// Server makes a leaf for a server of these names.
func (c *Cert) Server(names ...string) *Cert {
	return c.Issue(Want{Name: "server", Names: names, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

// Client makes a leaf for a client.
func (c *Cert) Client(name string) *Cert {
	return c.Issue(Want{Name: name, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// Issue makes a certificate that c signed, whether c has the right to or not.
func (c *Cert) Issue(w Want) *Cert { return issue(c, w) }

func issue(by *Cert, w Want) *Cert {
	c := &Cert{Key: w.Key, Issuer: by}
	if c.Key == nil {
		c.Key = newKey(w.Algo, issuerName(by)+"/"+w.Name+"/"+w.Seed)
	}
	template := w.template(issuerName(by))
	parent, signer := template, c.Key
	if by != nil {
		parent, signer = by.Certificate, by.Key
	}
	if w.SHA1 {
		template.SignatureAlgorithm = sha1With(signer)
	}
	// Without a source of randomness, signatures follow from what is signed.
	der, err := x509.CreateCertificate(nil, template, parent, c.Key.Public(), signer)
	if err != nil {
		panic(fmt.Sprintf("pki: making %q: %v", w.Name, err))
	}
	if c.Certificate, err = x509.ParseCertificate(der); err != nil {
		panic(fmt.Sprintf("pki: reading %q, just made: %v", w.Name, err))
	}
	return c
}

func issuerName(by *Cert) string {
	if by == nil {
		return ""
	}
	return by.Subject.CommonName
}

// template fills in the defaults.
func (w Want) template(issuer string) *x509.Certificate {
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: w.Name},
		NotBefore:             w.NotBefore,
		NotAfter:              w.NotAfter,
		KeyUsage:              w.KeyUsage,
		ExtKeyUsage:           w.Usage,
		IsCA:                  w.CA,
		BasicConstraintsValid: true,
	}
	switch now := time.Now(); {
	case w.CA:
		t.NotBefore = orTime(t.NotBefore, time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC))
		t.NotAfter = orTime(t.NotAfter, time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC))
	default:
		t.NotAfter = orTime(t.NotAfter, now.AddDate(1, 0, 0))
		t.NotBefore = orTime(t.NotBefore, earlier(now, t.NotAfter).Add(-time.Hour))
		if t.ExtKeyUsage == nil {
			t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		}
	}
	switch {
	case t.KeyUsage < 0:
		t.KeyUsage = 0
	case t.KeyUsage == 0 && w.CA:
		t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	case t.KeyUsage == 0:
		t.KeyUsage = x509.KeyUsageDigitalSignature
	}
	for _, name := range w.Names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	id := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%s %v %v %v", issuer, w.Name, w.Seed, w.Names, t.NotBefore, t.NotAfter))
	t.SerialNumber = new(big.Int).SetBytes(id[:8])
	if w.Edit != nil {
		w.Edit(t)
	}
	return t
}

func orTime(t, def time.Time) time.Time {
	if t.IsZero() {
		return def
	}
	return t
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Chain is the certificate and those that a peer needs besides: its issuers, but
// for the one that signed itself.
func (c *Cert) Chain() []*Cert {
	chain := []*Cert{c}
	for by := c.Issuer; by != nil && by.Issuer != nil; by = by.Issuer {
		chain = append(chain, by)
	}
	return chain
}

// Root is the certificate at the end of the chain: it signed itself.
func (c *Cert) Root() *Cert {
	for c.Issuer != nil {
		c = c.Issuer
	}
	return c
}

// TLS is the certificate with its key and chain.
func (c *Cert) TLS() tls.Certificate {
	t := tls.Certificate{PrivateKey: c.Key, Leaf: c.Certificate}
	for _, one := range c.Chain() {
		t.Certificate = append(t.Certificate, one.Raw)
	}
	return t
}

// Pool holds this certificate alone, as one to be trusted.
func (c *Cert) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.Certificate)
	return pool
}
