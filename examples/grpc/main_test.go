package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/examples/grpc/counter"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// beGRPC makes the test binary run main instead of the tests.
const beGRPC = "COPPICE_TEST_BE_GRPC"

func TestMain(m *testing.M) {
	if os.Getenv(beGRPC) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// patience is how long anything may take before the test says that it hangs.
const patience = 20 * time.Second

// A site is a service in the test's own program.
type site struct {
	*testing.T
	ctx  context.Context
	addr string
	app  *application.App
	rec  *processtest.Recorder
}

// start runs a service until the test ends, in a folder of its own.
func start(t *testing.T, edit func(*options)) *site {
	t.Helper()
	t.Chdir(t.TempDir())
	o := options{addr: "127.0.0.1:0", out: io.Discard}
	if edit != nil {
		edit(&o)
	}
	if err := o.prepare(time.Now()); err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, app: newCounter(o), rec: &processtest.Recorder{}}
	ctx, cancel := context.WithTimeout(processtest.Node(t, process.NodeSpec{Probe: s.rec}), patience)
	t.Cleanup(cancel)
	s.ctx = ctx
	if _, err := application.EnsureAllStarted(ctx, application.Permanent, s.app); err != nil {
		t.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, rpc)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = addr.String()
	return s
}

// wantQuiet wants nothing in the log that somebody would have to look at.
func (s *site) wantQuiet() {
	s.Helper()
	for _, e := range s.rec.Events(0) {
		if e.Level >= process.LevelWarn {
			s.Errorf("reported: %v %s: %v", e.Level, e.Text, e.Reason)
		}
	}
}

// dial makes a client, which connects when it is first used. cert is its own; nil:
// none.
func dial(t *testing.T, addr string, cert *pki.Cert) *grpc.ClientConn {
	t.Helper()
	pem, err := os.ReadFile(ownCert)
	if err != nil {
		t.Fatal(err)
	}
	conf := &tls.Config{RootCAs: x509.NewCertPool()}
	conf.RootCAs.AppendCertsFromPEM(pem)
	if cert != nil {
		pair := cert.TLS()
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	c, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(conf)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// add adds, and wants that to make n.
func add(t *testing.T, c *grpc.ClientConn, by, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := counter.NewCounterClient(c).Add(ctx, &counter.AddRequest{By: by}, grpc.WaitForReady(true))
	if err != nil || got.GetN() != n {
		t.Errorf("adding %d gives %v (%v), want %d", by, got, err, n)
	}
}

// A watch is a stream; next wants what comes next.
type watch struct {
	t *testing.T
	s grpc.ServerStreamingClient[counter.Total]
}

func watching(t *testing.T, c *grpc.ClientConn) watch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	s, err := counter.NewCounterClient(c).Watch(ctx, &counter.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return watch{t, s}
}

func (w watch) next(n int64, by string) {
	w.t.Helper()
	got, err := w.s.Recv()
	if err != nil || got.GetN() != n || got.GetBy() != by {
		w.t.Errorf("it is %v (%v), want %d by %q", got, err, n, by)
	}
}

func (w watch) ends(code codes.Code, text string) {
	w.t.Helper()
	got, err := w.s.Recv()
	wantStatus(w.t, err, code, text)
	if err == nil {
		w.t.Errorf("it is %v, want the end", got)
	}
}

func wantStatus(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if s, ok := status.FromError(err); !ok || s.Code() != code || !strings.Contains(s.Message(), text) {
		t.Errorf("got %v, want %v with %q", err, code, text)
	}
}

// eventually tries again and again.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not so after %v: %s: %v", patience, what, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// serving is what the health service says.
func serving(t *testing.T, c *grpc.ClientConn) (healthpb.HealthCheckResponse_ServingStatus, error) {
	r, err := healthpb.NewHealthClient(c).Check(t.Context(), &healthpb.HealthCheckRequest{})
	return r.GetStatus(), err
}

// A program is the service as a program of its own.
type program struct {
	*exec.Cmd
	addr     string
	greeting string
	log      bytes.Buffer
}

// launch starts the program in the present folder, and waits for its greeting.
func launch(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel) // kills it if it still runs
	p := &program{Cmd: exec.CommandContext(ctx, os.Args[0], append([]string{"-addr=127.0.0.1:0"}, args...)...)}
	p.Env = append(os.Environ(), beGRPC+"=1")
	p.Stderr = &p.log
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

// stop asks the program to stop, wants that to go well, and returns its log.
func (p *program) stop(t *testing.T) string {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the program ended with: %v\n%s", err, &p.log)
	}
	return p.log.String()
}

// stopCleanly wants it to stop with nothing to complain of.
func (p *program) stopCleanly(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(p.stop(t)) {
		if !strings.Contains(line, `"level":"info"`) {
			t.Errorf("reported: %s", line)
		}
	}
}
