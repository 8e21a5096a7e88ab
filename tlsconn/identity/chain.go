package identity

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// A chain is the certificates of a file, put in order.
type chain struct {
	path  []cert // the leaf, then its issuers as far as the file has them
	extra []cert // what belongs to no other, in the order of the file
}

// order finds the leaf and its issuers, whatever order they are written in: the
// leaf is the one that the key belongs to.
func order(all []cert, key crypto.Signer) (c chain, match bool) {
	leaf := slices.IndexFunc(all, func(c cert) bool { return key != nil && samePublic(c.PublicKey, key.Public()) })
	match = leaf >= 0
	if !match {
		leaf = slices.IndexFunc(all, func(c cert) bool { return !issuesAny(c, all) })
	}
	leaf = max(leaf, 0)
	used := make([]bool, len(all))
	for at := leaf; at >= 0; at = nextOf(all, used, all[at]) {
		used[at] = true
		c.path = append(c.path, all[at])
	}
	for i, one := range all {
		if !used[i] {
			c.extra = append(c.extra, one)
		}
	}
	return c, match
}

// nextOf finds the issuer of a certificate among those that are not yet used;
// -1 if there is none.
func nextOf(all []cert, used []bool, c cert) int {
	if selfIssued(c.Certificate) {
		return -1
	}
	for i, o := range all {
		if !used[i] && issued(o.Certificate, c.Certificate) {
			return i
		}
	}
	return -1
}

func issuesAny(c cert, all []cert) bool {
	return slices.ContainsFunc(all, func(o cert) bool { return o.n != c.n && issued(c.Certificate, o.Certificate) })
}

// issued reports whether by signed c. Of a signature that nobody can check any
// more, the names have to do.
func issued(by, c *x509.Certificate) bool {
	return bytes.Equal(by.RawSubject, c.RawIssuer) && (signedBy(by, c) || c.SignatureAlgorithm == x509.MD5WithRSA)
}

// signedBy reports whether the signature of c is by's, right or no right.
func signedBy(by, c *x509.Certificate) bool {
	return by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// selfIssued reports whether a certificate signed itself, or says so. One that
// carries the name of its issuer but the number of another key did not: an
// authority that changed its key.
func selfIssued(c *x509.Certificate) bool {
	return bytes.Equal(c.RawSubject, c.RawIssuer) &&
		(len(c.AuthorityKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, c.SubjectKeyId))
}

// orderFaults compares the order of the file with the one that peers expect.
func (j *judge) orderFaults(at source, all []cert, c chain) {
	inOrder := slices.IsSortedFunc(c.path, func(a, b cert) int { return a.n - b.n }) && c.path[0].n == all[0].n
	switch {
	case !inOrder && c.path[0].n != all[0].n:
		j.fault(ChainOrder, at, "write them in this order: "+labels(c.path),
			"the leaf is not first: the key belongs to %s, and before it stands %s", c.path[0].label(), all[0].label())
	case !inOrder:
		j.fault(ChainOrder, at, "write them in this order: "+labels(c.path),
			"its certificates are not in order: each must follow the one that it signed")
	}
	if len(c.extra) > 0 {
		j.fault(ChainOrder, at, "take it out", "what belongs to no other is in the way of the chain of %s: %s", c.path[0].label(), labels(c.extra))
	}
}

func labels(all []cert) string {
	var names []string
	for _, c := range all {
		names = append(names, c.label())
	}
	return strings.Join(names, ", ")
}

// anchors are the certificates that a chain may end at.
type anchors struct {
	at     source // of the file; no path: the system's
	listed []cert // of the file
}

func (a *anchors) pool() *x509.CertPool {
	if a.at.path == "" {
		return nil // x509's word for the system's
	}
	return pool(a.listed)
}

func pool(all []cert) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range all {
		p.AddCert(c.Certificate)
	}
	return p
}

// complete checks that the chain leads to an anchor, and says what is missing if
// it does not. Time, names and use are judged elsewhere.
func (j *judge) complete(at source, c chain, to anchors) bool {
	j.authorities(at, c)
	top := c.path[len(c.path)-1]
	if to.at.path == "" && selfIssued(top.Certificate) {
		return true
	}
	for i, one := range c.path {
		if contains(to.listed, one.Certificate) || leads(one, certificates(c.path[i+1:]), to) {
			return true
		}
	}
	where := "this system's authorities"
	if to.at.path != "" {
		where = to.at.path
	}
	cure := fmt.Sprintf("append the certificate of %s, which that authority offers for download", issuer(top.Certificate))
	if to.at.path == "" {
		cure += ", or, if it is an authority of your own, name its certificate in Roots"
	} else {
		cure += fmt.Sprintf(", or put it into %s if it is a root", to.at.path)
	}
	switch same := slices.IndexFunc(append(slices.Clone(c.extra), to.listed...), func(o cert) bool {
		return bytes.Equal(o.RawSubject, top.RawIssuer)
	}); {
	case selfIssued(top.Certificate):
		j.fault(IncompleteChain, at, fmt.Sprintf("put it into %s if you trust it, or have the certificate issued by one of those", where),
			"the chain ends in %s, which is not in %s", top.label(), where)
	case same >= 0:
		j.fault(IncompleteChain, at, cure, "%s names %s as its issuer, but was signed with another key than that of the %s at hand",
			top.label(), issuer(top.Certificate), issuer(top.Certificate))
	default:
		j.fault(IncompleteChain, at, cure, "the chain ends in %s: its issuer %s is neither in the file nor in %s",
			top.label(), issuer(top.Certificate), where)
	}
	return false
}

// leads reports whether a certificate leads to an anchor by way of others, at a
// time at which it is valid, and for whatever use.
func leads(c cert, between []*x509.Certificate, to anchors) bool {
	for _, a := range to.listed {
		if issued(a.Certificate, c.Certificate) {
			return true
		}
	}
	if to.at.path != "" {
		return false // Verify could find nothing more among those
	}
	_, err := c.Verify(x509.VerifyOptions{
		Intermediates: intermediates(between),
		CurrentTime:   c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err == nil
}

func intermediates(all []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range all {
		p.AddCert(c)
	}
	return p
}

// authorities checks that those who sign in the chain may.
func (j *judge) authorities(at source, c chain) {
	for i := 1; i < len(c.path); i++ {
		if why := noAuthority(c.path[i].Certificate); why != "" {
			j.fault(NotACA, at, "have the leaf issued by an authority", "%s signed %s, and %s", c.path[i].label(), c.path[i-1].label(), why)
		}
	}
}

// noAuthority says why a certificate may not sign others; "" if it may.
func noAuthority(c *x509.Certificate) string {
	switch {
	case !c.BasicConstraintsValid || !c.IsCA:
		return "is not an authority (CA:TRUE is missing)"
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return "may not sign certificates (its key usage leaves that out)"
	}
	return ""
}
