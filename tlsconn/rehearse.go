package tlsconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// rehearsalLimit is how long a handshake within one program may take.
const rehearsalLimit = 5 * time.Second

// rehearse does a handshake with an identity that is about to be served, in each
// version that is: what the files promise is kept by the key as well. A judgement
// that was waived is not made here either.
func (s *Spec) rehearse(ctx context.Context, p *identity.Pair, f identity.Files) error {
	versions := []uint16{tls.VersionTLS13}
	if atLeast12(s.MinVersion) == tls.VersionTLS12 {
		versions = append(versions, tls.VersionTLS12)
	}
	server := s.config(materialOf(p), nil)
	server.ClientAuth = tls.NoClientCert // we have no client's key
	server.NextProtos, server.SessionTicketsDisabled = nil, true
	client := &tls.Config{ServerName: nameOf(p, f), InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
		return verify(state, p, f)
	}}
	for _, v := range versions {
		server.MinVersion, server.MaxVersion = v, v
		if err := handshake(ctx, server, client); err != nil {
			return fmt.Errorf("%s: %w", tls.VersionName(v), err)
		}
	}
	return nil
}

// handshake lets two configs meet. The client runs in a helper.
func handshake(ctx context.Context, server, client *tls.Config) error {
	ours, theirs := net.Pipe()
	defer ours.Close()
	deadline := time.Now().Add(rehearsalLimit)
	for _, side := range []net.Conn{ours, theirs} {
		if err := side.SetDeadline(deadline); err != nil {
			return err
		}
	}
	said := make(chan error, 1)
	if _, err := process.GoSpec(ctx, process.Spec{Kind: "rehearsal"}, func(context.Context) error {
		defer theirs.Close()
		said <- tls.Client(theirs, client).HandshakeContext(context.Background()) // the deadline ends it
		return nil
	}); err != nil {
		return err
	}
	err := tls.Server(ours, server).HandshakeContext(context.Background())
	ours.Close()
	if clients := <-said; clients != nil {
		return clients // it knows better what was wrong
	}
	return err
}

// verify is what a client does that trusts the roots that the identity is to
// lead to. It comes when the handshake is nearly done: on a pipe nobody could hear
// an alert before that.
func verify(state tls.ConnectionState, p *identity.Pair, f identity.Files) error {
	if len(f.Waive) > 0 {
		return nil // any of them would fail here
	}
	opts := x509.VerifyOptions{Roots: p.Roots(), DNSName: nameOf(p, f), Intermediates: x509.NewCertPool()}
	for _, c := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(opts)
	return err
}

// nameOf is a name that the identity is good for: the first that is declared, or
// that it has.
func nameOf(p *identity.Pair, f identity.Files) string {
	names := f.Names
	if len(names) == 0 {
		names = materialOf(p).allNames()
	}
	if len(names) == 0 {
		return ""
	}
	if rest, wild := strings.CutPrefix(names[0], "*."); wild {
		return "rehearsal." + rest
	}
	return names[0]
}
