package tlsconn

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// An evidence is what is known of a connection besides the error that ended it.
type evidence struct {
	in      int64  // bytes that have come from the peer
	first   []byte // the first of them
	eof     bool   // the peer's end of the socket, as it was told to crypto/tls
	raw     error  // the first error of the socket that was no time-out
	shut    bool   // our side has closed the socket
	alert   Alert  // that was sent in the clear
	told    Alert  // that was the peer's last word in the handshake, in the clear
	refused bool   // we refused the server name
}

// A verdict is what is made of it. The zero verdict means no fault: the peer
// said goodbye.
type verdict struct {
	class   Class
	blame   Blame
	alert   Alert
	reason  string
	cert    *x509.Certificate // that was refused
	because error
}

// classify says what kind of fault an error of crypto/tls or of the socket is.
// Most errors of crypto/tls have no type. So it goes by the stage first, then by
// what there is of types, then by what the socket saw, and by texts last; those
// are in one table, which a test compares with the crypto/tls of this Go.
func classify(client bool, stage State, err error, e evidence) verdict {
	v := verdict{alert: alertIn(err), because: clean(err)}
	if v.alert.Way == NoAlert {
		v.alert = e.alert
	}
	switch {
	case stage == Dialing:
		v.class = DialFailed
	case stage < Established:
		v.handshake(client, err, e)
	default:
		v.traffic(client, stage, err, e)
	}
	v.blame = classRows[v.class].blame
	if client && blamesOffer(v.class) {
		v.blame = BlameUs
	}
	return v
}

// blamesOffer lists what a client should have offered differently.
func blamesOffer(c Class) bool {
	switch c {
	case NoCommonVersion, NoCommonCipher, NoCommonALPN, UnknownName:
		return true
	}
	return false
}

// handshake judges an error before the connection was established.
func (v *verdict) handshake(client bool, err error, e evidence) {
	switch {
	case e.refused && strings.Contains(err.Error(), noCertificates):
		v.class, v.because, v.alert = UnknownName, errUnknownName, Alert{Sent, alertUnrecognizedName}
	case v.alert.Way == Received:
		v.class = received(client, v.alert.Code)
	case v.alert == (Alert{Sent, alertBadRecordMAC}) && e.told.Way == Received:
		v.class, v.alert = received(client, e.told.Code), e.told
		v.because = fmt.Errorf("the peer said %s in the clear, for which crypto/tls has: %w", e.told.Name(), v.because)
	case isAs[*tls.CertificateVerificationError](err):
		v.distrust(client, err)
	case isAs[tls.RecordHeaderError](err):
		v.class = notTLS(client, err, e)
		if v.class == ClientNotTLS && looksLikeHTTP(e.first) {
			v.reason = "http"
		}
	case alertIn(err).Way == Sent:
		v.class = sent(v.alert.Code)
	case errors.Is(err, os.ErrDeadlineExceeded):
		v.class = HandshakeTimeout
	case left(err) && e.in == 0 && !client:
		v.class = Probe
	case left(err):
		v.class = PeerGone
	default:
		v.byText(client, err)
	}
}

// traffic judges an error of an established connection.
func (v *verdict) traffic(client bool, stage State, err error, e evidence) {
	switch {
	case v.alert.Way == Received:
		v.class = received(client, v.alert.Code)
	case alertIn(err).Way == Sent:
		v.class = sent(v.alert.Code)
	case err == io.EOF && !e.eof:
		*v = verdict{}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		v.class, v.because = Truncated, io.ErrUnexpectedEOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		v.class = Stalled
	case left(err) && stage == Closing:
		v.class = PeerGone
	case left(err):
		v.class = PeerReset
	default:
		v.byText(client, err)
	}
}

// left reports whether an error says that the other end of the socket is gone.
func left(err error) bool {
	for _, one := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// received is the class of a fatal alert from the peer.
func received(client bool, code uint8) Class {
	switch code {
	case alertBadCertificate, alertUnsupported, alertRevoked, alertExpired, alertCertificateUnknown, alertUnknownCA,
		alertAccessDenied, alertCertificateRequired:
		if client {
			return WeWereRejected
		}
		return PeerRejectedUs
	case alertProtocolVersion:
		return NoCommonVersion
	case alertHandshakeFailure, alertInsufficient:
		return NoCommonCipher
	case alertNoProtocol:
		return NoCommonALPN
	case alertUnrecognizedName:
		return UnknownName
	case alertBadRecordMAC, alertDecryptError:
		return Tampering
	case alertNoRenegotiation:
		return RenegotiationRefused
	}
	return PeerAlert
}

// sent is the class of an alert of ours where crypto/tls says no more than that.
func sent(code uint8) Class {
	switch code {
	case alertBadRecordMAC, alertDecryptError:
		return Tampering
	case alertNoRenegotiation:
		return RenegotiationRefused
	case alertInternalError:
		return Internal
	}
	return ProtocolViolation
}

// notTLS tells a peer that does not speak TLS from one that speaks it wrongly.
func notTLS(client bool, err error, e evidence) Class {
	header, _ := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case strings.Contains(header.Msg, "SSLv2"):
		if len(e.first) > 2 && e.first[2] == 1 { // really a ClientHello of that time
			return NoCommonVersion
		}
	case !strings.Contains(header.Msg, "does not look like"):
		return ProtocolViolation
	}
	if client {
		return ServerNotTLS
	}
	return ClientNotTLS
}

// distrust says which certificate was refused, and why.
func (v *verdict) distrust(client bool, err error) {
	v.class, v.reason = ClientNotTrusted, distrusted(err)
	if client {
		v.class = ServerNotTrusted
	}
	refused, _ := errors.AsType[*tls.CertificateVerificationError](err)
	if len(refused.UnverifiedCertificates) > 0 {
		v.cert = refused.UnverifiedCertificates[0]
	}
	if v.alert.Way != NoAlert {
		return
	}
	v.alert = Alert{Sent, alertBadCertificate}
	switch {
	case client: // it always says bad_certificate
	case v.reason == "unknown_ca":
		v.alert.Code = alertUnknownCA
	case v.reason == "expired", v.reason == "not_yet_valid":
		v.alert.Code = alertExpired
	}
}

// distrusted names the reason of x509.
func distrusted(err error) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch invalid.Reason {
		case x509.Expired:
			if strings.Contains(invalid.Detail, "is before") {
				return "not_yet_valid"
			}
			return "expired"
		case x509.IncompatibleUsage:
			return "key_usage"
		case x509.NotAuthorizedToSign:
			return "unknown_ca"
		}
		return "other"
	}
	switch {
	case isAs[x509.UnknownAuthorityError](err), isAs[x509.SystemRootsError](err):
		return "unknown_ca"
	case isAs[x509.HostnameError](err):
		return "name"
	case isAs[x509.InsecureAlgorithmError](err):
		return "weak"
	}
	return "other"
}

// A saying is an error of crypto/tls that has a text and no type.
type saying struct {
	text   string // part of it
	class  Class
	alert  uint8 // that crypto/tls sends with it
	reason string
}

// The order counts: the first one that fits.
var sayings = []saying{
	{text: "client offered only unsupported versions", class: NoCommonVersion, alert: alertProtocolVersion},
	{text: "server selected unsupported protocol version", class: NoCommonVersion, alert: alertProtocolVersion},
	{text: "client using inappropriate protocol fallback", class: NoCommonVersion, alert: alertInappropriate},
	{text: "no cipher suite supported by both client and server", class: NoCommonCipher, alert: alertHandshakeFailure},
	{text: "server chose an unconfigured cipher suite", class: NoCommonCipher, alert: alertIllegalParameter},
	{text: "no key exchanges supported by both client and server", class: NoCommonCipher, alert: alertHandshakeFailure},
	{text: "peer doesn't support any of the certificate's signature algorithms", class: NoCommonCipher, alert: alertHandshakeFailure},
	{text: "client requested unsupported application protocols", class: NoCommonALPN, alert: alertNoProtocol},
	{text: "server selected unadvertised ALPN protocol", class: NoCommonALPN, alert: alertUnsupportedALPN},
	{text: "client didn't provide a certificate", class: ClientNotTrusted, alert: alertCertificateRequired, reason: "missing"},
	{text: "invalid signature by the client certificate", class: ClientNotTrusted, alert: alertDecryptError, reason: "signature"},
	{text: "invalid signature by the server certificate", class: ServerNotTrusted, alert: alertDecryptError, reason: "signature"},
	{text: "client sent certificate containing RSA key larger than", class: ClientNotTrusted, alert: alertBadCertificate, reason: "other"},
	{text: "server sent certificate containing RSA key larger than", class: ServerNotTrusted, alert: alertBadCertificate, reason: "other"},
	{text: "client certificate contains an unsupported public key", class: ClientNotTrusted, alert: alertUnsupported, reason: "other"},
	{text: "failed to parse client certificate", class: ClientNotTrusted, alert: alertDecodeError, reason: "other"},
	{text: "failed to parse certificate from server", class: ServerNotTrusted, alert: alertDecodeError, reason: "other"},
	{text: "Finished message is incorrect", class: Tampering, alert: alertDecryptError},
	{text: "Finished message was incorrect", class: Tampering, alert: alertDecryptError},
	{text: "invalid client finished hash", class: Tampering, alert: alertDecryptError},
	{text: "invalid server finished hash", class: Tampering, alert: alertDecryptError},
	{text: "downgrade attempt detected", class: Tampering, alert: alertIllegalParameter},
	{text: helloAfterHandshake, class: RenegotiationRefused, alert: alertUnexpectedMessage},
	{text: noCertificates, class: Internal, alert: alertUnrecognizedName},
	{text: "internal error", class: Internal, alert: alertInternalError},
	{text: "failed to write to key log", class: Internal, alert: alertInternalError},
	{text: "failed to sign", class: Internal, alert: alertInternalError},
	{text: "tls: received unexpected handshake message", class: ProtocolViolation, alert: alertUnexpectedMessage},
	{text: "tls: too many ignored records", class: ProtocolViolation, alert: alertUnexpectedMessage},
	{text: "tls: too many non-advancing records", class: ProtocolViolation, alert: alertUnexpectedMessage},
}

// errUnknownName says what crypto/tls means, when we have it refuse a name.
var errUnknownName = errors.New("nobody serves this name")

const (
	// noCertificates is what it says then, and when it really has none.
	noCertificates = "no certificates configured"
	// Client and server hellos come once; a server on TLS 1.2 that gets another
	// says this, which is made of two parts in crypto/tls.
	helloAfterHandshake  = "received unexpected handshake message of type *tls.clientHelloMsg when waiting for *tls.helloRequestMsg"
	alertUnsupportedALPN = 110 // unsupported_extension
)

// byText is for what has no better mark.
func (v *verdict) byText(client bool, err error) {
	text := err.Error()
	for _, s := range sayings {
		if !strings.Contains(text, s.text) {
			continue
		}
		v.class, v.reason = s.class, s.reason
		if v.alert.Way == NoAlert {
			v.alert = Alert{Sent, s.alert}
		}
		return
	}
	switch {
	case strings.HasPrefix(text, "tls: "):
		v.class = ProtocolViolation
	case isAs[net.Error](err), isAs[syscall.Errno](err):
		v.class = Network
	default:
		v.class = Internal // of a hook
	}
}

// clean takes out of an error what must not be kept with it: the connection.
func clean(err error) error {
	if header, ok := err.(tls.RecordHeaderError); ok {
		header.Conn = nil
		return header
	}
	return err
}

// looksLikeHTTP reports whether the first bytes are those of a request in clear.
func looksLikeHTTP(first []byte) bool {
	for _, method := range []string{"GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ", "CONNECT ", "PRI * HTTP"} {
		if bytes.HasPrefix(first, []byte(method)) {
			return true
		}
	}
	return false
}

func isAs[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
