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
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/process"
)

// Every class has a name of its own, a text and a level, and is listed.
func TestClasses(t *testing.T) {
	seen := map[string]Class{}
	for _, c := range Classes() {
		row := classRows[c]
		if before, ok := seen[row.name]; ok || row.name == "" || row.says == "" || c.String() != row.name || c.Level() != row.level {
			t.Errorf("class %d: %+v, and %v has that name", c, row, before)
		}
		seen[row.name] = c
	}
	if len(seen) != len(classRows)-1 || Class(0).String() != "no_class" || Class(classes).String() != "no_class" {
		t.Errorf("%d classes of %d", len(seen), len(classRows)-1)
	}
}

// The texts by which errors without a type are known are those of this Go. When
// this fails, crypto/tls has changed its words: look how the error reads now.
func TestTextsOfThisGo(t *testing.T) {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "crypto/tls").Output()
	if err != nil {
		t.Fatalf("looking for the source of crypto/tls: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the source of crypto/tls is not in %s: %v", dir, err)
	}
	var source strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for _, s := range sayings {
		if s.text == helloAfterHandshake {
			continue // put together at run time: see TestRuntimeFaults/renegotiation
		}
		if !strings.Contains(source.String(), s.text) {
			t.Errorf("crypto/tls of %s does not say %q", runtime.Version(), s.text)
		}
	}
	for _, text := range []string{"first record does not look like", "SSLv2", `Op: "remote error"`, `Op: "local error"`} {
		if !strings.Contains(source.String(), text) {
			t.Errorf("crypto/tls of %s does not say %q", runtime.Version(), text)
		}
	}
}

type alertCode uint8

func (a alertCode) Error() string { return fmt.Sprint("alert ", uint8(a)) }

func remote(code uint8) error { return &net.OpError{Op: "remote error", Err: alertCode(code)} }
func local(code uint8) error  { return &net.OpError{Op: "local error", Err: alertCode(code)} }

func cause(errno syscall.Errno) error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errno)}
}

// What the table of real faults does not show: the client's side, alerts, errors
// of the network.
func TestClassify(t *testing.T) {
	distrust := func(err error) error {
		return &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{{}}, Err: err}
	}
	header := func(msg string) error { return tls.RecordHeaderError{Msg: msg, Conn: &net.TCPConn{}} }
	rows := []struct {
		client bool
		stage  State
		err    error
		e      evidence
		want   Class
		blame  Blame
		alert  string
		reason string
	}{
		{true, Dialing, cause(syscall.ECONNREFUSED), evidence{}, DialFailed, BlameNetwork, "", ""},
		{true, Hello, io.EOF, evidence{}, PeerGone, BlamePeer, "", ""},
		{false, Hello, io.EOF, evidence{}, Probe, BlamePeer, "", ""},
		{false, Hello, cause(syscall.ECONNRESET), evidence{}, Probe, BlamePeer, "", ""},
		{false, Hello, io.EOF, evidence{in: 3}, PeerGone, BlamePeer, "", ""},
		{false, Negotiating, io.ErrClosedPipe, evidence{in: 300}, PeerGone, BlamePeer, "", ""},
		{true, Hello, header("first record does not look like a TLS handshake"), evidence{in: 9}, ServerNotTLS, BlamePeer, "", ""},
		{false, Hello, header("unsupported SSLv2 handshake received"), evidence{in: 9, first: []byte("\x80\x2e\x01\x00\x02")}, NoCommonVersion, BlamePeer, "", ""},
		{false, Hello, header("unsupported SSLv2 handshake received"), evidence{in: 9, first: []byte("\x80garbage")}, ClientNotTLS, BlamePeer, "", ""},
		{false, Negotiating, header("received record with version 301 when expecting version 303"), evidence{in: 9}, ProtocolViolation, BlamePeer, "", ""},
		{true, Negotiating, remote(alertBadCertificate), evidence{}, WeWereRejected, BlameUs, "received bad_certificate", ""},
		{true, Established, remote(alertCertificateRequired), evidence{}, WeWereRejected, BlameUs, "received certificate_required", ""},
		{false, Established, remote(alertUnknownCA), evidence{}, PeerRejectedUs, BlameUs, "received unknown_ca", ""},
		{true, Hello, remote(alertProtocolVersion), evidence{}, NoCommonVersion, BlameUs, "received protocol_version", ""},
		{true, Hello, remote(alertHandshakeFailure), evidence{}, NoCommonCipher, BlameUs, "received handshake_failure", ""},
		{false, Negotiating, remote(alertHandshakeFailure), evidence{}, NoCommonCipher, BlamePeer, "received handshake_failure", ""},
		{true, Hello, remote(alertNoProtocol), evidence{}, NoCommonALPN, BlameUs, "received no_application_protocol", ""},
		{true, Hello, remote(alertUnrecognizedName), evidence{}, UnknownName, BlameUs, "received unrecognized_name", ""},
		{true, Established, remote(alertBadRecordMAC), evidence{}, Tampering, BlameNetwork, "received bad_record_mac", ""},
		{false, Established, remote(alertNoRenegotiation), evidence{}, RenegotiationRefused, BlamePeer, "received no_renegotiation", ""},
		{true, Established, local(alertNoRenegotiation), evidence{}, RenegotiationRefused, BlamePeer, "sent no_renegotiation", ""},
		{false, Negotiating, local(alertUnexpectedMessage), evidence{}, ProtocolViolation, BlamePeer, "sent unexpected_message", ""},
		{false, Negotiating, local(alertInternalError), evidence{}, Internal, BlameUs, "sent internal_error", ""},
		{false, Established, remote(199), evidence{}, PeerAlert, BlamePeer, "received alert_199", ""},
		{true, Negotiating, distrust(x509.UnknownAuthorityError{}), evidence{}, ServerNotTrusted, BlamePeer, "sent bad_certificate", "unknown_ca"},
		{true, Negotiating, distrust(x509.HostnameError{Certificate: &x509.Certificate{}}), evidence{}, ServerNotTrusted, BlamePeer, "sent bad_certificate", "name"},
		{true, Negotiating, distrust(x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time 1 is before 2"}), evidence{}, ServerNotTrusted, BlamePeer, "sent bad_certificate", "not_yet_valid"},
		{false, Negotiating, distrust(x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time 2 is after 1"}), evidence{}, ClientNotTrusted, BlamePeer, "sent certificate_expired", "expired"},
		{false, Negotiating, distrust(x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}), evidence{}, ClientNotTrusted, BlamePeer, "sent unknown_ca", "unknown_ca"},
		{false, Negotiating, distrust(x509.CertificateInvalidError{Reason: x509.TooManyConstraints}), evidence{}, ClientNotTrusted, BlamePeer, "sent bad_certificate", "other"},
		{false, Negotiating, distrust(x509.InsecureAlgorithmError(0)), evidence{}, ClientNotTrusted, BlamePeer, "sent bad_certificate", "weak"},
		{false, Negotiating, distrust(errors.New("?")), evidence{}, ClientNotTrusted, BlamePeer, "sent bad_certificate", "other"},
		{false, Negotiating, errors.New("tls: something new"), evidence{}, ProtocolViolation, BlamePeer, "", ""},
		{false, Negotiating, errors.New("tls: internal error: oops"), evidence{}, Internal, BlameUs, "sent internal_error", ""},
		{false, Negotiating, errors.New("a hook of ours"), evidence{alert: Alert{Sent, alertInternalError}}, Internal, BlameUs, "sent internal_error", ""},
		{false, Negotiating, errors.New("tls: no certificates configured"), evidence{}, Internal, BlameUs, "sent unrecognized_name", ""},
		{false, Negotiating, errors.New("tls: no certificates configured"), evidence{refused: true}, UnknownName, BlamePeer, "sent unrecognized_name", ""},
		{false, Negotiating, io.EOF, evidence{in: 9, refused: true}, PeerGone, BlamePeer, "", ""},
		{false, Negotiating, os.ErrDeadlineExceeded, evidence{in: 9}, HandshakeTimeout, BlamePeer, "", ""},
		{false, Negotiating, cause(syscall.EHOSTUNREACH), evidence{in: 9}, Network, BlameNetwork, "", ""},
		{false, Established, cause(syscall.ETIMEDOUT), evidence{}, Network, BlameNetwork, "", ""},
		{false, Established, io.EOF, evidence{}, 0, 0, "", ""},
		{false, Established, io.EOF, evidence{eof: true}, Truncated, BlameNetwork, "", ""},
		{false, Closing, io.EOF, evidence{eof: true}, Truncated, BlameNetwork, "", ""},
		{false, Established, cause(syscall.EPIPE), evidence{}, PeerReset, BlamePeer, "", ""},
		{false, Closing, cause(syscall.EPIPE), evidence{}, PeerGone, BlamePeer, "", ""},
		{false, Established, os.ErrDeadlineExceeded, evidence{}, Stalled, BlamePeer, "", ""},
		{false, Established, errors.New("tls: too many ignored records"), evidence{}, ProtocolViolation, BlamePeer, "sent unexpected_message", ""},
	}
	for _, r := range rows {
		v := classify(r.client, r.stage, r.err, r.e)
		if v.class != r.want || v.blame != r.blame || v.alert.String() != r.alert || v.reason != r.reason {
			t.Errorf("client %v, %v, %v:\ngot  %v, %v, alert %q, reason %q\nwant %v, %v, alert %q, reason %q",
				r.client, r.stage, r.err, v.class, v.blame, v.alert, v.reason, r.want, r.blame, r.alert, r.reason)
		}
		if h, ok := v.because.(tls.RecordHeaderError); ok && h.Conn != nil {
			t.Errorf("%v holds on to the connection", v.because)
		}
	}
}

// Whatever the error, there is a class, and a blame that is the class's own.
func TestClassifyAnything(t *testing.T) {
	errs := []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, os.ErrDeadlineExceeded, errors.New("tls: ?"), errors.New("?"),
		cause(syscall.ECONNRESET), cause(syscall.EPIPE), cause(syscall.ENETDOWN), tls.RecordHeaderError{}, &tls.CertificateVerificationError{Err: io.EOF}}
	rapid.Check(t, func(t *rapid.T) {
		err := rapid.SampledFrom(errs).Draw(t, "err")
		if code := rapid.Uint8().Draw(t, "code"); rapid.Bool().Draw(t, "alert") {
			err = remote(code)
			if rapid.Bool().Draw(t, "ours") {
				err = local(code)
			}
		}
		e := evidence{in: rapid.Int64Range(0, 9).Draw(t, "in"), eof: rapid.Bool().Draw(t, "eof"), refused: rapid.Bool().Draw(t, "refused")}
		stage := State(rapid.IntRange(0, int(Closing)).Draw(t, "stage"))
		client := rapid.Bool().Draw(t, "client")
		v := classify(client, stage, err, e)
		goodbye := stage >= Established && err == io.EOF && !e.eof
		if (v.class == 0) != goodbye {
			t.Fatalf("class %v for %v in %v", v.class, err, stage)
		}
		if v.class != 0 && v.because == nil {
			t.Fatalf("%v has no cause", v.class)
		}
	})
}

// FuzzAlertOnWire: records come from crypto/tls, but a parser should not mind.
func FuzzAlertOnWire(f *testing.F) {
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x2a"))
	f.Add([]byte("\x16\x03\x03\x00\x03abc\x15\x03\x03\x00\x02\x02\x30"))
	f.Add([]byte("\x15\x03\x03\x00\xff\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a := alertOnWire(b); a.Way != NoAlert && !bytes.Contains(b, []byte{0, 2}) {
			t.Errorf("%v in %x", a, b)
		}
	})
}

func TestAlertOnWire(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		"\x15\x03\x03\x00\x02\x02\x2a": "sent bad_certificate",
		"\x16\x03\x03\x00\x03abc\x15\x03\x03\x00\x02\x02\x30": "sent unknown_ca",
		"\x15\x03\x03\x00\x13" + "0123456789012345678":        "", // encrypted
		"\x15\x03\x03\x00\x02\x02":                            "", // cut
	} {
		if got := alertOnWire([]byte(in)).String(); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if a := alertIn(&net.OpError{Op: "read", Err: errors.New("?")}); a.Way != NoAlert {
		t.Errorf("%v", a)
	}
}

// A stub is a socket that gives what it was given.
type stub struct {
	net.Conn
	in     io.Reader
	closed int
}

func (s *stub) Read(b []byte) (int, error) { return s.in.Read(b) }
func (s *stub) Close() error               { s.closed++; return nil }

// An end that comes together with bytes is told after them: so whoever was told
// of it had asked for more, and what was cut is told from what was not.
func TestSpyTellsEndsLast(t *testing.T) {
	raw := &stub{in: iotest.DataErrReader(strings.NewReader("goodbye"))}
	heard := 0
	s := &spy{Conn: raw, spoken: func() { heard++ }}
	var b [7]byte
	if n, err := s.Read(b[:]); n != 7 || err != nil || s.evidence().eof {
		t.Errorf("read %d, %v, the end is told: %v", n, err, s.evidence().eof)
	}
	if n, err := s.Read(b[:]); n != 0 || err != io.EOF || !s.evidence().eof {
		t.Errorf("then %d, %v", n, err)
	}
	if e := s.evidence(); e.in != 7 || string(e.first) != "goodbye" || heard != 1 {
		t.Errorf("noted %+v, heard %d times", e, heard)
	}
}

// The socket is closed once, whoever wants it; what comes of that is no fault.
func TestSpyCloses(t *testing.T) {
	told := 0
	raw := &stub{in: iotest.ErrReader(net.ErrClosed)}
	s := &spy{Conn: raw, closed: func() { told++ }}
	for range 3 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Read(make([]byte, 1)); err != net.ErrClosed {
		t.Error(err)
	}
	if raw.closed != 1 || told != 1 || s.evidence().raw != nil {
		t.Errorf("closed %d times, told %d times, noted %v", raw.closed, told, s.evidence().raw)
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func from(host string) net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(host), Port: 1000}
}

// A few lines a minute are said, the rest is told by number, and none is lost.
func TestSampling(t *testing.T) {
	var l tally
	l.attend(func() {})
	loud := 0
	for i := range 100 {
		host := "10.0.0.1"
		if i%4 == 0 {
			host = "10.0.0.2"
		}
		if l.fault(noon.Add(time.Duration(i)*time.Millisecond), PeerGone, Hello, from(host), true) {
			loud++
		}
	}
	if !l.fault(noon, Truncated, Established, nil, true) {
		t.Error("one class keeps another from being said")
	}
	if loud != linesPerMinute {
		t.Errorf("%d lines", loud)
	}
	if out := l.overdue(noon.Add(59*time.Second), false); out != nil {
		t.Errorf("told before the minute was over: %+v", out)
	}
	out := l.overdue(noon.Add(61*time.Second), false)
	want := []suppressed{{class: PeerGone, count: 95, peers: 2, worst: "10.0.0.1", most: 72}}
	if !slices.Equal(out, want) {
		t.Errorf("told %+v, want %+v", out, want)
	}
	if out := l.overdue(noon.Add(2*time.Minute), true); out != nil {
		t.Errorf("told again: %+v", out)
	}
	if !l.fault(noon.Add(2*time.Minute), PeerGone, Hello, nil, true) {
		t.Error("a new minute has no line")
	}
	if counts, _ := l.total(); counts[PeerGone] != 101 || counts[Truncated] != 1 || len(counts) != 2 {
		t.Errorf("counted %v", counts)
	}
}

// Nothing is kept back where nobody would tell it.
func TestSamplingUnattended(t *testing.T) {
	var l tally
	for range 100 {
		if !l.fault(noon, PeerGone, Hello, nil, true) {
			t.Fatal("kept back")
		}
	}
}

// However they come, every fault is said or told by number, once.
func TestSamplingLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l tally
		l.attend(func() {})
		now, faults, said, told := noon, 0, 0, 0
		tell := func(last bool) {
			for _, s := range l.overdue(now, last) {
				told += int(s.count)
			}
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
			if rapid.IntRange(0, 9).Draw(t, "what") == 0 {
				tell(false)
				continue
			}
			faults++
			if l.fault(now, PeerGone, Hello, nil, true) {
				said++
			}
		}
		tell(true)
		if said+told != faults {
			t.Fatalf("%d faults, %d said, %d told", faults, said, told)
		}
	})
}

// Whoever looks at the tally is woken once when there is news, and may stop when
// time alone changes nothing any more.
func TestTallyWakes(t *testing.T) {
	var l tally
	l.fault(noon, PeerRejectedUs, Negotiating, nil, true)
	woken := 0
	l.attend(func() { woken++ })
	if woken != 1 {
		t.Errorf("woken %d times for what came before", woken)
	}
	for range 30 {
		l.fault(noon, PeerRejectedUs, Negotiating, nil, true)
	}
	if woken != 1 || l.settled(noon) {
		t.Errorf("woken %d times", woken)
	}
	if l.judge(noon); !l.ratios[0].on {
		t.Error("no alarm")
	}
	later := noon.Add(time.Hour)
	if l.settled(later) {
		t.Error("it has settled, and something is kept back")
	}
	l.overdue(later, false)
	if !l.settled(later) {
		t.Error("it has not settled")
	}
	l.handshook(later)
	if woken != 2 {
		t.Errorf("woken %d times: it may be the end of the alarm", woken)
	}
	if l.judge(later); l.ratios[0].on || !l.settled(later) {
		t.Error("the alarm is still on")
	}
	l.handshook(later)
	if woken != 2 {
		t.Errorf("woken %d times, for good news", woken)
	}
}

// The memory of a flood is bounded.
func TestSamplingOfAFlood(t *testing.T) {
	var l tally
	l.attend(func() {})
	for i := range 10_000 {
		l.fault(noon, Probe, Hello, from(fmt.Sprintf("10.1.%d.%d", i/250, i%250)), true)
	}
	out := l.overdue(noon, true)
	if len(out) != 1 || out[0].count != 10_000-linesPerMinute || out[0].peers != maxPeers {
		t.Errorf("told %+v", out)
	}
}

// The alarm goes on when most handshakes of the last minutes were refused, and
// off when few are; a little is no reason for either.
func TestRatio(t *testing.T) {
	var l tally
	refused := func(now time.Time, n int) {
		for range n {
			l.fault(now, PeerRejectedUs, Negotiating, nil, false)
		}
	}
	fine := func(now time.Time, n int) {
		for range n {
			l.handshook(now)
		}
	}
	expect := func(now time.Time, why string, want ...bool) {
		t.Helper()
		var got []bool
		for _, c := range l.judge(now) {
			if c.row.class != PeerRejectedUs {
				t.Errorf("%s: class %v", why, c.row.class)
			}
			got = append(got, c.on)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: alarms %v, want %v", why, got, want)
		}
	}
	refused(noon, 9)
	expect(noon, "nine refusals are too few")
	fine(noon, 9)
	expect(noon, "half is not most")
	refused(noon, 1)
	expect(noon, "ten of nineteen are most", true)
	expect(noon, "it is said once")
	later := noon.Add(4 * time.Minute)
	fine(later, 10)
	expect(later, "a third is not yet few")
	later = noon.Add(6 * time.Minute)
	expect(later, "the old ones have passed, and few are left", false)
	refused(later, 60)
	expect(later, "again", true)
	later = later.Add(time.Hour)
	expect(later, "no news is no good news")
	l.fault(later, ClientNotTLS, Hello, nil, false)
	l.fault(later, PeerGone, Hello, nil, false)
	expect(later, "what says nothing of certificates does not count")
	if changed := l.forgive(); len(changed) != 1 || changed[0].on {
		t.Errorf("forgiven: %+v", changed)
	}
	expect(later, "forgiven")
}

// A client that is refused after each handshake has been established as often as
// it was refused: it counts once.
func TestRatioOfEstablished(t *testing.T) {
	var l tally
	for range 20 {
		l.handshook(noon)
		l.fault(noon, WeWereRejected, Established, nil, false)
	}
	changed := l.judge(noon)
	if len(changed) != 1 || !changed[0].on || changed[0].these != 20 || changed[0].all != 20 {
		t.Errorf("%+v", changed)
	}
}

// The wait doubles up to its limit, and chance takes no more than half of it.
func TestBackoff(t *testing.T) {
	b := Backoff{}.withDefaults()
	want := []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000}
	for i, ms := range want {
		if got := b.span(i + 1); got != ms*time.Millisecond {
			t.Errorf("after %d failures: %v", i+1, got)
		}
	}
	if b := (Backoff{Min: time.Minute}).withDefaults(); b.Max != time.Minute {
		t.Errorf("%+v", b)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := Backoff{time.Duration(rapid.Int64Range(1, 1e9).Draw(t, "min")), time.Duration(rapid.Int64Range(1, 1e12).Draw(t, "max"))}.withDefaults()
		n := rapid.IntRange(1, 1000).Draw(t, "failures")
		if got := b.wait(n); got < b.span(n)/2 || got > b.span(n) || got > b.Max {
			t.Fatalf("%+v after %d: %v", b, n, got)
		}
	})
}

func TestDirectory(t *testing.T) {
	d := directory[int]{}
	d.enter(material{leaf: &x509.Certificate{DNSNames: []string{"Example.com", "*.example.com"}, IPAddresses: []net.IP{net.ParseIP("10.0.0.1")}}}, 1)
	d.enter(material{leaf: &x509.Certificate{DNSNames: []string{"example.com", "a.example.com", "*.b.example.com"}}}, 2)
	for name, want := range map[string]int{
		"example.com": 1, "EXAMPLE.com.": 1, "www.example.com": 1, "a.example.com": 2, "x.b.example.com": 2, "b.example.com": 1,
		"x.y.example.com": 0, "com": 0, "": 0, "10.0.0.1": 1, "10.0.0.2": 0, "*.example.com": 1, "example.com:443": 0,
	} {
		if got, ok := d.find(name); got != want || ok != (want != 0) {
			t.Errorf("%q: %d, %v, want %d", name, got, ok, want)
		}
	}
}

// What an event says of levels: those of the Spec first, then self-framing, then
// the class's own.
func TestLevels(t *testing.T) {
	f := &Fault{Class: Truncated}
	for _, row := range []struct {
		ep   *endpoint
		want process.Level
	}{
		{&endpoint{}, process.LevelWarn},
		{&endpoint{selfFraming: true}, process.LevelQuiet},
		{&endpoint{selfFraming: true, levels: map[Class]process.Level{Truncated: process.LevelError}}, process.LevelError},
		{&endpoint{levels: map[Class]process.Level{Truncated: process.LevelQuiet}}, process.LevelQuiet},
	} {
		if got := row.ep.level(f); got != row.want {
			t.Errorf("self-framing %v, levels %v: %v", row.ep.selfFraming, row.ep.levels, got)
		}
	}
}
