package tlsconn

import "github.com/coppice-go/coppice/process"

// A Class is a kind of [Fault]. Its name is what counters and logs show; it
// does not change from one version to the next.
type Class int

// The classes. What is said of blame and level is what [Fault.Blame] and
// [Spec].Levels start from.
const (
	// Probe: somebody connected and left without a byte, as health checks do.
	Probe Class = iota + 1
	// ClientNotTLS: the first bytes are not TLS: plain HTTP, a scanner.
	ClientNotTLS
	// ServerNotTLS: the same, seen by a client.
	ServerNotTLS
	// ProtocolViolation: the peer speaks TLS, but wrongly.
	ProtocolViolation
	// HandshakeTimeout: the handshake was not done in time.
	HandshakeTimeout
	// PeerGone: the peer left in the middle of the handshake, or, in state
	// closing, after it had said goodbye.
	PeerGone
	// PeerRejectedUs: a client does not accept our certificate. It is usually
	// ours to mend, so it is an error, and an alarm if most clients say so.
	PeerRejectedUs
	// WeWereRejected: a server does not accept our certificate, or wants one.
	WeWereRejected
	// PeerAlert: the peer ended the connection with an alert that is about
	// neither certificates nor what was offered. See [Fault.Alert].
	PeerAlert
	// NoCommonVersion: no version of TLS that both sides speak.
	NoCommonVersion
	// NoCommonCipher: no cipher suite, key exchange or signature in common.
	NoCommonCipher
	// NoCommonALPN: no application protocol in common.
	NoCommonALPN
	// UnknownName: a server name that nobody here serves (see [RefuseName]), or
	// that the server does not know.
	UnknownName
	// ClientNotTrusted: the client's certificate is missing or not to be trusted.
	ClientNotTrusted
	// ServerNotTrusted: the server's certificate is not to be trusted.
	ServerNotTrusted
	// Truncated: the stream ended without a goodbye. Somebody on the way can
	// have cut it; see [Spec].SelfFraming.
	Truncated
	// PeerReset: the peer reset an established connection.
	PeerReset
	// Tampering: what arrived is not what the peer sent.
	Tampering
	// RenegotiationRefused: the peer wanted to negotiate anew (TLS 1.2).
	RenegotiationRefused
	// Stalled: the peer did not take what was written in time.
	Stalled
	// DialFailed: there is no socket to the server.
	DialFailed
	// Network: the network failed, not the peer.
	Network
	// Internal: our own fault: a hook that failed or panicked.
	Internal

	classes = iota + 1 // how many, zero included
)

// Blame is whose doing a fault is.
type Blame int

const (
	BlamePeer    Blame = iota // the other side's
	BlameUs                   // ours: our certificate, our settings, our code
	BlameNetwork              // the network's, or of somebody in it
)

func (b Blame) String() string { return [...]string{"peer", "us", "network"}[b] }

// A classRow is what is known of a class beforehand.
type classRow struct {
	name  string
	says  string // what an event says: what happened, in a few words
	blame Blame
	level process.Level
}

var classRows = [classes]classRow{
	Probe:                {"probe", "connected and left without a byte", BlamePeer, process.LevelQuiet},
	ClientNotTLS:         {"client_not_tls", "the client does not speak TLS", BlamePeer, process.LevelWarn},
	ServerNotTLS:         {"server_not_tls", "the server does not speak TLS", BlamePeer, process.LevelWarn},
	ProtocolViolation:    {"protocol_violation", "the peer broke the protocol", BlamePeer, process.LevelWarn},
	HandshakeTimeout:     {"handshake_timeout", "the handshake was not done in time", BlamePeer, process.LevelWarn},
	PeerGone:             {"peer_gone", "the peer left", BlamePeer, process.LevelInfo},
	PeerRejectedUs:       {"peer_rejected_us", "the client does not accept our certificate", BlameUs, process.LevelError},
	WeWereRejected:       {"we_were_rejected", "the server does not accept our certificate, or wants one", BlameUs, process.LevelError},
	PeerAlert:            {"peer_alert", "the peer ended the connection with an alert", BlamePeer, process.LevelWarn},
	NoCommonVersion:      {"no_common_version", "no version of TLS in common", BlamePeer, process.LevelWarn},
	NoCommonCipher:       {"no_common_cipher", "no cipher in common", BlamePeer, process.LevelWarn},
	NoCommonALPN:         {"no_common_alpn", "no application protocol in common", BlamePeer, process.LevelWarn},
	UnknownName:          {"unknown_name", "nobody serves that name", BlamePeer, process.LevelWarn},
	ClientNotTrusted:     {"client_auth", "the client's certificate is missing or not trusted", BlamePeer, process.LevelWarn},
	ServerNotTrusted:     {"server_not_trusted", "the server's certificate is not trusted", BlamePeer, process.LevelError},
	Truncated:            {"truncated", "the stream was cut off: an end without a goodbye", BlameNetwork, process.LevelWarn},
	PeerReset:            {"peer_reset", "the peer reset the connection", BlamePeer, process.LevelInfo},
	Tampering:            {"tampering", "the stream was changed on its way", BlameNetwork, process.LevelError},
	RenegotiationRefused: {"renegotiation_refused", "the peer wanted to renegotiate", BlamePeer, process.LevelWarn},
	Stalled:              {"stalled", "the peer did not take what was written", BlamePeer, process.LevelWarn},
	DialFailed:           {"dial_failed", "no connection to the server", BlameNetwork, process.LevelWarn},
	Network:              {"network", "the network failed", BlameNetwork, process.LevelWarn},
	Internal:             {"internal", "our own fault", BlameUs, process.LevelError},
}

// String returns the name, as peer_gone.
func (c Class) String() string {
	if c <= 0 || c >= classes {
		return "no_class"
	}
	return classRows[c].name
}

// Level is how much faults of this class matter if nobody says otherwise.
func (c Class) Level() process.Level { return classRows[c].level }

// Classes returns all of them, for tables and metrics.
func Classes() []Class {
	all := make([]Class, 0, classes-1)
	for c := Class(1); c < classes; c++ {
		all = append(all, c)
	}
	return all
}
