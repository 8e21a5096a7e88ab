package main

import (
	"bytes"
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

func has(t *testing.T, program, where string) bool {
	t.Helper()
	_, err := exec.LookPath(program)
	if err != nil {
		t.Logf("NOT RUN: %v (%s)", err, where)
	}
	return err == nil
}

// What the greeting says works, as it stands there.
func TestGrpcurlOfTheGreeting(t *testing.T) {
	if !has(t, "grpcurl", "go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest") {
		return
	}
	t.Chdir(t.TempDir())
	p := launch(t, "-delay=0")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, m := range regexp.MustCompile(`(?m)^  (grpcurl .*)$`).FindAllStringSubmatch(p.greeting, -1) {
		command, want := m[1], `"n": "5"`
		switch {
		case strings.Contains(command, "Counter/Watch"): // it would go on for ever
			command, want = strings.Replace(command, "grpcurl", "grpcurl -max-time 1", 1), "DeadlineExceeded"
		case strings.Contains(command, "Health/Watch"):
			command, want = strings.Replace(strings.Replace(command, "Health/Watch", "Health/Check", 1), "grpcurl", "grpcurl -max-time 5", 1), "SERVING"
		}
		out, _ := exec.CommandContext(ctx, "sh", "-c", command).CombinedOutput() // what it prints is what counts
		if !strings.Contains(string(out), want) {
			t.Errorf("%s\nprinted\n%s\nwant %s", command, out, want)
		}
	}
	p.stopCleanly(t)
}

// A gRPC message is one byte, four of length, and the protobuf. So curl, which knows
// HTTP/2 and nothing of gRPC, is a client.
func TestCurl(t *testing.T) {
	if !has(t, "curl", "it is in Debian's package curl") {
		return
	}
	t.Chdir(t.TempDir())
	p := launch(t, "-delay=0")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	curl := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "curl", append([]string{"-sS", "--cacert", ownCert, "-H", "Content-Type: application/grpc", "-H", "TE: trailers",
			"--data-binary", "@-", "https://" + p.addr + "/coppice.examples.Counter/Add"}, args...)...)
		cmd.Stdin = strings.NewReader("\x00\x00\x00\x00\x02\x08\x0a") // by: 5, in zigzag 10
		return cmd
	}
	for n := range 2 {
		out, err := curl().CombinedOutput()
		if want := []byte{0, 0, 0, 0, 2, 8, byte(10 * (n + 1))}; err != nil || !bytes.Equal(out, want) {
			t.Errorf("curl got %q (%v), want %q", out, err, want)
		}
	}
	// Whoever cannot speak HTTP/2 is sent away, with a line in the log; who wants
	// something else by TLS already.
	for _, args := range [][]string{{"--http1.1"}, {"--no-alpn"}} {
		if out, err := curl(args...).CombinedOutput(); err == nil {
			t.Errorf("curl %q got %q", args, out)
		}
	}
	log := p.stop(t)
	if strings.Count(log, `"level":"warn"`) != 2 || strings.Contains(log, `"level":"error"`) || strings.Count(log, errNotHTTP2.Error()) < 2 {
		t.Errorf("reported:\n%s\nwant two clients that do not speak HTTP/2", log)
	}
}
