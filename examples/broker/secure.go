package main

import (
	"fmt"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A broker that is not told which certificate to use makes one, in the folder in which
// it is started, and uses it again the next time. Its clients have to be told to trust
// that very certificate.
const (
	ownCert     = "broker-cert.pem"
	ownKey      = "broker-key.pem"
	ownValidity = 365 * 24 * time.Hour
)

// ensureFiles says which files TLS is to use. That they are any good is for the
// listener to find out, before it binds.
func (o options) ensureFiles(now time.Time) (identity.Files, error) {
	files := identity.Files{Cert: o.cert, Key: o.key, Roots: o.ca, ClientCA: o.clientCA, VerifyClients: o.clientCA != ""}
	if o.cert != "" || o.key != "" {
		return files, nil
	}
	files.Cert, files.Key = ownCert, ownKey
	files.Names = identity.LocalNames(o.tls)
	_, err := identity.EnsureSelfSigned(files, ownValidity, now)
	return files, err
}

// preflight finds what is wrong with the files of TLS, all of it at once.
func (o options) preflight(now time.Time) error {
	if o.tls == "" {
		return nil
	}
	files, err := o.ensureFiles(now)
	if err == nil {
		_, err = identity.Load(files, now)
	}
	return err
}

// overTLS is overTCP with TLS below the protocol. MQTT says by itself where it ends, so
// a connection that is cut off is no more than that.
func (o options) overTLS(files identity.Files) acceptor.Spec {
	spec := tlsconn.Spec{Name: tlsListener, Files: files, SelfFraming: true}
	if files.ClientCA != "" {
		spec.ClientAuth = tlsconn.RequireClientCert
	}
	secure := overTCP(tlsListener, o.tls)
	secure.Transport = tlsconn.NewServer(spec)
	return secure
}

// hint is how a client is told whom to trust, and who it is.
func hint(trust string, wantsCert bool) string {
	text := fmt.Sprintf(" --cafile %s", trust)
	if wantsCert {
		text += " --cert YOURS --key YOURS"
	}
	return text
}
