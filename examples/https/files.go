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
	ownCert     = "https-cert.pem"
	ownKey      = "https-key.pem"
	ownValidity = 365 * 24 * time.Hour
)

func (o *options) files() identity.Files {
	return identity.Files{
		Cert: cmp.Or(o.cert, ownCert), Key: cmp.Or(o.key, ownKey), Roots: o.ca,
		ClientCA: o.clientCA, VerifyClients: o.clientCA != "",
	}
}

// prepare makes the certificate that is not given. Then it judges the files, as the
// listener would: but that would tell the supervisor, and that the application, and who
// mistypes the name of a file should not have to read it from each of them.
func (o *options) prepare(now time.Time) error {
	if o.cert == "" {
		own := o.files()
		own.Names = identity.LocalNames(o.addr)
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
	curl := "curl"
	if trust := o.trust(); trust != "" {
		curl += " --cacert " + trust
	}
	if o.clientCA != "" {
		curl += " --cert YOURS --key YOURS"
	}
	return fmt.Sprintf(`A web service listens on %v. Try it from another terminal:

  %[2]s https://%[3]s/
  %[2]s --http1.1 https://%[3]s/
  %[2]s https://%[3]s/slow?for=5s
  %[2]s https://%[3]s/readyz

Put another certificate and key in the place of %[4]s and its key, and clients
see it %[5]v later at most. Ctrl-C stops the service, %[6]v after /readyz has said no.
`, addr, curl, net.JoinHostPort(host, port), o.files().Cert, o.reload, o.delay), nil
}

// trust is the file of what clients have to be told to trust; "": nothing.
func (o *options) trust() string {
	if o.cert == "" {
		return ownCert
	}
	return o.ca
}
