// Package processtest gives a test a node of its own.
//
//	func TestCounter(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			ctx := processtest.Context(t)
//			c, err := server.Start(ctx, server.Spec[Counter]{Init: newCounter})
//			...
//		})
//	}
//
// The node is stopped, in order, when the test ends; a test whose processes do
// not obey fails, with the stacks of those that did not. Crash reports do not
// fail a test (crashing is what many tests are about), but they are shown if it
// fails for another reason. In a [testing/synctest] bubble the same test needs
// no real time.
package processtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Context returns the ctx of a new node that lives as long as the test.
func Context(t testing.TB) context.Context {
	t.Helper()
	return Node(t, process.NodeSpec{})
}

// Node is Context for a node with settings of its own. If spec has no probe, a
// [Recorder] is put there.
func Node(t testing.TB, spec process.NodeSpec) context.Context {
	t.Helper()
	rec, _ := spec.Probe.(*Recorder)
	if spec.Probe == nil {
		rec = &Recorder{}
		spec.Probe = rec
	}
	if spec.Name == "" {
		spec.Name = t.Name()
	}
	n := process.NewNode(spec)
	t.Cleanup(func() {
		t.Helper()
		stop(t, n)
		if t.Failed() && rec != nil {
			t.Logf("reports of node %s:\n%s", n.Name(), rec)
		}
	})
	return n.Context()
}

// stop ends the node and fails the test if something of it is left.
func stop(t testing.TB, n *process.Node) {
	t.Helper()
	for _, pid := range n.Abandoned() {
		t.Errorf("process %v was abandoned and its goroutine still runs:\n%s", pid, pid.Stack())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Errorf("the processes of the test did not stop: %v", err)
	}
}

// A Recorder is a probe that keeps events.
type Recorder struct {
	Kinds process.Kind // which; 0: reports only

	mu     sync.Mutex
	events []process.Event
}

// reports are the kinds that reports come as.
const reports = process.Crashed | process.Abandoned | process.Supervised | process.Application | process.Network | process.Warned

// Wants implements process.Probe.
func (r *Recorder) Wants() process.Kind {
	if r.Kinds == 0 {
		return reports
	}
	return r.Kinds
}

// Event implements process.Probe.
func (r *Recorder) Event(e process.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// Events returns what has been seen so far, of those kinds (0: all).
func (r *Recorder) Events(kinds process.Kind) []process.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.events), func(e process.Event) bool {
		return kinds != 0 && e.Kind&kinds == 0
	})
}

// String shows the events, one a line.
func (r *Recorder) String() string {
	var b strings.Builder
	for _, e := range r.Events(0) {
		fmt.Fprintf(&b, "%v %v %s", e.Kind, e.PID, e.Text)
		if e.Reason != nil {
			fmt.Fprintf(&b, ": %v", e.Reason)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
