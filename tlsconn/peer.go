package tlsconn

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"time"
)

// An Identity is who the peer has proved to be, by a certificate that leads to an
// authority that we trust.
type Identity struct {
	Subject     string // as CN=alice,O=example
	CommonName  string
	Serial      string   // in hex
	Names       []string // DNS names, then e-mail addresses, IP addresses, URIs
	Issuer      string
	NotAfter    time.Time
	Fingerprint string // SHA-256 of the certificate, in hex
	Certificate *x509.Certificate
}

// Peer returns who the peer has proved to be. A server's is always known to a
// client that was established; a client's only if it was asked for a certificate
// and has one.
func (c *Conn) Peer() (Identity, bool) {
	state := c.ConnectionState()
	return PeerOf(&state)
}

// PeerOf is [Conn.Peer] for those who have only the state of a connection, as the
// handlers of net/http do in Request.TLS. Without one, nil, nobody has proved
// anything.
func PeerOf(state *tls.ConnectionState) (Identity, bool) {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return Identity{}, false
	}
	return identityOf(state.VerifiedChains[0][0]), true
}

func identityOf(cert *x509.Certificate) Identity {
	sum := sha256.Sum256(cert.Raw)
	id := Identity{
		Subject: cert.Subject.String(), CommonName: cert.Subject.CommonName, Serial: serialOf(cert),
		Issuer: cert.Issuer.String(), NotAfter: cert.NotAfter,
		Fingerprint: hex.EncodeToString(sum[:]), Certificate: cert,
	}
	id.Names = append(append(id.Names, cert.DNSNames...), cert.EmailAddresses...)
	for _, ip := range cert.IPAddresses {
		id.Names = append(id.Names, ip.String())
	}
	for _, uri := range cert.URIs {
		id.Names = append(id.Names, uri.String())
	}
	return id
}

func serialOf(cert *x509.Certificate) string {
	if cert.SerialNumber == nil {
		return ""
	}
	return cert.SerialNumber.Text(16)
}
