package identity

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A judge collects what is wrong with what was read.
type judge struct {
	files Files
	now   time.Time
	flaws []Flaw
}

// run judges a snapshot. Flaws do not stop it, but where there is nothing left
// to judge.
func (j *judge) run(s snapshot) *Pair {
	j.waiveFaults()
	j.fieldFaults()
	for _, c := range s.all() {
		if c.flaw != nil {
			j.add(*c.flaw)
		}
	}
	p := &Pair{usage: j.files.Usage}
	p.clientCAs = j.trusted(s.clientCA, p)
	p.serverCAs = j.trusted(s.serverCA, p)
	p.rootCAs = j.trusted(s.roots, p)
	if !j.files.bare() {
		j.own(s, p)
	}
	return p
}

// own judges the certificate and key that are ours.
func (j *judge) own(s snapshot, p *Pair) {
	if j.swapped(s) {
		return
	}
	all, key := j.certs(s.cert), j.key(s.key)
	if len(all) == 0 {
		return
	}
	c, match := order(all, key)
	leaf := c.path[0]
	if key != nil && !match {
		j.fault(Mismatch, s.key.source, "name the key that the certificate was made for, or have a certificate made for this key",
			"is not the key of %s in %s: the key's public half is %s, the certificate's is %s",
			leaf.label(), s.cert.path, fingerprint(key.Public()), fingerprint(leaf.PublicKey))
	}
	j.orderFaults(s.cert.source, all, c)
	for _, one := range c.path {
		j.inTime(s.cert.source, one)
		j.strong(s.cert.source, one)
	}
	j.use(s.cert.source, leaf)
	j.names(s.cert.source, leaf)
	to := ownAnchors(s, p)
	if j.complete(s.cert.source, c, to) {
		j.verify(s.cert.source, c, to)
	}
	p.keep(s.cert.source, c, key)
}

// swapped notices that Cert and Key name each other's file.
func (j *judge) swapped(s snapshot) bool {
	holds := func(c content, isIt func(*block) bool) bool {
		return c.flaw == nil && slices.ContainsFunc(scan(withoutBOM(c.data)), func(b block) bool { return isIt(&b) })
	}
	isCert := func(b *block) bool { return b.kind == "CERTIFICATE" }
	if holds(s.cert, (*block).isKey) && !holds(s.cert, isCert) && holds(s.key, isCert) && !holds(s.key, (*block).isKey) {
		j.fault(WrongContent, s.cert.source, fmt.Sprintf("exchange the two: Cert %s, Key %s", s.key.path, s.cert.path),
			"holds a private key, and %s the certificate: they are swapped", s.key.path)
		return true
	}
	return false
}

// ownAnchors are what our own chain must lead to.
func ownAnchors(s snapshot, p *Pair) anchors {
	switch {
	case s.roots.path != "":
		return anchors{s.roots.source, p.rootCAs}
	case s.serverCA.path != "":
		return anchors{s.serverCA.source, p.serverCAs}
	}
	return anchors{}
}

// trusted reads a file of authorities.
func (j *judge) trusted(c content, p *Pair) []cert {
	all := j.certs(c)
	var last time.Time
	for _, one := range all {
		// Who signed itself is an authority for itself: our own certificate, or that of a
		// server that has no better one. As the authority of clients it would let in one.
		itself := c.field != "ClientCA" && selfIssued(one.Certificate)
		if why := noAuthority(one.Certificate); why != "" && !itself {
			j.fault(NotACA, c.source, fmt.Sprintf("name the certificate of its issuer, %s", issuer(one.Certificate)), "%s %s", one.label(), why)
		}
		j.strongKey(c.source, one)
		if one.NotAfter.After(last) {
			last = one.NotAfter
		}
	}
	if len(all) == 0 {
		return nil
	}
	if late := j.now.Sub(last); late > 0 {
		j.fault(Expired, c.source, "put in authorities that are valid", "all its authorities are expired, the last one since %s (%s)", date(last), days(late))
	}
	longest := slices.MaxFunc(all, func(a, b cert) int { return a.NotAfter.Compare(b.NotAfter) })
	p.ends = append(p.ends, endOf(c.source, longest))
	return all
}

// inTime checks that a certificate is valid now.
func (j *judge) inTime(at source, c cert) {
	if late := j.now.Sub(c.NotAfter); late > 0 {
		j.fault(Expired, at, "renew it", "%s expired on %s (%s ago)", c.label(), date(c.NotAfter), days(late))
	}
	if early := c.NotBefore.Sub(j.now); early > 0 {
		j.fault(NotYetValid, at, "wait, or set the clock of this machine, which says "+date(j.now),
			"%s is not valid before %s (in %s)", c.label(), date(c.NotBefore), days(early))
	}
}

// strong checks signature and key of a certificate.
func (j *judge) strong(at source, c cert) {
	if weak(c.SignatureAlgorithm) && !(selfIssued(c.Certificate) && c.IsCA) { // nobody relies on a root's own signature
		j.fault(WeakSignature, at, "have it issued anew, with SHA-256", "%s is signed with %v, which clients refuse", c.label(), c.SignatureAlgorithm)
	}
	j.strongKey(at, c)
	if what := unsupported(c.PublicKey); what != "" {
		j.fault(UnsupportedKey, at, "have a certificate issued for an EC key (P-256) or an RSA key of 2048 bits", "%s is for %s, which TLS has no use for", c.label(), what)
	}
}

func (j *judge) strongKey(at source, c cert) {
	if public, ok := c.PublicKey.(*rsa.PublicKey); ok && public.N.BitLen() < 2048 {
		j.fault(WeakKey, at, "make a key of 2048 bits or more, and have a certificate issued for it", "%s has an RSA key of %d bits", c.label(), public.N.BitLen())
	}
}

func weak(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

// extUsage is what a certificate must allow.
func (u Usage) extUsage() x509.ExtKeyUsage {
	if u == Client {
		return x509.ExtKeyUsageClientAuth
	}
	return x509.ExtKeyUsageServerAuth
}

// use checks what the leaf may be used for.
func (j *judge) use(at source, leaf cert) {
	want := j.files.Usage.extUsage()
	has := func(u x509.ExtKeyUsage) bool { return slices.Contains(leaf.ExtKeyUsage, u) }
	if len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) > 0 && !has(want) && !has(x509.ExtKeyUsageAny) {
		j.fault(KeyUsage, at, fmt.Sprintf("have one issued for a %v (extendedKeyUsage = %vAuth)", j.files.Usage, j.files.Usage),
			"%s is not for a %v: its extended key usage is %s", leaf.label(), j.files.Usage, usages(leaf.Certificate))
	}
	if leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		j.fault(KeyUsage, at, "have one issued with keyUsage = digitalSignature", "%s may not sign handshakes: its key usage leaves out digital signature", leaf.label())
	}
}

func usages(c *x509.Certificate) string {
	var names []string
	for _, u := range c.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			names = append(names, "serverAuth")
		case x509.ExtKeyUsageClientAuth:
			names = append(names, "clientAuth")
		default:
			names = append(names, u.OID().String())
		}
	}
	for _, oid := range c.UnknownExtKeyUsage {
		names = append(names, oid.String())
	}
	return strings.Join(names, ", ")
}

// names checks that the leaf is good for the names that are served.
func (j *judge) names(at source, leaf cert) {
	own := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		own = append(own, ip.String())
	}
	if len(own) == 0 && j.files.Usage == Server {
		j.fault(WrongNames, at, "have one issued with names: subjectAltName = DNS:"+example(j.files.Names),
			"%s has no names (subjectAltName), and clients do not heed its common name", leaf.label())
		return
	}
	var lacks []string
	for _, name := range j.files.Names {
		if leaf.VerifyHostname(name) != nil {
			lacks = append(lacks, fmt.Sprintf("%q", name))
		}
	}
	if len(lacks) > 0 {
		j.fault(WrongNames, at, "have one issued for all names that are served, or correct Names",
			"%s is not for %s, but for %q", leaf.label(), strings.Join(lacks, ", "), own)
	}
}

func example(names []string) string {
	if len(names) > 0 {
		return names[0]
	}
	return "example.org"
}

// verify lets crypto/x509 judge the chain as a peer would, for what has not been
// judged one by one: what authorities forbid, and whether the anchor is valid.
// What has been, waived or not, would only be in its way.
func (j *judge) verify(at source, c chain, to anchors) {
	for i, one := range c.path {
		if j.now.Before(one.NotBefore) || j.now.After(one.NotAfter) || weak(one.SignatureAlgorithm) || i > 0 && noAuthority(one.Certificate) != "" {
			return
		}
	}
	roots := to.pool()
	if top := c.path[len(c.path)-1]; roots == nil && selfIssued(top.Certificate) {
		roots = pool([]cert{top})
	}
	leaf := c.path[0]
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates(certificates(c.path[1:])),
		CurrentTime:   j.now,
		KeyUsages:     []x509.ExtKeyUsage{j.files.Usage.extUsage()},
	})
	if err == nil {
		return
	}
	j.refused(at, leaf, to, err)
}

// refused says in our words why x509 refused a chain.
func (j *judge) refused(at source, leaf cert, to anchors, err error) {
	check, cure := Constraints, "have the leaf issued by an authority that may"
	var invalid x509.CertificateInvalidError
	switch {
	case !errors.As(err, &invalid):
		check, cure = IncompleteChain, "see that the file holds every certificate between the leaf and its root"
	case invalid.Reason == x509.Expired:
		check, cure = Expired, "get the authority's present certificate"
		if to.at.path != "" {
			at = to.at
		}
	case invalid.Reason == x509.IncompatibleUsage:
		check = KeyUsage
	case invalid.Reason == x509.NotAuthorizedToSign:
		check = NotACA
	}
	if j.found(check, at.field) {
		return
	}
	j.add(Flaw{Check: check, Field: at.field, File: at.path, Cure: cure, Err: err,
		Problem: fmt.Sprintf("the chain of %s would be refused: %v", leaf.label(), err)})
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// days is a time as people say it.
func days(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.Round(time.Second).String()
}
