package main

import (
	"cmp"
	"fmt"
	"net"
	"time"

	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A service that is not told which certificate to use makes one, in the folder in
// which it is started, and uses it again the next time.
const (
	ownCert     = "grpc-cert.pem"
	ownKey      = "grpc-key.pem"
	ownValidity = 365 * 24 * time.Hour
)

func (o *options) files() identity.Files {
	return identity.Files{
		Cert: cmp.Or(o.cert, ownCert), Key: cmp.Or(o.key, ownKey), Roots: o.ca,
		ClientCA: o.clientCA, VerifyClients: o.clientCA != "",
	}
}

// prepare makes the certificate that is not given, for this machine only, and judges
// the files before anything is started: the listener would say the same, but to its
// supervisor.
func (o *options) prepare(now time.Time) error {
	if o.cert == "" {
		own := o.files()
		own.Names = identity.LocalNames("")
		if _, err := identity.EnsureSelfSigned(own, ownValidity, now); err != nil {
			return err
		}
	}
	_, err := identity.Load(o.files(), now)
	return err
}

// greeting says how to talk to the service.
func (o *options) greeting(addr net.Addr) (string, error) {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "localhost"
	}
	grpcurl := "grpcurl"
	if trust := o.trust(); trust != "" {
		grpcurl += " -cacert " + trust
	}
	if o.clientCA != "" {
		grpcurl += " -cert YOURS -key YOURS"
	}
	return fmt.Sprintf(`A gRPC service listens on %[1]v. Try it from two other terminals, with grpcurl
(go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest):

  %[2]s %[3]s coppice.examples.Counter/Watch
  %[2]s -d '{"by": 5}' %[3]s coppice.examples.Counter/Add
  %[2]s %[3]s grpc.health.v1.Health/Watch

Ctrl-C stops it, %[4]v after the health service has said no.
`, addr, grpcurl, net.JoinHostPort(host, port), o.delay), nil
}

// trust is the file of what clients have to be told to trust; "": nothing.
func (o *options) trust() string {
	if o.cert == "" {
		return ownCert
	}
	return o.ca
}
