package trace

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Streams returns the open streams of ctx's node, in the order in which they
// were opened. Who stops all of them has what OTP's dbg:stop does.
func Streams(ctx context.Context) ([]*Session, error) {
	t, err := tracerOf(ctx)
	if err != nil {
		return nil, err
	}
	var open []*Session
	for _, s := range *t.sessions.Load() {
		if !s.over.Load() && s.pid.Alive() {
			open = append(open, s)
		}
	}
	return open, nil
}

// tracerOf finds the tracer of ctx's node.
func tracerOf(ctx context.Context) (*tracer, error) {
	node, err := process.NodeOf(ctx)
	if err != nil {
		return nil, err
	}
	pid, ok := process.Whereis(ctx, name)
	w, is := pid.Behaviour().(*writer)
	if !ok || !is {
		return nil, fmt.Errorf("trace: node %s has no tracer: call trace.Start when you make the node", node.Name())
	}
	return w.t, nil
}

// A Status is what a stream is about and how far it is.
type Status struct {
	PID     process.PID // the process that writes it
	Spec    StreamSpec  // what was zero has its default
	Age     time.Duration
	Matches int // see [Session.Matches]
	Events  int // let through so far, and not lost
	Dropped int // lost because the writer is slow
	Why     Why // it ends, or has ended; "": it goes on
}

// Status returns how the stream does now.
func (s *Session) Status() Status {
	st := Status{PID: s.pid, Spec: s.spec, Age: time.Since(s.began), Matches: s.Matches()}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Events, st.Dropped, st.Why = s.passed, s.dropped, s.why
	return st
}

// String shows a status on one line.
func (st Status) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %s", st.PID, st.Spec.filter())
	fmt.Fprintf(&b, "; %d living; %d of %d events, %v of %v", st.Matches, st.Events, st.Spec.Limit,
		st.Age.Round(time.Millisecond), st.Spec.For)
	if st.Dropped > 0 {
		fmt.Fprintf(&b, ", %d dropped", st.Dropped)
	}
	if st.Why != "" {
		fmt.Fprintf(&b, ", ended: %s", st.Why)
	}
	return b.String()
}

// filter shows what is let through.
func (s *StreamSpec) filter() string {
	text := "all events"
	if s.Kinds != everyKind() {
		text = s.Kinds.String()
	}
	for _, part := range []struct {
		is   bool
		text string
	}{
		{s.Abnormal, "abnormal"},
		{s.Under != "", "under " + s.Under},
		{!s.PID.IsZero(), "of or with " + s.PID.String()},
		{!s.Peer.IsZero(), "with " + s.Peer.String()},
		{s.Message != nil, fmt.Sprint("of type ", s.Message)},
		{!s.Match.isZero(), "that match"},
	} {
		if part.is {
			text += ", " + part.text
		}
	}
	return text
}
