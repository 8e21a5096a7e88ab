package trace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/coppice-go/coppice/process"
)

// What is queued when the node stops is written before Node.Stop returns.
func TestStopWritesWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := process.NewNode(process.NodeSpec{})
		var log buffer
		out := newGate(&log)
		start(t, node, Options{Output: out, Form: JSON})
		const crashes = 20
		for i := range crashes {
			crash(t, node, fmt.Sprint("worker", i), fail{errDisk})
		}
		time.AfterFunc(time.Second, out.open) // the node is stopping by then
		if err := node.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(log.String(), "\n"); n != crashes {
			t.Errorf("%d reports written when Stop returned, want %d", n, crashes)
		}
	})
}

// It is stopped last, so it hears what others have to say while they stop.
func TestStopReportsOfOthersAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := process.NewNode(process.NodeSpec{})
		var log buffer
		start(t, node, Options{Output: &log, Form: JSON})
		_, err := process.Start(node.Context(), process.Spec{TrapExit: true, Behaviour: lastWords{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := node.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if r := log.only(t); r["reason"] != "disk is full" {
			t.Errorf("reported %v, want what Terminate returned", r["reason"])
		}
	})
}

// lastWords fails on the way out.
type lastWords struct{ worker }

func (lastWords) Terminate(context.Context, error) error { return errDisk }

// A log that does not take what it is given holds nobody up, and what it misses
// is counted.
func TestBlockedWriterDoesNotStallTheTree(t *testing.T) {
	bubble(t, func(t *testing.T, node *process.Node) {
		var log buffer
		out := newGate(&log)
		start(t, node, Options{Output: out, Form: JSON})
		began := time.Now()
		const crashes = maxQueued + 200
		for i := range crashes {
			crash(t, node, fmt.Sprint("worker", i), fail{errDisk})
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("the tree took %v, want no time at all", took)
		}
		out.open()
		written, dropped := 0, 0
		for _, r := range log.records(t) {
			if r["event"] == "dropped" {
				dropped += int(r["dropped"].(float64))
			} else {
				written++
			}
		}
		// What was taken out of the queue before the first Write blocked is
		// written too.
		if written <= maxQueued || written+dropped != crashes {
			t.Errorf("%d written and %d dropped of %d, want more than %d written and the rest counted", written, dropped, crashes, maxQueued)
		}
	})
}

// A log that never comes back is named by what it does hold up: the stop.
func TestStopNamesABlockedWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := process.NewNode(process.NodeSpec{})
		out := newGate(&buffer{})
		pid := start(t, node, Options{Output: out})
		crash(t, node, "worker", fail{errDisk})
		began := time.Now()
		err := node.Stop(context.Background())
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("Stop took %v, want what one process may take", took)
		}
		if err == nil || !strings.Contains(err.Error(), pid.String()) {
			t.Errorf("Stop returns %v, want an error that names %v", err, pid)
		}
		out.open()
		synctest.Wait()
	})
}

// What cannot be written goes to standard error instead.
func TestFailingWriter(t *testing.T) {
	for name, out := range map[string]interface{ Write([]byte) (int, error) }{"fails": failing{}, "panics": panicking{}} {
		var instead buffer
		g := &guard{out: out, instead: &instead}
		if n, err := g.Write([]byte("the report\n")); n != 11 || err != nil {
			t.Errorf("%s: Write returns %d, %v, want all and no error", name, n, err)
		}
		if got := instead.String(); !strings.Contains(got, "the report") || !strings.Contains(got, "cannot write") {
			t.Errorf("%s: %q is written instead, want the report and what is wrong", name, got)
		}
	}
	both := &guard{out: failing{}, instead: panicking{}}
	if _, err := both.Write(nil); err != nil {
		t.Errorf("both fail: Write returns %v, want no error", err)
	}
}

// Whoever kills the writer gets another with the next report.
func TestKilledWriterComesBack(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		pid, _ := process.Whereis(node.Context(), name)
		if err := process.Kill(node.Context(), pid); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		crash(t, node, "worker", fail{errDisk})
		all := log.records(t)
		if len(all) != 2 {
			t.Fatalf("%d records, want the crash and the news of another writer:\n%s", len(all), log)
		}
		if all[0]["reason"] != "disk is full" || all[1]["level"] != "warn" {
			t.Errorf("got %v, then %v; want the crash, then a warning", all[0], all[1])
		}
		again, ok := process.Whereis(node.Context(), name)
		if !ok || again == pid {
			t.Errorf("the writer is %v, want another than %v", again, pid)
		}
		crash(t, node, "worker", fail{errDisk})
		if all = log.records(t); len(all) != 3 {
			t.Errorf("%d records after the next crash, want 3", len(all))
		}
	})
}

// Killed in the middle of a Write, it must first be gone: then the reports that
// came meanwhile are written by the next.
func TestWriterKilledWhileBlocked(t *testing.T) {
	bubble(t, func(t *testing.T, node *process.Node) {
		var log buffer
		out := newGate(&log)
		pid := start(t, node, Options{Output: out, Form: JSON})
		crash(t, node, "first", fail{errDisk})
		synctest.Wait()
		if err := process.Kill(node.Context(), pid); err != nil {
			t.Fatal(err)
		}
		crash(t, node, "second", fail{errDisk})
		out.open()
		paths := ""
		for _, r := range log.records(t) {
			paths += fmt.Sprintln(r["path"], r["level"])
		}
		for _, path := range []string{"first error", "second error", "trace warn"} {
			if strings.Count(paths, path) != 1 {
				t.Errorf("records are of\n%swant %s once", paths, path)
			}
		}
	})
}

// A tracer that was stopped stays stopped, also when a stream of its ends later.
func TestStoppedTracerDoesNotComeBack(t *testing.T) {
	bubble(t, func(t *testing.T, node *process.Node) {
		var log, again buffer
		pid := start(t, node, Options{Output: &log, Form: JSON})
		s, _ := streaming(t, node, StreamSpec{Kinds: process.Sent})
		if err := process.Stop(node.Context(), pid, nil); err != nil {
			t.Fatal(err)
		}
		start(t, node, Options{Output: &again, Form: JSON})
		if _, err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		crash(t, node, "worker", fail{errDisk})
		again.only(t)
		if got := log.records(t); len(got) > 0 {
			t.Errorf("the tracer that was stopped has written %v", got)
		}
	})
}

// Next sees all that it wants, and nothing else.
func TestNext(t *testing.T) {
	bubble(t, func(t *testing.T, node *process.Node) {
		next := &collector{wants: process.Spawned | process.Crashed}
		start(t, node, Options{Output: &buffer{}, Next: next})
		crash(t, node, "worker", fail{errDisk})
		if got, want := fmt.Sprint(next.kinds), "[spawned crashed]"; got != want {
			t.Errorf("next is told of %s, want %s", got, want)
		}
	})
}

type collector struct {
	wants process.Kind
	kinds []process.Kind // written by one process after the other
}

func (c *collector) Wants() process.Kind    { return c.wants }
func (c *collector) Event(ev process.Event) { c.kinds = append(c.kinds, ev.Kind) }

func TestStartRefuses(t *testing.T) {
	if _, err := Start(context.Background(), Options{}); !errors.Is(err, process.ErrNoNode) {
		t.Errorf("without a node: %v, want ErrNoNode", err)
	}
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		_, err := Start(node.Context(), Options{})
		if err == nil || !strings.Contains(err.Error(), "start one only") {
			t.Errorf("second tracer: %v, want a refusal with the cure", err)
		}
		crash(t, node, "worker", fail{errDisk})
		log.only(t) // the first is unharmed
	})
	bubble(t, func(t *testing.T, node *process.Node) {
		log := zerolog.Nop()
		_, err := Start(node.Context(), Options{Form: 7, Logger: &log, Output: &buffer{}})
		for _, want := range []string{"Form is 7", "Logger is set"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("bad options: %v, want all faults, among them %q", err, want)
			}
		}
	})
}

// Nodes do not know each other, and neither do their tracers.
func TestTwoNodes(t *testing.T) {
	traced(t, func(t *testing.T, one *process.Node, log *buffer) {
		other := process.NewNode(process.NodeSpec{Name: "other"})
		defer other.Stop(context.Background())
		var log2 buffer
		start(t, other, Options{Output: &log2, Form: JSON})
		crash(t, other, "worker", fail{errDisk})
		if r := log2.only(t); r["node"] != "other" {
			t.Errorf("reported of node %v, want other", r["node"])
		}
		if got := log.records(t); len(got) > 0 {
			t.Errorf("the first node reports the second's crash: %v", got)
		}
	})
}

// Ten thousand crashes at once: each is written or counted.
func TestManyCrashesAtOnce(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		const crashes = 10_000
		var all []process.PID
		for i := range crashes {
			all = append(all, startWorker(t, node.Context(), fmt.Sprint(i)))
		}
		for _, pid := range all {
			send(t, node.Context(), pid, fail{errDisk})
		}
		seen := 0
		for _, r := range log.records(t) {
			if n, ok := r["dropped"]; ok {
				seen += int(n.(float64))
			} else {
				seen++
			}
		}
		if seen != crashes {
			t.Errorf("%d crashes written or counted, want %d", seen, crashes)
		}
	})
}
