package tlsconn

import (
	"crypto/tls"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A NamePolicy says what a client gets that asks for a name which nobody here
// serves. One that asks for none gets the identity of Files in any case.
type NamePolicy int

const (
	// ServeDefault gives it the identity of Files; it will say no if it minds.
	ServeDefault NamePolicy = iota
	// RefuseName ends the handshake, with class [UnknownName].
	RefuseName
)

// ClientAuth says whether clients prove who they are, by a certificate that leads
// to the ClientCA of the Files. See [Conn.Peer].
type ClientAuth int

const (
	NoClientCert       ClientAuth = iota // they are not asked
	OptionalClientCert                   // they may; a certificate that is not trusted ends the handshake
	RequireClientCert                    // they must
)

func (a ClientAuth) mode() tls.ClientAuthType {
	switch a {
	case OptionalClientCert:
		return tls.VerifyClientCertIfGiven
	case RequireClientCert:
		return tls.RequireAndVerifyClientCert
	}
	return tls.NoClientCert
}

// A Spec describes an endpoint that accepts TLS connections: what all of them
// share.
type Spec struct {
	// Name is what events and alarms call it; "": "server".
	Name string

	// Files are where certificate and key are, and what they must be good for. Its
	// VerifyClients follows from ClientAuth.
	Files identity.Files
	// Source has the identities, instead of Files. Nil: Files has.
	Source Source
	// Sites are further identities, for clients that ask for one of their names: of
	// the certificate's own, *.example.com included. Of two for a name the first is
	// served, Files before all.
	Sites       []Site
	UnknownName NamePolicy
	ClientAuth  ClientAuth
	// Reload is how often all files are looked at; 0: 10 s, Infinity: only when
	// [Server.Reload] is called. Certificate, key and authorities are replaced
	// together, and only by what could also be started with.
	Reload time.Duration

	// ALPN are the application protocols, the dearest first. A client that names
	// others only is refused; one that names none is not. Nil: any.
	ALPN []string
	// MinVersion is the oldest version of TLS; 0: TLS 1.2. Older ones are refused.
	MinVersion uint16
	// NoTickets has every connection do the whole handshake.
	NoTickets bool

	// SelfFraming says that the protocol tells by itself where it ends, so that a
	// stream without a goodbye is no loss. Then [Truncated] is counted, and told
	// quietly; it ends the connection all the same.
	SelfFraming bool

	// KeyLog is a file to which the keys of all sessions are written, so that
	// Wireshark can read them, and so can anybody else who has the file. It is
	// warned of each time that it is opened. "": none.
	KeyLog string

	// Levels are those of events, instead of a class's own.
	Levels map[Class]process.Level
}

// A Site is an identity for names of its own.
type Site struct{ Files identity.Files }

// files are all identities, that of the Spec first, as they are to be judged.
func (s *Spec) files() []identity.Files {
	all := []identity.Files{s.Files}
	if s.Source != nil {
		all = s.sourced() // at least one, says sourceFaults
	}
	for _, site := range s.Sites {
		all = append(all, site.Files)
	}
	for i := range all {
		all[i].VerifyClients = s.ClientAuth != NoClientCert
	}
	return all
}

// faults finds what is wrong with the Spec, but for the files.
func (s *Spec) faults() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.UnknownName != ServeDefault && s.UnknownName != RefuseName {
		fault("UnknownName is %d: use ServeDefault or RefuseName", s.UnknownName)
	}
	if s.ClientAuth < NoClientCert || s.ClientAuth > RequireClientCert {
		fault("ClientAuth is %d: use NoClientCert, OptionalClientCert or RequireClientCert", s.ClientAuth)
	}
	for i, f := range s.files() {
		where := "Files"
		if i > 0 {
			where = fmt.Sprintf("Sites[%d].Files", i-1)
		}
		if f.Usage != identity.Server {
			fault("%s.Usage is %v: this is a server", where, f.Usage)
		}
		if f.ClientCA != "" && s.ClientAuth == NoClientCert {
			fault("%s.ClientCA is given, but clients are not asked for a certificate: set ClientAuth, or leave it out", where)
		}
	}
	if s.Reload < 0 && s.Reload != process.Infinity {
		fault("Reload is %v: use a time, 0 for 10 s or Infinity", s.Reload)
	}
	faults = append(faults, s.sourceFaults()...)
	return append(faults, commonFaults(s.ALPN, s.MinVersion, s.Levels)...)
}
