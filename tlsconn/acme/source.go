package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A Source gets certificates, and renews them while the server that it is given to
// runs. It is a tlsconn.Source. It belongs to one server.
type Source struct {
	spec   Spec
	issuer string // under which the storage keeps the certificates

	// Of the latest start.
	config atomic.Pointer[certmagic.Config]
	keeper atomic.Pointer[server.Ref[renewer]]
}

// New makes a Source. It does nothing before the server starts, which also tells what
// is wrong with the Spec.
func New(spec Spec) *Source {
	spec = spec.withDefaults()
	return &Source{spec: spec, issuer: (&certmagic.ACMEIssuer{CA: spec.Directory}).IssuerKey()}
}

// Start implements tlsconn.Source: it obtains what is missing, and starts the process
// that renews.
func (s *Source) Start(ctx context.Context) (process.PID, error) {
	if err := s.spec.validate(); err != nil {
		return process.PID{}, fmt.Errorf("acme: %w", err)
	}
	ref, err := server.Start(ctx, s.renewing())
	return ref.PID(), err
}

// Sites implements tlsconn.Source.
func (s *Source) Sites() (all []tlsconn.Site) {
	for _, name := range s.spec.Names {
		all = append(all, tlsconn.Site{Files: identity.Files{
			Cert: certmagic.StorageKeys.SiteCert(s.issuer, name), Key: certmagic.StorageKeys.SitePrivateKey(s.issuer, name),
			From: s, Roots: s.spec.Roots, Names: []string{name},
		}})
	}
	return all
}

// storageTime is how long a storage may take to give what it has.
const storageTime = 5 * time.Second

// ReadFile implements identity.Store.
func (s *Source) ReadFile(key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storageTime)
	defer cancel()
	data, err := s.spec.Storage.Load(ctx, key)
	return bytes.Clone(data), err // which is wiped
}

// Challenge implements tlsconn.Source.
func (s *Source) Challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	config := s.config.Load()
	if config == nil || !slices.ContainsFunc(s.spec.Names, func(name string) bool { return strings.EqualFold(name, hello.ServerName) }) {
		return nil, errors.New("acme: no challenge for this name") // and the storage is not asked
	}
	return config.GetCertificate(hello)
}

// Renew renews the certificates of some names now, or of all, whether that is due or
// not: after a key has become known, say. They are served when the server has looked at
// them, as it does all the time.
func (s *Source) Renew(ctx context.Context, names ...string) error {
	ref := s.keeper.Load()
	if ref == nil {
		return errors.New("acme: the Source is not started: it is by the server that has it")
	}
	_, err := server.Call(ctx, ref, renew{names})
	return err
}

// String keeps what is in it out of logs.
func (s *Source) String() string { return "ACME certificates of " + strings.Join(s.spec.Names, ", ") }

// GoString is String.
func (s *Source) GoString() string { return s.String() }

// configure makes what certmagic needs. The cache stays empty: it would renew by
// itself. stop stops its goroutine.
func (s *Source) configure() (config *certmagic.Config, stop func(), err error) {
	roots, err := s.spec.authorities()
	if err != nil {
		return nil, nil, err
	}
	silent := zap.NewNop() // what goes wrong it returns as well
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return config, nil },
		RenewCheckInterval: s.spec.Every,
		Logger:             silent,
	})
	config = certmagic.New(cache, certmagic.Config{
		RenewalWindowRatio: renewalRatio,
		Storage:            s.spec.Storage,
		DisableARI:         true,
		OCSP:               certmagic.OCSPConfig{DisableStapling: true},
		Logger:             silent,
	})
	config.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(config, certmagic.ACMEIssuer{
		CA: s.spec.Directory, TestCA: s.spec.Directory, Email: s.spec.Email, Agreed: s.spec.Agreed, TrustedRoots: roots,
		DisableHTTPChallenge: true, ListenHost: s.spec.Host, AltTLSALPNPort: s.spec.Port, DNS01Solver: s.solver(),
		Logger: silent,
	})}
	return config, cache.Stop, nil
}
