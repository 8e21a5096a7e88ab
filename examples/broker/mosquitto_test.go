package main

import (
	"bufio"
	"context"
	"net"
	"os/exec"
	"slices"
	"testing"

	"github.com/coppice-go/coppice/internal/pki"
)

// The same as the tests with the Paho client show, with the programs that the first
// lines of our output name.
func TestMosquittoClients(t *testing.T) {
	for _, program := range []string{"mosquitto_sub", "mosquitto_pub"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("NOT RUN: %v (it is in Debian's package mosquitto-clients)", err)
			return
		}
	}
	t.Run("TCP", func(t *testing.T) { mosquitto(t, startBroker(t)) })
	t.Run("TLS", func(t *testing.T) {
		files := pki.CA("root").Server("127.0.0.1").Write(t, t.TempDir())
		addr := startSecure(t, options{cert: files.Cert, key: files.Key, ca: files.CA}, anything)
		mosquitto(t, addr, "--cafile", files.CA)
	})
}

// mosquitto plays the clients; more is what each of them is told besides.
func mosquitto(t *testing.T, addr string, more ...string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel() // kills who is still running
	command := func(program string, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, program, slices.Concat([]string{"-h", host, "-p", port}, more, args)...)
	}
	pub := func(args ...string) {
		t.Helper()
		if out, err := command("mosquitto_pub", args...).CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_pub %q: %v\n%s", args, err, out)
		}
	}

	_, want := subscriber(t, command("mosquitto_sub", "-v", "-q", "1", "-t", "hello/+", "-t", "wills/#", "-t", "ready"))
	pub("-r", "-t", "ready", "-m", "yes")
	want("ready yes", "it is subscribed, or was when this was retained")

	pub("-q", "1", "-t", "hello/world", "-m", "hi")
	want("hello/world hi", "a message")
	pub("-t", "hello/a/b", "-m", "too deep")
	pub("-t", "hello/again", "-m", "hi")
	want("hello/again hi", "a wildcard is one level")

	killed, wantKilled := subscriber(t, command("mosquitto_sub", "-t", "ready", "--will-topic", "wills/killed", "--will-payload", "gone"))
	wantKilled("yes", "it was retained, and now we know that the client is connected")
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	want("wills/killed gone", "the will of a killed client")
}

// subscriber starts a mosquitto_sub; want waits for the next line that it prints.
func subscriber(t *testing.T, cmd *exec.Cmd) (_ *exec.Cmd, want func(line, why string)) {
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It runs until it is killed, and what Wait says is only that.
	t.Cleanup(func() { _ = cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	return cmd, func(line, why string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != line {
			t.Fatalf("mosquitto_sub printed %q (%v), want %q: %s", lines.Text(), lines.Err(), line, why)
		}
	}
}
