package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A timeline is a probe that prints what a supervisor decides, a line each.
type timeline struct {
	start time.Time

	mu  sync.Mutex
	out io.Writer
}

func (t *timeline) Wants() process.Kind { return process.Supervised }

// Event is called in the supervisor's process, one event after the other.
func (t *timeline) Event(e process.Event) {
	r, ok := e.Detail.(*supervisor.Report)
	if !ok {
		return
	}
	trying := e.Text == supervisor.TextStarted || r.Kind == supervisor.WaitOver
	state := circuit.State(r.Failures, trying)
	switch {
	case e.Text == supervisor.TextStarted:
		t.print(state, "the feed is up")
	case e.Text != supervisor.TextDecided:
	case r.Kind == supervisor.WaitOver:
		t.print(state, "one attempt")
	case state == "open":
		t.print(state, fmt.Sprintf("%v, %d times in a row: nobody asks for %v", e.Reason, r.Failures, r.Plan.Wait))
	default:
		t.print(state, fmt.Sprintf("%v: the next attempt is in %v", e.Reason, r.Plan.Wait))
	}
}

func (t *timeline) print(state, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, "%5.1fs  %-9s  %s\n", time.Since(t.start).Seconds(), state, what)
}
