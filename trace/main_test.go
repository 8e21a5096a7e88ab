package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs a test on a node of its own, with a clock of its own. The node is
// stopped at the end, unless the test has done that.
func bubble(t *testing.T, test func(t *testing.T, node *process.Node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		node := process.NewNode(process.NodeSpec{Name: "test"})
		defer func() {
			if err := node.Stop(context.Background()); err != nil {
				t.Errorf("node.Stop: %v", err)
			}
		}()
		test(t, node)
	})
}

// traced is bubble with a tracer that writes JSON to a buffer.
func traced(t *testing.T, test func(t *testing.T, node *process.Node, log *buffer)) {
	t.Helper()
	bubble(t, func(t *testing.T, node *process.Node) {
		var log buffer
		start(t, node, Options{Output: &log, Form: JSON})
		test(t, node, &log)
	})
}

func start(t *testing.T, node *process.Node, o Options) process.PID {
	t.Helper()
	pid, err := Start(node.Context(), o)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	return pid
}

// A buffer may be written and read at the same time.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// records decodes what has been written once everything is at rest.
func (b *buffer) records(t *testing.T) (all []map[string]any) {
	t.Helper()
	synctest.Wait()
	for line := range strings.Lines(b.String()) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("line %q is no JSON: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

// only returns the one record that there should be.
func (b *buffer) only(t *testing.T) map[string]any {
	t.Helper()
	all := b.records(t)
	if len(all) != 1 {
		t.Fatalf("%d records written, want 1:\n%s", len(all), b)
	}
	return all[0]
}

// A worker does what its messages say.
type worker struct{}

func (worker) Init(context.Context) error { return nil }

func (worker) Handle(ctx context.Context, msg any) error {
	if do, ok := msg.(interface{ do(context.Context) error }); ok {
		return do.do(ctx)
	}
	return nil
}

func (worker) Terminate(context.Context, error) error { return nil }

// Messages for a worker.
type (
	fail   struct{ Err error }
	divide struct{ A, B int }
	greet  struct{ Name string }
	relay  struct{ To process.PID }
)

func (m fail) do(context.Context) error { return m.Err }

func (m divide) do(context.Context) error { _ = m.A / m.B; return nil }

func (m relay) do(ctx context.Context) error { return process.Send(ctx, m.To, greet{"from afar"}) }

// worker starts one below the node's root; its crash is nobody else's.
func startWorker(t *testing.T, ctx context.Context, id string) process.PID {
	t.Helper()
	pid, err := process.Start(process.WithBirth(ctx, process.Birth{ID: id}), process.Spec{Kind: "worker", Behaviour: worker{}})
	if err != nil {
		t.Fatalf("start of %s: %v", id, err)
	}
	return pid
}

func send(t *testing.T, ctx context.Context, to process.PID, msg any) {
	t.Helper()
	if err := process.Send(ctx, to, msg); err != nil {
		t.Fatalf("send %v to %v: %v", msg, to, err)
	}
}

// crash starts a worker and has it fail. It returns when the worker is gone.
func crash(t *testing.T, node *process.Node, id string, msg any) process.PID {
	t.Helper()
	pid := startWorker(t, node.Context(), id)
	send(t, node.Context(), pid, msg)
	ctx, cancel := context.WithTimeout(node.Context(), time.Second)
	defer cancel()
	if _, err := process.Wait(ctx, pid); err != nil {
		t.Fatalf("%v did not die: the tracer stalls the tree: %v", pid, err)
	}
	return pid
}

// A gate is a writer that does not return until it is opened.
type gate struct {
	out    io.Writer
	opened chan struct{}
}

func newGate(out io.Writer) *gate { return &gate{out, make(chan struct{})} }

func (g *gate) Write(p []byte) (int, error) {
	<-g.opened
	return g.out.Write(p)
}

func (g *gate) open() { close(g.opened) }

var errDisk = errors.New("disk is full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errDisk }

type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("no output") }
