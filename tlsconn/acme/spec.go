package acme

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/coppice-go/coppice/process"
)

// A Spec describes a [Source]. Names, Email, Agreed and Folder are needed, or Storage
// instead of the last; the rest is usable as zero.
type Spec struct {
	// Names are host names. Each has a certificate of its own; that of the first is
	// for clients that ask for no name. *.example.com needs DNS.
	Names []string
	// Email is where the authority can reach you.
	Email string
	// Agreed says that you agree to the authority's terms of service.
	Agreed bool

	// Folder is where account, certificates and keys are kept. It is made if it is
	// not there, for its owner only.
	Folder string
	// Storage is another place for them, say one that several machines share.
	Storage certmagic.Storage

	// Directory is the URL of the authority; "": Let's Encrypt's. For attempts that
	// may fail use [Staging]: the real one gives few.
	Directory string
	// DirectoryCA is a PEM file with the authorities of the authority's own HTTPS; "":
	// the system's.
	DirectoryCA string
	// Roots is a PEM file with the authorities to which its certificates lead; "": the
	// system's. Those of [Staging] lead to none of them.
	Roots string

	// Host and Port are where challenges are answered until the service listens
	// there; "" and 0: port 443 of all addresses. The authority always calls 443.
	Host string
	Port int
	// DNS answers challenges by DNS instead.
	DNS *certmagic.DNS01Solver

	// Timeout is how long it may take to get a certificate; 0: 2 min.
	Timeout time.Duration
	// Every is how often it is looked at what is due to be renewed; 0: 10 min.
	Every time.Duration
}

// Directories of Let's Encrypt.
const (
	Production = certmagic.LetsEncryptProductionCA
	Staging    = certmagic.LetsEncryptStagingCA
)

func (s Spec) withDefaults() Spec {
	s.Directory = cmp.Or(s.Directory, Production)
	s.Timeout = cmp.Or(s.Timeout, 2*time.Minute)
	s.Every = cmp.Or(s.Every, 10*time.Minute)
	if s.Storage == nil {
		s.Storage = &certmagic.FileStorage{Path: s.Folder}
	}
	return s
}

// validate says all that is wrong.
func (s *Spec) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(s.Names) == 0 {
		fault("Names is empty: name at least one host")
	}
	seen := map[string]bool{}
	for _, name := range s.Names {
		switch {
		case !certmagic.SubjectQualifiesForCert(name):
			fault("Names has %q, for which there are no certificates", name)
		case strings.HasPrefix(name, "*.") && s.DNS == nil:
			fault("Names has %q: a wildcard needs DNS", name)
		case seen[strings.ToLower(name)]:
			fault("Names has %q twice", name)
		}
		seen[strings.ToLower(name)] = true
	}
	if s.Email == "" {
		fault("Email is missing: the authority wants to know where to reach you")
	}
	if !s.Agreed {
		fault("Agreed is false: read the terms of service of %s, and agree to them", s.Directory)
	}
	if files, ok := s.Storage.(*certmagic.FileStorage); ok && files.Path == "" {
		fault("Folder is missing: certificates are obtained seldom, so they have to be kept")
	}
	if s.Port < 0 || s.Port > 65535 {
		fault("Port is %d: use 0 for 443", s.Port)
	}
	if s.Timeout < 0 || s.Every < 0 || s.Every == process.Infinity {
		fault("Timeout is %v and Every is %v: use times, or 0", s.Timeout, s.Every)
	}
	return errors.Join(faults...)
}

// authorities reads DirectoryCA.
func (s *Spec) authorities() (*x509.CertPool, error) {
	if s.DirectoryCA == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(s.DirectoryCA)
	if err != nil {
		return nil, fmt.Errorf("DirectoryCA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("DirectoryCA: there is no certificate in %s", s.DirectoryCA)
	}
	return pool, nil
}
