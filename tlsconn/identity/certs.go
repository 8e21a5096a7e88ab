package identity

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// A cert is a certificate of a file, and where it stands there.
type cert struct {
	*x509.Certificate
	n, line int // the how manieth certificate of the file, from 1, and its line
}

// blocks finds the PEM blocks of a file that are whole. It reports false if the
// file was not named or not read.
func (j *judge) blocks(c content) ([]block, bool) {
	if c.path == "" || c.flaw != nil {
		return nil, false
	}
	all := scan(withoutBOM(c.data))
	if len(all) == 0 {
		f := sniff(c.data, c.path)
		j.fault(f.check, c.source, f.cure, "%s", f.what)
	}
	whole := all[:0]
	for _, b := range all {
		if b.broken == "" {
			whole = append(whole, b)
			continue
		}
		j.fault(Damaged, c.source, "write the file anew, in one piece", "the PEM block at line %d %s", b.line, b.broken)
	}
	return whole, true
}

// withoutBOM drops the mark that some editors put before text in UTF-8.
func withoutBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }

// certs reads the certificates of a file. Keys may stand among them, and so may
// the parameters that openssl writes; everything else is a flaw, lest it be
// passed over.
func (j *judge) certs(c content) []cert {
	blocks, ok := j.blocks(c)
	if !ok {
		return nil
	}
	var found []cert
	n, faults := 0, len(j.flaws)
	for _, b := range blocks {
		switch {
		case b.kind == "CERTIFICATE":
			n++
			parsed, err := x509.ParseCertificate(b.der)
			if err != nil {
				j.add(j.badDER(c.source, b, err))
				continue
			}
			found = append(found, cert{parsed, n, b.line})
		case b.isParameter(), b.isKey() && c.field == "Cert":
		default:
			f := wrongKind(b.kind, c.path)
			j.fault(f.check, c.source, f.cure, "holds %s (line %d), not a certificate", f.what, b.line)
		}
	}
	if n == 0 && len(blocks) > 0 && faults == len(j.flaws) {
		j.fault(WrongContent, c.source, "name the file with the certificate", "holds no certificate, but %s", wrongKind(blocks[0].kind, c.path).what)
	}
	for _, one := range found {
		j.ownSignature(c.source, one)
	}
	return found
}

func (j *judge) badDER(at source, b block, err error) Flaw {
	f := Flaw{Check: Damaged, Field: at.field, File: at.path, Cure: "write it anew from where it was made"}
	if _, keyErr := parseKey(b.der); keyErr == nil {
		f.Problem = fmt.Sprintf("the block at line %d is called a certificate, and is a private key", b.line)
		return f
	}
	f.Problem = fmt.Sprintf("the certificate at line %d cannot be parsed: %v", b.line, err)
	return f
}

// ownSignature checks the signature of a certificate that signed itself: nobody
// else looks at it, and it tells a damaged one from a sound one.
func (j *judge) ownSignature(at source, c cert) {
	if selfIssued(c.Certificate) && !weak(c.SignatureAlgorithm) && !signedBy(c.Certificate, c.Certificate) {
		j.fault(Damaged, at, "write it anew from where it was made", "%s signed itself, and the signature does not hold", c.label())
	}
}

// label names a certificate in a message.
func (c cert) label() string {
	return fmt.Sprintf("certificate %d (line %d, %s)", c.n, c.line, subject(c.Certificate))
}

// subject is a name for a certificate, in quotes.
func subject(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return fmt.Sprintf("%q", c.Subject.CommonName)
	case len(c.DNSNames) > 0:
		return fmt.Sprintf("%q", c.DNSNames[0])
	case len(c.IPAddresses) > 0:
		return fmt.Sprintf("%q", c.IPAddresses[0])
	}
	return fmt.Sprintf("%q", c.Subject)
}

// issuer is a name for the issuer of a certificate, in quotes.
func issuer(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return fmt.Sprintf("%q", c.Issuer.CommonName)
	}
	return fmt.Sprintf("%q", c.Issuer)
}

func lines(blocks []block) string {
	var at []string
	for _, b := range blocks {
		at = append(at, fmt.Sprint(b.line))
	}
	return "at lines " + strings.Join(at, ", ")
}

func certificates(all []cert) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range all {
		out = append(out, c.Certificate)
	}
	return out
}

func contains(all []cert, c *x509.Certificate) bool {
	return slices.ContainsFunc(all, func(o cert) bool { return o.Equal(c) })
}
