package tlsconn

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A material is one identity, ready to be used.
type material struct {
	cert      tls.Certificate // with its Leaf; empty: a client without one
	leaf      *x509.Certificate
	clientCAs *x509.CertPool // a server's; nil: none
	roots     *x509.CertPool // a client's; nil: the system's
}

func materialOf(p *identity.Pair) material {
	m := material{leaf: p.Leaf(), clientCAs: p.ClientCAs(), roots: p.ServerCAs()}
	if t := p.TLS(); t != nil {
		m.cert = *t
	}
	return m
}

// Served is an identity in use, without its key.
type Served struct {
	Cert        string // the file
	Subject     string
	Serial      string // in hex
	Fingerprint string // SHA-256 of the certificate, in hex
	NotAfter    time.Time
}

func servedBy(p *identity.Pair, f identity.Files) Served {
	return Served{f.Cert, p.Subject(), p.Serial(), p.Fingerprint(), p.NotAfter()}
}
