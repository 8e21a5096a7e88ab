package tlsconn

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A ClientSpec describes an endpoint that dials.
type ClientSpec struct {
	// Name is what events and alarms call it; "": the Address.
	Name string

	// Network is that of net.Dial: "tcp" (which "" means), "tcp4", "tcp6" or "unix".
	Network string
	// Address is where the server is: "host:port", or a path.
	Address string
	// ServerName is the name that the server has to prove; "": the host of
	// Address.
	ServerName string

	// Files are where our certificate is, for servers that want one, and the
	// authorities that servers' certificates must lead to. Zero: no certificate, and
	// the system's authorities. Its Usage is identity.Client, whatever it says.
	Files identity.Files

	ALPN       []string // as in [Spec]
	MinVersion uint16   // 0: TLS 1.2
	NoTickets  bool     // every connection does the whole handshake

	// Timeout is how long dialing and handshake may take together, if the ctx of
	// [Dial] has no deadline; 0: 10 s.
	Timeout time.Duration
	// Dialer opens the socket; nil: a net.Dialer.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)

	Backoff Backoff // of a [Client]

	KeyLog      string                  // as in [Spec]
	SelfFraming bool                    // as in [Spec]
	Levels      map[Class]process.Level // as in [Spec]
}

// dialLimit is how long dialing and handshake may take.
const dialLimit = 10 * time.Second

func (s ClientSpec) withDefaults() ClientSpec {
	s.Name = cmp.Or(s.Name, s.Address)
	s.Network = cmp.Or(s.Network, "tcp")
	s.Timeout = cmp.Or(s.Timeout, dialLimit)
	s.Backoff = s.Backoff.withDefaults()
	s.Files.Usage = identity.Client
	if s.ServerName == "" && s.Network != "unix" {
		// validate has seen that it can be done.
		s.ServerName, _, _ = net.SplitHostPort(s.Address)
	}
	if s.Dialer == nil {
		s.Dialer = (&net.Dialer{}).DialContext
	}
	return s
}

// validate reports every fault at once.
func (s *ClientSpec) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch s.Network {
	case "", "tcp", "tcp4", "tcp6":
		host, _, err := net.SplitHostPort(s.Address)
		switch {
		case s.Address == "":
			fault("Address is missing: give host:port")
		case err != nil:
			fault("Address is %q: give host:port: %w", s.Address, err)
		case host == "" && s.ServerName == "":
			fault("Address %q has no host: give ServerName, the name that the server has to prove", s.Address)
		}
	case "unix":
		if s.Address == "" {
			fault("Address is missing: give the path of the socket")
		}
		if s.ServerName == "" {
			fault("ServerName is missing: a path says nothing of the name that the server has to prove")
		}
	default:
		fault("Network is %q: use tcp, tcp4, tcp6 or unix", s.Network)
	}
	if s.Timeout < 0 && s.Timeout != process.Infinity {
		fault("Timeout is %v: use a time, 0 for %v or Infinity", s.Timeout, dialLimit)
	}
	if s.Backoff.Min < 0 || s.Backoff.Max < 0 {
		fault("Backoff is %v to %v: use 0 for the defaults", s.Backoff.Min, s.Backoff.Max)
	}
	faults = append(faults, commonFaults(s.ALPN, s.MinVersion, s.Levels)...)
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("tlsconn: client %q:\n%w", cmp.Or(s.Name, s.Address), errors.Join(faults...))
}

// commonFaults are those of the fields that both Specs have.
func commonFaults(alpn []string, minVersion uint16, levels map[Class]process.Level) (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, p := range alpn {
		if len(p) == 0 || len(p) > 255 {
			fault("ALPN has a protocol of %d bytes: they have 1 to 255", len(p))
		}
	}
	switch minVersion {
	case 0, tls.VersionTLS12, tls.VersionTLS13:
	default:
		fault("MinVersion is %s: use tls.VersionTLS12, which 0 means, or tls.VersionTLS13", tls.VersionName(minVersion))
	}
	for c := range levels {
		if c <= 0 || c >= classes {
			fault("Levels has %d, which is no Class", c)
		}
	}
	return faults
}

// config is what crypto/tls is told.
func (s *ClientSpec) config(m material, cache tls.ClientSessionCache, keyLog io.Writer) *tls.Config {
	conf := &tls.Config{
		RootCAs:                m.roots,
		ServerName:             s.ServerName,
		NextProtos:             s.ALPN,
		MinVersion:             atLeast12(s.MinVersion),
		SessionTicketsDisabled: s.NoTickets,
		ClientSessionCache:     cache,
		KeyLogWriter:           keyLog,
	}
	if len(m.cert.Certificate) > 0 {
		// It is shown to whoever asks, whatever authorities that one names: a
		// refusal says more than a certificate that was held back.
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &m.cert, nil }
	}
	return conf
}

// endpoint is what the connections of this Spec share.
func (s *ClientSpec) endpoint(t *tally) *endpoint {
	return &endpoint{name: s.Name, client: true, selfFraming: s.SelfFraming, levels: s.Levels, tally: t}
}

// connection is a connection that is about to be dialled.
func (s *ClientSpec) connection(ep *endpoint, conf *tls.Config, limit time.Duration) *life {
	c := newConn(ep, limit)
	c.sni = conf.ServerName
	return &life{c: c, config: conf, dial: func(ctx context.Context) (net.Conn, error) {
		return s.Dialer(ctx, s.Network, s.Address)
	}}
}
