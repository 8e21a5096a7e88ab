package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// beHTTPS makes the test binary run main instead of the tests.
const beHTTPS = "COPPICE_TEST_BE_HTTPS"

func TestMain(m *testing.M) {
	if os.Getenv(beHTTPS) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// patience is how long anything may take before the test says that it hangs.
const patience = 20 * time.Second

// A service runs in the test's own program.
type service struct {
	ctx context.Context
	url string
	app *application.App
	rec *processtest.Recorder
}

// start runs a service until the test ends, with a certificate of its own in a folder
// of its own, unless edit says otherwise. What clients trust is in trust.
func start(t *testing.T, edit func(*options)) *service {
	t.Helper()
	t.Chdir(t.TempDir())
	o := options{addr: "127.0.0.1:0", reload: 10 * time.Millisecond, out: io.Discard}
	if edit != nil {
		edit(&o)
	}
	if err := o.prepare(time.Now()); err != nil {
		t.Fatal(err)
	}
	s := &service{app: newWeb(o), rec: &processtest.Recorder{}}
	s.ctx = processtest.Node(t, process.NodeSpec{Probe: s.rec})
	if _, err := application.EnsureAllStarted(s.ctx, application.Permanent, s.app); err != nil {
		t.Fatal(err)
	}
	addr, err := acceptor.Addr(s.ctx, web)
	if err != nil {
		t.Fatal(err)
	}
	s.url = "https://" + addr.String()
	return s
}

// wantQuiet wants nothing in the log that somebody would have to look at.
func (s *service) wantQuiet(t *testing.T) {
	t.Helper()
	for _, e := range s.rec.Events(0) {
		if e.Level >= process.LevelWarn {
			t.Errorf("reported: %v %s: %v", e.Level, e.Text, e.Reason)
		}
	}
}

// client trusts what is in the file.
func client(t *testing.T, trust string, edit ...func(*http.Transport)) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(trust)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("no certificate in %s", trust)
	}
	tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}
	for _, e := range edit {
		e(tr)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

func onlyHTTP1(tr *http.Transport) { tr.ForceAttemptHTTP2 = false }

func withCert(c *pki.Cert) func(*http.Transport) {
	return func(tr *http.Transport) {
		cert := c.TLS()
		tr.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
}

// get returns the status of an answer and its text.
func get(c *http.Client, url string) (int, string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// want asks for a page that begins like this.
func want(t *testing.T, c *http.Client, url string, status int, begin string) string {
	t.Helper()
	got, text, err := get(c, url)
	if err != nil || got != status || !strings.HasPrefix(text, begin) {
		t.Errorf("GET %s: %d %q (%v), want %d %q", url, got, text, err, status, begin)
	}
	return text
}

// A program is the service as a program of its own.
type program struct {
	*exec.Cmd
	addr     string
	greeting string
	stderr   bytes.Buffer
}

// launch starts the program in the present folder, and waits for its greeting.
func launch(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel) // kills it if it still runs
	p := &program{Cmd: exec.CommandContext(ctx, os.Args[0], append([]string{"-addr=127.0.0.1:0"}, args...)...)}
	p.Env = append(os.Environ(), beHTTPS+"=1")
	p.Cmd.Stderr = &p.stderr
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for !strings.Contains(p.greeting, "Ctrl-C") {
		if !lines.Scan() {
			t.Fatalf("no greeting, but %q and %q", p.greeting, p.stop(t))
		}
		p.greeting += lines.Text() + "\n"
	}
	_, rest, _ := strings.Cut(p.greeting, "listens on ")
	p.addr, _, _ = strings.Cut(rest, ". ")
	return p
}

// stop asks the program to stop, and returns what it had to say in all.
func (p *program) stop(t *testing.T) string {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the program ended with: %v\n%s", err, &p.stderr)
	}
	return p.stderr.String()
}

// A report is one line of its log.
type report struct{ Level, Class, Message, line string }

// reports are the lines of a log that are above a level of info.
func reports(log string) (loud []report) {
	for line := range strings.Lines(log) {
		r := report{line: line}
		// What is no report has no level, and is judged by that.
		_ = json.Unmarshal([]byte(line), &r)
		if r.Level != "info" {
			loud = append(loud, r)
		}
	}
	return loud
}

// stopCleanly wants it to stop with nothing to complain of.
func (p *program) stopCleanly(t *testing.T) {
	t.Helper()
	for _, r := range reports(p.stop(t)) {
		t.Errorf("reported: %s", r.line)
	}
}

// put puts a certificate and its key where a service looks for them.
func put(t *testing.T, c *pki.Cert, cert, key string) {
	t.Helper()
	pki.WriteFile(t, filepath.Dir(cert), filepath.Base(cert), c.ChainPEM())
	pki.WriteFile(t, filepath.Dir(key), filepath.Base(key), c.KeyPEM())
}
