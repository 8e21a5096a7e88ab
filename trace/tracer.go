package trace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/coppice-go/coppice/process"
)

const (
	// name is the registered name of a node's tracer. It is how a stream finds
	// it, and what keeps a second one from starting.
	name = "coppice.trace"
	// kind is the Kind of our own processes, which streams leave out.
	kind = "trace"

	// maxQueued is how many reports may wait to be written.
	maxQueued = 1024
	// maxSessions is how many streams may be open on one node.
	maxSessions = 8
)

// Start writes the reports of ctx's node as o says, for as long as the node
// lives. It takes the place of the node's probe. What it returns is the process
// that writes; it hangs below the node's root, whoever calls.
//
// Start it before anything else: what is started first is stopped last.
func Start(ctx context.Context, o Options) (process.PID, error) {
	node, err := process.NodeOf(ctx)
	if err != nil {
		return process.PID{}, err
	}
	log, err := o.logger()
	if err != nil {
		return process.PID{}, err
	}
	t := &tracer{node: node, log: log, progress: o.Progress, next: o.Next, stderr: o.toStderr()}
	t.queue.limit = maxQueued
	t.sessions.Store(new([]*Session))
	if err := t.start(); err != nil {
		if taken, ok := errors.AsType[*process.AlreadyStartedError](err); ok {
			err = fmt.Errorf("trace: node %s is traced by %v already: start one only", node.Name(), taken.PID)
		}
		return process.PID{}, err
	}
	return *t.pid.Load(), nil
}

// A tracer is the probe of a node. It has a process that writes the reports,
// and one for each stream.
type tracer struct {
	node     *process.Node
	log      zerolog.Logger
	progress bool
	next     process.Probe
	stderr   bool // log goes there

	queue    queue[report]
	pid      atomic.Pointer[process.PID] // of the writer
	reviving atomic.Bool

	mu       sync.Mutex                 // of those who set the node's probe
	sessions atomic.Pointer[[]*Session] // replaced, never changed
}

// start starts the writer, anew if need be.
func (t *tracer) start() error {
	ctx := process.WithBirth(t.node.Context(), process.Birth{ID: kind})
	_, err := process.Start(ctx, process.Spec{Name: name, Kind: kind, TrapExit: true, Behaviour: &writer{t}})
	return err
}

// reported are the kinds that reports come in.
const reported = process.Crashed | process.Abandoned | process.Supervised | process.Application |
	process.Network | process.Warned

// Wants makes a tracer a process.Probe.
func (t *tracer) Wants() process.Kind {
	wants := process.Kind(reported)
	for _, s := range *t.sessions.Load() {
		wants |= s.spec.Kinds
	}
	if t.next != nil {
		wants |= t.next.Wants()
	}
	return wants
}

// From makes a tracer a process.LevelProbe.
func (t *tracer) From() process.Level {
	switch {
	case len(*t.sessions.Load()) > 0, t.next != nil:
		return process.LevelQuiet
	case t.progress:
		return process.LevelDebug
	}
	return process.LevelInfo
}

// Event makes a tracer a process.Probe. It runs in the process that the event
// is about, which may be on its way out while its supervisor waits: it captures
// what may not be looked at later, and leaves the rest to others.
func (t *tracer) Event(ev process.Event) {
	for _, s := range *t.sessions.Load() {
		s.event(ev)
	}
	if t.next != nil && t.next.Wants()&ev.Kind != 0 {
		t.next.Event(ev)
	}
	if ev.Kind == process.Abandoned && ev.PID == *t.pid.Load() {
		t.giveUp(ev)
		return
	}
	if ev.Kind&reported == 0 || ev.Level == process.LevelQuiet || ev.Level == process.LevelDebug && !t.progress {
		return
	}
	first, closed := t.queue.push(capture(ev))
	if closed { // and another probe is in place
		process.Emit(t.node.Context(), ev)
		return
	}
	if pid := *t.pid.Load(); !pid.Alive() {
		t.revive(pid)
	} else if first {
		rouse(t.node, pid)
	}
}

// attach adds a session. Its events flow once attach has returned.
func (t *tracer) attach(s *Session) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := *t.sessions.Load()
	if len(open) == maxSessions {
		return fmt.Errorf("trace: node %s has %d streams open, which is the limit: stop one", t.node.Name(), maxSessions)
	}
	t.replace(append(slices.Clone(open), s))
	return nil
}

// detach takes a session out again.
func (t *tracer) detach(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := *t.sessions.Load()
	if i := slices.Index(open, s); i >= 0 {
		t.replace(slices.Delete(slices.Clone(open), i, i+1))
	}
}

// replace sets the sessions, and has the node ask again what we want. t.mu is
// held.
func (t *tracer) replace(sessions []*Session) {
	t.sessions.Store(&sessions)
	if !t.queue.isClosed() {
		t.node.SetProbe(t)
	}
}
