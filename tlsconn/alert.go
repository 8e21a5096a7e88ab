package tlsconn

import (
	"errors"
	"net"
	"reflect"
	"strconv"
)

// An Alert is the TLS alert that went with a fault: what a capture of the
// connection shows. The zero Alert is none.
type Alert struct {
	Way  Way
	Code uint8 // RFC 8446, section 6
}

// A Way is the direction of an [Alert].
type Way int

const (
	NoAlert  Way = iota
	Sent         // by us
	Received     // from the peer
)

// The codes that decide a class, or that crypto/tls sends without telling.
const (
	alertCloseNotify         = 0
	alertUnexpectedMessage   = 10
	alertBadRecordMAC        = 20
	alertRecordOverflow      = 22
	alertHandshakeFailure    = 40
	alertBadCertificate      = 42
	alertUnsupported         = 43
	alertRevoked             = 44
	alertExpired             = 45
	alertCertificateUnknown  = 46
	alertIllegalParameter    = 47
	alertUnknownCA           = 48
	alertAccessDenied        = 49
	alertDecodeError         = 50
	alertDecryptError        = 51
	alertProtocolVersion     = 70
	alertInsufficient        = 71
	alertInternalError       = 80
	alertInappropriate       = 86
	alertNoRenegotiation     = 100
	alertMissingExtension    = 109
	alertUnrecognizedName    = 112
	alertCertificateRequired = 116
	alertNoProtocol          = 120
)

var alertNames = map[uint8]string{
	alertCloseNotify: "close_notify", alertUnexpectedMessage: "unexpected_message", alertBadRecordMAC: "bad_record_mac",
	21: "decryption_failed", alertRecordOverflow: "record_overflow", 30: "decompression_failure",
	alertHandshakeFailure: "handshake_failure", alertBadCertificate: "bad_certificate",
	alertUnsupported: "unsupported_certificate", alertRevoked: "certificate_revoked", alertExpired: "certificate_expired",
	alertCertificateUnknown: "certificate_unknown", alertIllegalParameter: "illegal_parameter", alertUnknownCA: "unknown_ca",
	alertAccessDenied: "access_denied", alertDecodeError: "decode_error", alertDecryptError: "decrypt_error",
	alertProtocolVersion: "protocol_version", alertInsufficient: "insufficient_security", alertInternalError: "internal_error",
	alertInappropriate: "inappropriate_fallback", 90: "user_canceled", alertNoRenegotiation: "no_renegotiation",
	alertMissingExtension: "missing_extension", 110: "unsupported_extension", alertUnrecognizedName: "unrecognized_name",
	113: "bad_certificate_status_response", 115: "unknown_psk_identity", alertCertificateRequired: "certificate_required",
	alertNoProtocol: "no_application_protocol", 121: "ech_required",
}

// Name is the alert's name in RFC 8446, as bad_certificate; "" for none.
func (a Alert) Name() string {
	if a.Way == NoAlert {
		return ""
	}
	if name, ok := alertNames[a.Code]; ok {
		return name
	}
	return "alert_" + strconv.Itoa(int(a.Code))
}

// String says who sent it, too: "sent bad_certificate"; "" for none.
func (a Alert) String() string {
	switch a.Way {
	case Sent:
		return "sent " + a.Name()
	case Received:
		return "received " + a.Name()
	}
	return ""
}

// alertIn finds the alert in an error of crypto/tls: a *net.OpError whose Op says
// which way it went, around an unexported type of small numbers.
func alertIn(err error) Alert {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Err == nil {
		return Alert{}
	}
	way := NoAlert
	switch op.Op {
	case "remote error":
		way = Received
	case "local error":
		way = Sent
	}
	code := reflect.ValueOf(op.Err)
	if way == NoAlert || code.Kind() != reflect.Uint8 {
		return Alert{}
	}
	return Alert{way, uint8(code.Uint())}
}

// alertOnWire finds the alert that is sent in the clear with these records, as
// those of the first part of a handshake are.
func alertOnWire(records []byte) Alert {
	const header, alert = 5, 21
	for len(records) >= header {
		n := int(records[3])<<8 | int(records[4])
		if len(records) < header+n {
			break
		}
		if body := records[header : header+n]; records[0] == alert && n == 2 {
			return Alert{Sent, body[1]}
		}
		records = records[header+n:]
	}
	return Alert{}
}

// A hearing follows the records that come in, byte by byte, to know the last one
// if that is an alert in the clear. After a handshake has begun to be secret such a
// one should not come, and yet OpenSSL sends one: a client that refuses our
// certificate says so before it has made its keys. To crypto/tls that is a record
// that somebody has forged.
type hearing struct {
	head [7]byte // of the record: type, version, length, and of an alert level and code
	n    int     // how much of that is there
	left int     // what is still to come of the record after that
	last Alert
}

// hear takes the next bytes of the stream.
func (l *hearing) hear(b []byte) {
	const header, alert = 5, 21
	for len(b) > 0 {
		if l.left > 0 {
			skip := min(l.left, len(b))
			l.left -= skip
			b = b[skip:]
			continue
		}
		size := header
		if l.n >= header {
			size = len(l.head)
		}
		took := copy(l.head[l.n:size], b)
		l.n += took
		b = b[took:]
		if l.n < header {
			continue
		}
		length := int(l.head[3])<<8 | int(l.head[4])
		switch clear := l.head[0] == alert && length == 2; {
		case l.n == header:
			l.last = Alert{}
			if !clear {
				l.n, l.left = 0, length
			}
		case l.n == len(l.head):
			l.last = Alert{Received, l.head[6]}
			l.n = 0
		}
	}
}
