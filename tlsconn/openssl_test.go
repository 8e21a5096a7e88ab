package tlsconn_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
)

// installed reports whether a program is here. A test that needs it says that it
// was not run.
func installed(t *testing.T, program, debian string) bool {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Logf("NOT RUN: %v (it is in Debian's package %s)", err, debian)
		return false
	}
	return true
}

// A stranger is openssl as a client: no line of it is Go's.
type stranger struct {
	*house
	*world
	args []string // of every run
}

func newStranger(t *testing.T, spec tlsconn.Spec) *stranger {
	t.Helper()
	w := newWorld()
	spec.Name, spec.Files = "front", filesOf(t, w.server, spec.ClientAuth, w.clientRoot)
	h := build(t, spec)
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	return &stranger{h, w, []string{"s_client", "-connect", h.addr.String(), "-servername", "localhost",
		"-verify_return_error", "-CAfile", pki.WriteFile(t, t.TempDir(), "root.crt", w.root.PEM())}}
}

// says has openssl connect, send a line, wait until it is sent back, and leave. It
// returns what openssl tells of the connection, and ours.
func (s *stranger) says(args ...string) (told string, conn *tlsconn.Conn) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", append(slices.Clone(s.args), args...)...)
	in, err := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err = errors.Join(err, err2, cmd.Start()); err != nil {
		s.Fatal(err)
	}
	const line = "how do you do\n"
	if _, err := io.WriteString(in, line); err != nil {
		s.Error(err)
	}
	var all []byte
	for b := make([]byte, 4096); err == nil; {
		var n int
		n, err = out.Read(b)
		if all = append(all, b[:n]...); bytes.Contains(all, []byte(line)) { // it may be within a line of openssl's
			in.Close() // so it leaves
		}
	}
	told = string(all)
	if err := cmd.Wait(); err != nil || !strings.Contains(told, line) {
		s.Fatalf("openssl %q: %v\n%s\n%s", args, err, told, &complaints)
	}
	if reason := <-s.ended; !errors.Is(reason, io.EOF) {
		s.Errorf("openssl %q: the connection ended with %v, want a goodbye", args, reason)
	}
	return told, <-s.opened
}

// tells wants what openssl says of a connection.
func (s *stranger) tells(told string, want ...string) {
	s.Helper()
	for _, w := range want {
		if !regexp.MustCompile("(?m)^ *" + w).MatchString(told) {
			s.Errorf("openssl does not say %q:\n%s", w, told)
		}
	}
}

// unharmed wants no fault to have been counted or told.
func (s *stranger) unharmed() {
	s.Helper()
	s.info()
	if n := len(s.house.server.Counts()); n > 0 {
		s.Errorf("counted %v", s.house.server.Counts())
	}
}

var opensslVersions = []struct {
	flag, name string
	version    uint16
}{{"-tls1_2", `TLSv1\.2`, tls.VersionTLS12}, {"-tls1_3", `TLSv1\.3`, tls.VersionTLS13}}

func TestOpenSSL(t *testing.T) {
	if !installed(t, "openssl", "openssl") {
		return
	}
	for _, v := range opensslVersions {
		t.Run(tls.VersionName(v.version), func(t *testing.T) {
			s := newStranger(t, tlsconn.Spec{ALPN: []string{"mqtt", "http/1.1"}})
			told, conn := s.says(v.flag, "-alpn", "gopher,http/1.1")
			s.tells(told, "New, "+v.name+", Cipher is ", `Verify return code: 0 \(ok\)`, `ALPN protocol: http/1\.1`)
			if state := conn.ConnectionState(); state.Version != v.version || state.NegotiatedProtocol != "http/1.1" || state.ServerName != "localhost" {
				t.Errorf("state %+v", state)
			}
			s.unharmed()
		})
	}
}

// A client with a certificate is known by it; one without is refused, and told why.
func TestOpenSSLMutual(t *testing.T) {
	if !installed(t, "openssl", "openssl") {
		return
	}
	for _, v := range opensslVersions {
		t.Run(tls.VersionName(v.version), func(t *testing.T) {
			s := newStranger(t, tlsconn.Spec{ClientAuth: tlsconn.RequireClientCert})
			alice := s.clientRoot.Client("alice")
			files := alice.Write(t, t.TempDir())
			told, conn := s.says(v.flag, "-cert", files.Cert, "-key", files.Key)
			s.tells(told, "New, "+v.name, `Verify return code: 0 \(ok\)`, "Acceptable client certificate CA names")
			if who, ok := conn.Peer(); !ok || who.CommonName != "alice" || who.Serial != alice.SerialNumber.Text(16) {
				t.Errorf("the client is %+v, %v", who, ok)
			}
			s.unharmed()

			// Its standard input is empty, so it would leave at once if it could.
			out, err := exec.Command("openssl", append(slices.Clone(s.args), v.flag, "-ign_eof")...).CombinedOutput()
			f := faultOf(t, <-s.ended)
			if f.Class != tlsconn.ClientNotTrusted || f.Reason != "missing" {
				t.Errorf("without a certificate: %v", f)
			}
			if want := "alert " + strings.ReplaceAll(f.Alert.Name(), "_", " "); err == nil || !strings.Contains(string(out), want) {
				t.Errorf("openssl does not say %q: %v\n%s", want, err, out)
			}
		})
	}
}

// Sessions are resumed by those who did not learn it from Go.
func TestOpenSSLResumption(t *testing.T) {
	if !installed(t, "openssl", "openssl") {
		return
	}
	for _, v := range opensslVersions {
		t.Run(tls.VersionName(v.version), func(t *testing.T) {
			s := newStranger(t, tlsconn.Spec{})
			session := filepath.Join(t.TempDir(), "session")
			told, conn := s.says(v.flag, "-sess_out", session)
			s.tells(told, "New, "+v.name)
			if conn.ConnectionState().DidResume {
				t.Error("resumed the first time")
			}
			told, conn = s.says(v.flag, "-sess_in", session)
			s.tells(told, "Reused, "+v.name)
			if !conn.ConnectionState().DidResume {
				t.Error("not resumed")
			}
			s.unharmed()
		})
	}
	s := newStranger(t, tlsconn.Spec{NoTickets: true})
	for _, v := range opensslVersions {
		if told, _ := s.says(v.flag); strings.Contains(told, "TLS session ticket:") {
			t.Errorf("%s: a ticket, in spite of NoTickets:\n%s", v.flag, told)
		}
	}
}

// The keys in the log are those that the client has.
func TestOpenSSLKeyLog(t *testing.T) {
	if !installed(t, "openssl", "openssl") {
		return
	}
	ours, theirs := filepath.Join(t.TempDir(), "ours"), filepath.Join(t.TempDir(), "theirs")
	s := newStranger(t, tlsconn.Spec{KeyLog: ours})
	for _, v := range opensslVersions {
		s.says(v.flag, "-keylogfile", theirs)
	}
	got, want := keyLines(t, ours), keyLines(t, theirs)
	if len(got) < 5 { // one of TLS 1.2, four of TLS 1.3
		t.Errorf("%d keys", len(got))
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("our log has %q, openssl's does not", line)
		}
	}
	if info, err := os.Stat(ours); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// And it was told.
	warned := s.rec.Events(process.Warned)
	if len(warned) != 1 || warned[0].Level != process.LevelWarn || !strings.Contains(warned[0].Text, "KeyLog is set") {
		t.Errorf("warned: %v", warned)
	}
}

// keyLines are the lines of a key log, without comments.
func keyLines(t *testing.T, path string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, strings.ToLower(line))
		}
	}
	return lines
}
