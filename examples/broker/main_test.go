package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// startBroker runs a broker of the test's own until the test ends. The test fails if
// the broker has to report an error.
func startBroker(t *testing.T) (addr string) {
	t.Helper()
	rec := &processtest.Recorder{}
	t.Cleanup(func() { // after the node has stopped
		for _, e := range rec.Events(0) {
			if e.Level == process.LevelError {
				t.Errorf("reported: %v %v %s: %v", e.Kind, e.PID, e.Text, e.Reason)
			}
		}
	})
	ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
	return startOn(t, ctx, options{tcp: "127.0.0.1:0", out: io.Discard})
}

func startOn(t *testing.T, ctx context.Context, o options) (addr string) {
	t.Helper()
	if _, err := application.EnsureAllStarted(ctx, application.Permanent, newBroker(o)); err != nil {
		t.Fatal(err)
	}
	at, err := acceptor.Addr(ctx, process.Name(listener))
	if err != nil {
		t.Fatal(err)
	}
	return at.String()
}

// beBroker makes the test binary run main instead of the tests.
const beBroker = "COPPICE_TEST_BE_BROKER"

func TestMain(m *testing.M) {
	if os.Getenv(beBroker) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// A broker that cannot have its port says so, once in each report, and leaves nothing
// behind: not even an error about closing what it had not opened.
func TestPortInUse(t *testing.T) {
	addr := startBroker(t)
	rec := &processtest.Recorder{}
	ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
	_, err := application.EnsureAllStarted(ctx, application.Temporary, newBroker(options{tcp: addr, out: io.Discard}))
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), addr) {
		t.Errorf("got %v, want %v and the address", err, syscall.EADDRINUSE)
	}
	for _, e := range rec.Events(0) {
		if e.Level == process.LevelError && !errors.Is(e.Reason, syscall.EADDRINUSE) {
			t.Errorf("reported: %s: %v", e.Text, e.Reason)
		}
	}
}
