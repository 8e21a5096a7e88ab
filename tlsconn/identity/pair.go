package identity

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"
)

// A Pair is an identity that was read and found good: certificate with chain and
// key, and the authorities that peers are verified by. It does not change, and
// any number of processes may use it.
//
// However it is printed, it shows whose it is, its serial number and until when
// it is valid. Its private key can sign, and cannot be seen: nothing that a Pair
// hands out has a byte of it, in any field.
type Pair struct {
	usage     Usage
	tls       *tls.Certificate // nil: a client without one
	clientCAs []cert
	serverCAs []cert
	rootCAs   []cert
	ends      []end // of all that expires
}

// keep takes over what was judged. Certificates are served in the order that is
// right, also if that in the file is not, and the flaw is waived.
func (p *Pair) keep(at source, c chain, key crypto.Signer) {
	p.tls = &tls.Certificate{Leaf: c.path[0].Certificate}
	if key != nil {
		p.tls.PrivateKey = seal(key)
	}
	for _, one := range slices.Concat(c.path, c.extra) {
		p.tls.Certificate = append(p.tls.Certificate, one.Raw)
	}
	for _, one := range c.path {
		p.ends = append(p.ends, endOf(at, one))
	}
}

// TLS returns certificate, chain and key for package crypto/tls; nil if a client
// has none. It is shared: do not change it.
func (p *Pair) TLS() *tls.Certificate { return p.tls }

// Leaf returns the certificate; nil if a client has none. Do not change it.
func (p *Pair) Leaf() *x509.Certificate {
	if p.tls == nil {
		return nil
	}
	return p.tls.Leaf
}

// ClientCAs returns the authorities of Files.ClientCA; nil if none are named.
func (p *Pair) ClientCAs() *x509.CertPool { return poolOrNil(p.clientCAs) }

// ServerCAs returns the authorities of Files.ServerCA. Nil, which means the
// system's to crypto/tls too, if none are named.
func (p *Pair) ServerCAs() *x509.CertPool { return poolOrNil(p.serverCAs) }

// Roots returns what a peer needs to trust, to trust this certificate: the
// authorities of Files.Roots, else the root that ends its chain if that signed
// itself. Nil: the system's authorities. A rehearsal of a handshake verifies by
// them.
func (p *Pair) Roots() *x509.CertPool {
	switch {
	case len(p.rootCAs) > 0:
		return pool(p.rootCAs)
	case len(p.serverCAs) > 0:
		return pool(p.serverCAs)
	case p.tls == nil:
		return nil
	}
	for _, der := range p.tls.Certificate {
		if c, err := x509.ParseCertificate(der); err == nil && selfIssued(c) {
			return pool([]cert{{Certificate: c}})
		}
	}
	return nil
}

func poolOrNil(all []cert) *x509.CertPool {
	if len(all) == 0 {
		return nil
	}
	return pool(all)
}

// NotAfter returns when the first certificate of the chain, or the last authority
// of one of the files, expires. Zero: there is none.
func (p *Pair) NotAfter() time.Time { return p.first().NotAfter }

// NotBefore returns from when the leaf is valid; zero if there is none.
func (p *Pair) NotBefore() time.Time {
	if p.tls == nil {
		return time.Time{}
	}
	return p.tls.Leaf.NotBefore
}

// Subject returns the name of the certificate, as in "CN=example.org"; "" if
// there is none.
func (p *Pair) Subject() string {
	if p.tls == nil {
		return ""
	}
	return p.tls.Leaf.Subject.String()
}

// Serial returns the serial number of the certificate in hex; "" if there is
// none.
func (p *Pair) Serial() string {
	if p.tls == nil {
		return ""
	}
	return fmt.Sprintf("%x", p.tls.Leaf.SerialNumber)
}

// Fingerprint returns the SHA-256 of the certificate in hex, as
// openssl x509 -fingerprint -sha256 shows it but for the colons; "" if there is
// none.
func (p *Pair) Fingerprint() string {
	if p.tls == nil {
		return ""
	}
	sum := sha256.Sum256(p.tls.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}

// String says whose the certificate is, and until when it is valid.
func (p Pair) String() string {
	if p.tls == nil {
		return "identity without a certificate"
	}
	return fmt.Sprintf("identity %s, serial %s, valid until %s", p.Subject(), p.Serial(), date(p.NotAfter()))
}

// GoString is String, so that %#v shows no more.
func (p Pair) GoString() string { return p.String() }

// Format writes String, whatever the verb.
func (p Pair) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) } // fmt has no use for the error

// LogValue gives package log/slog subject, serial and end.
func (p Pair) LogValue() slog.Value {
	return slog.GroupValue(slog.String("subject", p.Subject()), slog.String("serial", p.Serial()), slog.Time("not_after", p.NotAfter()))
}

// MarshalJSON gives subject, serial and end.
func (p Pair) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Subject  string    `json:"subject"`
		Serial   string    `json:"serial"`
		NotAfter time.Time `json:"not_after"`
	}{p.Subject(), p.Serial(), p.NotAfter()})
}
