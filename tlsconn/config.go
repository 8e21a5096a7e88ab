package tlsconn

import (
	"crypto/tls"
	"io"
)

// A set is all that a server's connections need. It is made as a whole and
// replaced as a whole: certificates, keys and authorities belong together.
type set struct {
	// outer is the same for all connections of the set, and has the keys of the
	// session tickets: a new set resumes none of the old one's sessions.
	outer *tls.Config
	def   *tls.Config // for clients that ask for no name, or for one that it has
	names directory[*tls.Config]

	served []Served
}

// refusing has no certificate at all: that is how crypto/tls is made to send
// unrecognized_name.
var refusing = &tls.Config{
	MinVersion:     tls.VersionTLS12,
	GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil },
}

// newSet makes the settings for an identity, and for those of other names.
func (s *Spec) newSet(def material, sites []material, keyLog io.Writer) *set {
	all := &set{def: s.config(def, keyLog), names: directory[*tls.Config]{}}
	all.names.enter(def, all.def)
	for _, site := range sites {
		all.names.enter(site, s.config(site, keyLog))
	}
	all.outer = &tls.Config{MinVersion: all.def.MinVersion, GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if s.Source != nil && isChallenge(hello) {
			return s.answer(hello), nil
		}
		return all.choose(hello, s.UnknownName), nil
	}}
	return all
}

// config is what crypto/tls is told for one identity.
func (s *Spec) config(m material, keyLog io.Writer) *tls.Config {
	return &tls.Config{
		Certificates:           []tls.Certificate{m.cert},
		ClientCAs:              m.clientCAs,
		ClientAuth:             s.ClientAuth.mode(),
		NextProtos:             s.ALPN,
		MinVersion:             atLeast12(s.MinVersion),
		SessionTicketsDisabled: s.NoTickets,
		KeyLogWriter:           keyLog,
	}
}

func atLeast12(v uint16) uint16 {
	if v == 0 {
		return tls.VersionTLS12
	}
	return v
}

// choose answers a ClientHello.
func (all *set) choose(hello *tls.ClientHelloInfo, unknown NamePolicy) *tls.Config {
	conf, known := all.def, true
	if hello.ServerName != "" {
		if conf, known = all.names.find(hello.ServerName); !known {
			conf = all.def
		}
	}
	refused := !known && unknown == RefuseName
	if c := connOf(hello); c != nil {
		c.greet(hello.ServerName, refused)
	}
	if refused {
		return refusing
	}
	return conf
}
