package tlsconn

import (
	"crypto/tls"
	"io"
	"testing"

	"pgregory.net/rapid"
)

// What is heard does not depend on how the bytes come in.
func TestHearing(t *testing.T) {
	const alert, handshake, secret = "\x15\x03\x03\x00\x02\x02\x30", "\x16\x03\x03\x00\x03abc", "\x17\x03\x03\x00\x13" + "0123456789012345678"
	for in, want := range map[string]string{
		"":                         "",
		alert:                      "received unknown_ca",
		handshake + alert:          "received unknown_ca",
		handshake + secret + alert: "received unknown_ca",
		alert + handshake:          "", // it was not the last word
		handshake + "\x15\x03\x03": "",
		"\x15\x03\x03\x00\x02\x02": "", // cut
		"\x15\x03\x03\x00\x13ABCDEFGHIJKLMNOPQRS": "", // encrypted
		"\x17\x03\x03\x00\x00" + alert:            "received unknown_ca",
		"\x17\x03\x03\xff\xff" + alert:            "", // within a record
	} {
		rapid.Check(t, func(t *rapid.T) {
			var h hearing
			for rest := []byte(in); len(rest) > 0; {
				n := rapid.IntRange(1, len(rest)).Draw(t, "n")
				h.hear(rest[:n])
				rest = rest[n:]
			}
			if got := h.last.String(); got != want {
				t.Fatalf("%q: heard %q, want %q", in, got, want)
			}
		})
	}
}

// Only what crypto/tls takes for a forged record is judged anew.
func TestClassifyAlertInTheClear(t *testing.T) {
	told := evidence{in: 300, told: Alert{Received, alertUnknownCA}}
	for _, c := range []struct {
		err  error
		e    evidence
		want Class
	}{
		{local(alertBadRecordMAC), told, PeerRejectedUs},
		{local(alertBadRecordMAC), evidence{in: 300}, Tampering},
		{io.EOF, told, PeerGone},
		{tls.RecordHeaderError{Msg: "unsupported SSLv2 handshake received"}, told, ClientNotTLS},
	} {
		if v := classify(false, Negotiating, c.err, c.e); v.class != c.want {
			t.Errorf("%v: %v, want %v", c.err, v.class, c.want)
		}
	}
}
