package tlsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A Source has identities that nobody puts into files: an ACME client (package
// tlsconn/acme is one), a store of secrets. What it has is judged, followed and
// rehearsed as files are, see [identity.Store].
type Source interface {
	// Start sees to it that there is something to serve, and starts the process that
	// goes on seeing to it, linked to the one that ctx belongs to. It may take its
	// time; the listener is not bound before it has returned. An error keeps the
	// server from starting. [process.ErrIgnore] says that no process is needed.
	//
	// It is called again when the server is started again; the process that it has
	// started before is gone then.
	Start(ctx context.Context) (process.PID, error)

	// Sites returns the identities, always the same; what they hold is there after
	// Start. The first is for clients that ask for no name, and for those that ask
	// for one that nobody has. ClientCA of the Spec's Files holds for all of them,
	// unless they have their own. From is mostly the Source itself.
	Sites() []Site

	// Challenge returns the certificate that answers a challenge of RFC 8737
	// (tls-alpn-01), with which an authority finds out who serves a name. An error
	// refuses it: nothing of that kind is under way, or not for this name. It is
	// called in handshakes, several at a time.
	Challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
}

// acmeProtocol is the only one that an authority offers with a challenge (RFC 8737).
// Nothing is spoken over such a connection.
const acmeProtocol = "acme-tls/1"

func isChallenge(hello *tls.ClientHelloInfo) bool {
	return slices.Equal(hello.SupportedProtos, []string{acmeProtocol})
}

// answer has the Source answer a challenge.
func (s *Spec) answer(hello *tls.ClientHelloInfo) *tls.Config {
	cert, err := s.Source.Challenge(hello)
	if err == nil && cert == nil {
		err = errors.New("tlsconn: Challenge returned neither a certificate nor an error")
	}
	if c := connOf(hello); c != nil {
		c.greet(hello.ServerName, err != nil)
	}
	if err != nil {
		return refusing // the peer's fault has a class; it has no use for our reasons
	}
	return &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{acmeProtocol}, MinVersion: tls.VersionTLS12}
}

// source starts the Source.
func (a *attendant) source(ctx context.Context) error {
	if _, err := a.s.spec.Source.Start(ctx); err != nil && !errors.Is(err, process.ErrIgnore) {
		return fmt.Errorf("the Source: %w", err)
	}
	return nil
}

// sourceFaults are the fields that do not go with a Source.
func (s *Spec) sourceFaults() (faults []error) {
	f := &s.Files
	if s.Source != nil && (f.Cert != "" || f.Key != "" || f.From != nil || f.Roots != "" || len(f.Names) > 0) {
		faults = append(faults, errors.New("both Files and Source have certificates: give one of them; with a Source, of Files only ClientCA is used"))
	}
	if s.Source != nil && len(s.Source.Sites()) == 0 {
		faults = append(faults, errors.New("the Source has no identities"))
	}
	return faults
}

// sourced are the identities of the Source.
func (s *Spec) sourced() (all []identity.Files) {
	for _, site := range s.Source.Sites() {
		f := site.Files
		if f.ClientCA == "" {
			f.ClientCA = s.Files.ClientCA
		}
		all = append(all, f)
	}
	return all
}
