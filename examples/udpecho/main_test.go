package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// beEcho makes the test binary run main instead of the tests.
const beEcho = "COPPICE_TEST_BE_UDPECHO"

func TestMain(m *testing.M) {
	if os.Getenv(beEcho) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// patience is how long anything may take before the test says that it hangs.
const patience = 20 * time.Second

// An echoer runs in the test's own program.
type echoer struct {
	*testing.T
	ctx  context.Context
	addr string
	app  *application.App
	rec  *processtest.Recorder
}

func start(t *testing.T, o options) *echoer {
	t.Helper()
	o.addr, o.out = "127.0.0.1:0", io.Discard
	e := &echoer{T: t, app: newEcho(o), rec: &processtest.Recorder{}}
	ctx, cancel := context.WithTimeout(processtest.Node(t, process.NodeSpec{Probe: e.rec}), patience)
	t.Cleanup(cancel)
	e.ctx = ctx
	if _, err := application.EnsureAllStarted(ctx, application.Permanent, e.app); err != nil {
		t.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, echo)
	if err != nil {
		t.Fatal(err)
	}
	e.addr = addr.String()
	return e
}

// peer is a socket of its own.
func (e *echoer) peer() net.Conn {
	e.Helper()
	c, err := net.Dial("udp", e.addr)
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { c.Close() })
	return c
}

func (e *echoer) send(c net.Conn, text string) {
	e.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		e.Fatal(err)
	}
}

// want wants that to come next.
func (e *echoer) want(c net.Conn, text string) {
	e.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		e.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	n, err := c.Read(buf)
	if err != nil || string(buf[:n]) != text {
		e.Fatalf("got %q (%v), want %q", buf[:n], err, text)
	}
}

func (e *echoer) wantPeers(n int) {
	e.Helper()
	if err := acceptor.WaitForConnections(e.ctx, echo, "==", n); err != nil {
		e.Fatalf("waiting for %d peers: %v", n, err)
	}
}

// crashes are those that were reported.
func (e *echoer) crashes() int { return len(e.rec.Events(process.Crashed)) }

// Each address has a process, which counts what comes from there.
func TestPeers(t *testing.T) {
	e := start(t, options{idle: time.Minute})
	a, b := e.peer(), e.peer()
	for _, c := range []net.Conn{a, b} {
		e.send(c, "x")
		e.want(c, "1 x")
		e.send(c, "")
		e.want(c, "2 ")
	}
	long := strings.Repeat("x", 8000)
	e.send(a, long)
	e.want(a, "3 "+long)
	e.wantPeers(2)
	if n := e.crashes(); n != 0 {
		t.Errorf("%d crashes", n)
	}
}

// The crash of one is nobody else's business.
func TestCrash(t *testing.T) {
	e := start(t, options{idle: time.Minute})
	a, b := e.peer(), e.peer()
	e.send(a, "x")
	e.want(a, "1 x")
	e.send(b, "x")
	e.want(b, "1 x")
	e.send(a, "crash\n")
	e.wantPeers(1)
	e.send(b, "y")
	e.want(b, "2 y")
	e.send(a, "y")
	e.want(a, "1 y")
	if n := e.crashes(); n != 1 {
		t.Errorf("%d crashes, want 1", n)
	}
}

// Who is silent is forgotten.
func TestIdle(t *testing.T) {
	e := start(t, options{idle: 20 * time.Millisecond})
	c := e.peer()
	for range 2 {
		e.send(c, "x")
		e.want(c, "1 x")
		e.wantPeers(0)
	}
	info, err := acceptor.GetInfo(e.ctx, echo)
	if err != nil || info.Ends["idle"] != 2 {
		t.Errorf("ends %v (%v), want 2 for silence", info.Ends, err)
	}
}

// There are so many peers and no more.
func TestFull(t *testing.T) {
	e := start(t, options{idle: time.Minute, peers: 1})
	a, b := e.peer(), e.peer()
	e.send(a, "x")
	e.want(a, "1 x")
	e.send(b, "x")
	for refused := uint64(0); refused == 0; {
		info, err := acceptor.GetInfo(e.ctx, echo)
		if err != nil {
			t.Fatal(err)
		}
		refused = info.Refused
	}
	e.send(a, "y")
	e.want(a, "2 y")
	e.wantPeers(1)
}

// A stop says goodbye to everybody.
func TestStop(t *testing.T) {
	e := start(t, options{idle: time.Minute})
	all := []net.Conn{e.peer(), e.peer(), e.peer()}
	for _, c := range all {
		e.send(c, "x")
		e.want(c, "1 x")
	}
	if err := application.Stop(e.ctx, e.app); err != nil {
		t.Error(err)
	}
	for _, c := range all {
		e.want(c, "goodbye\n")
		e.send(c, "still there?")
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("after the stop: %v, want that nobody listens", err)
		}
	}
	if n := e.crashes(); n != 0 {
		t.Errorf("%d crashes", n)
	}
}

// The program, with the client that its first lines name.
func TestNetcat(t *testing.T) {
	if _, err := exec.LookPath("nc"); err != nil {
		t.Logf("NOT RUN: %v (it is in Debian's package netcat-openbsd)", err)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	program := exec.CommandContext(ctx, os.Args[0], "-addr=127.0.0.1:0")
	program.Env = append(os.Environ(), beEcho+"=1")
	var log bytes.Buffer
	program.Stderr = &log
	stdout, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	command, found := "", false
	for greeting := bufio.NewScanner(stdout); !found; command, found = strings.CutPrefix(greeting.Text(), "  ") {
		if !greeting.Scan() {
			t.Fatalf("no command in the greeting: %v", greeting.Err())
		}
	}
	nc := exec.CommandContext(ctx, "sh", "-c", "exec "+command)
	in, err := nc.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := nc.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, want := range []string{"1 good morning", "2 good morning"} {
		if _, err := io.WriteString(in, "good morning\n"); err != nil || !lines.Scan() || lines.Text() != want {
			t.Errorf("there came back %q (%v), want %q", lines.Text(), errors.Join(err, lines.Err()), want)
		}
	}
	if err := program.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "goodbye" {
		t.Errorf("at the stop there came %q (%v), want goodbye", lines.Text(), lines.Err())
	}
	if err := program.Wait(); err != nil || strings.Contains(log.String(), `"level":"error"`) {
		t.Errorf("the program ended with %v\n%s", err, &log)
	}
	if err := nc.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = nc.Wait() // that it was killed is no news
}
