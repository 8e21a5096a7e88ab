package identity

import (
	"net"
	"strings"
)

// Files says where an identity is kept, and what it is to be good for. All files
// are PEM. Cert and Key may be one file.
type Files struct {
	// Cert holds the certificate, then those of its issuers, each after the one
	// that it signed. The root may be left out.
	Cert string
	// Key holds the private key of the certificate, without a password, in
	// PKCS #8, or in the older forms of RSA and EC keys.
	Key string
	// From is where Cert and Key are kept; nil: in files. The other fields are files
	// in any case.
	From Store

	// ClientCA holds the authorities that clients' certificates must lead to. It is
	// for servers, and needed if VerifyClients is set.
	ClientCA      string
	VerifyClients bool

	// ServerCA holds the authorities that servers' certificates must lead to. It is
	// for clients. Empty: the system's.
	ServerCA string

	// Roots holds the authorities that Cert must lead to. Empty: ServerCA if there
	// is one, else the system's; and a Cert that ends in a certificate that signed
	// itself is complete as it is.
	Roots string

	// Names are the host names and IP addresses that the certificate must be good
	// for. Empty: it may have any names; a server's must have some.
	Names []string
	Usage Usage   // zero: Server
	Waive []Check // judgements that are not to be made: see [Waivable]
}

// Usage says which side of a connection an identity is for.
type Usage int

// A Client may do without a certificate: then both Cert and Key are empty.
const (
	Server Usage = 0
	Client Usage = 1
)

func (u Usage) String() string {
	switch u {
	case Server:
		return "server"
	case Client:
		return "client"
	}
	return "unknown usage"
}

// bare reports whether the identity has no certificate, as a client's may.
func (f *Files) bare() bool { return f.Usage == Client && f.Cert == "" && f.Key == "" }

// fieldFaults finds what is wrong with the fields, before any file is read.
func (j *judge) fieldFaults() {
	f := &j.files
	if f.Usage != Server && f.Usage != Client {
		j.fault(BadField, source{field: "Usage"}, "use Server or Client", "there is no usage %d", f.Usage)
	}
	if !f.bare() {
		if f.Cert == "" {
			j.fault(Missing, source{field: "Cert"}, "name the PEM file with the certificate and its chain", "no certificate file is named")
		}
		if f.Key == "" {
			j.fault(Missing, source{field: "Key"}, "name the PEM file with the certificate's private key", "no key file is named")
		}
	}
	switch {
	case f.Usage == Client && (f.ClientCA != "" || f.VerifyClients):
		j.fault(BadField, source{"ClientCA", f.ClientCA}, "name the servers' authorities in ServerCA", "a client has no clients to verify")
	case f.VerifyClients && f.ClientCA == "":
		j.fault(Missing, source{field: "ClientCA"}, "name the PEM file with the authorities that clients' certificates come from",
			"clients shall be verified, and no authority is named to verify them by")
	}
	if f.Usage == Server && f.ServerCA != "" {
		j.fault(BadField, source{"ServerCA", f.ServerCA}, "name the clients' authorities in ClientCA", "a server has no servers to verify")
	}
	for _, name := range f.Names {
		j.nameFault(name)
	}
}

// nameFault finds names that no certificate can have.
func (j *judge) nameFault(name string) {
	at := source{field: "Names"}
	const cure = "give host names or IP addresses, as clients dial them, without a port"
	switch {
	case name == "":
		j.fault(BadName, at, cure, "a name is empty")
	case strings.Contains(name, "://"), strings.ContainsAny(name, "/ \t\r\n"):
		j.fault(BadName, at, cure, "%q is not a name", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r > 127 }):
		j.fault(BadName, at, "write it as clients send it: in its ASCII form, xn--...", "%q has letters beyond ASCII", name)
	default:
		if host, _, err := net.SplitHostPort(name); err == nil {
			j.fault(BadName, at, cure, "%q has a port: %q has none", name, host)
		}
	}
}
