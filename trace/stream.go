package trace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A StreamSpec says what a stream lets through, where it goes, and when it
// ends. The filters narrow it down together; the zero value of each lets
// everything through.
//
// There is no stream without limits: one that was forgotten must not be what
// brings the node down at night.
type StreamSpec struct {
	To io.Writer // gets one Record as JSON per Write, from one goroutine at a time

	Kinds    process.Kind // 0: every kind
	Under    string       // a path in the tree: that process and those below it, born or not yet
	PID      process.PID  // events about it, or with it as the other side
	Peer     process.PID  // events with it as the other side: what it is sent, what is received from it
	Abnormal bool         // only what has a reason that is not clean
	Message  reflect.Type // only what has a message of that type: reflect.TypeFor[Add]()
	Match    Pattern      // only what has a message that it accepts; not for [process.Handled]

	Limit int           // of events; 0: 100, at most 10,000
	Rate  int           // of events in one second; 0: 50
	For   time.Duration // 0: 30 s
}

const (
	defaultLimit = 100
	defaultRate  = 50
	defaultFor   = 30 * time.Second
	maxLimit     = 10_000
)

// validate fills in the defaults and reports every fault at once.
func (s *StreamSpec) validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("trace: StreamSpec."+format, args...))
	}
	if s.To == nil {
		fault("To is nil: say where the events shall go")
	}
	if unknown := s.Kinds &^ everyKind(); unknown != 0 {
		fault("Kinds has bits that are no kind: %#x", uint32(unknown))
	}
	if s.Kinds&process.Handled != 0 && !s.Match.isZero() {
		fault("Match is set, and Kinds has Handled: what was handled may be somebody else's by then; look at Received")
	}
	if s.Limit < 0 || s.Limit > maxLimit {
		fault("Limit is %d: it is at least 1 and at most %d", s.Limit, maxLimit)
	}
	if s.Rate < 0 {
		fault("Rate is %d: it is at least 1", s.Rate)
	}
	if s.For < 0 {
		fault("For is %v: a stream ends; say when", s.For)
	}
	if strings.HasPrefix(s.Under, "/") || strings.HasSuffix(s.Under, "/") {
		fault("Under is %q: a path neither begins nor ends with a slash", s.Under)
	}
	s.Kinds = cmp.Or(s.Kinds, everyKind())
	s.Limit = cmp.Or(s.Limit, defaultLimit)
	s.Rate = cmp.Or(s.Rate, defaultRate)
	s.For = cmp.Or(s.For, defaultFor)
	return errors.Join(faults...)
}

func everyKind() (all process.Kind) {
	for _, k := range process.Kinds() {
		all |= k
	}
	return all
}

// matches is the filter. The cheap questions come first.
func (s *StreamSpec) matches(ev *process.Event) bool {
	switch {
	case s.Kinds&ev.Kind == 0,
		!s.PID.IsZero() && ev.PID != s.PID && ev.Peer != s.PID,
		!s.Peer.IsZero() && ev.Peer != s.Peer,
		s.Abnormal && process.Clean(ev.Reason),
		s.Message != nil && messageType(ev.Msg) != s.Message:
		return false
	}
	return s.covers(ev.PID)
}

// covers reports whether a process is one of those that the stream is about.
func (s *StreamSpec) covers(pid process.PID) bool {
	if s.Under == "" {
		return true
	}
	rest, found := strings.CutPrefix(pid.Path(), s.Under)
	return found && (rest == "" || rest[0] == '/')
}

// messageType is the type that a user knows a message by: what an envelope
// carries, and what a pointer points to.
func messageType(msg any) reflect.Type {
	t := reflect.TypeOf(carried(msg))
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// Stream writes events of ctx's node as spec says. It ends by itself, when ctx
// is done, or when the process that ctx belongs to ends, whichever is first.
// The node must have a tracer: see [Start].
func Stream(ctx context.Context, spec StreamSpec) (*Session, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	t, err := tracerOf(ctx)
	if err != nil {
		return nil, err
	}
	s := &Session{t: t, spec: spec}
	birth := process.WithBirth(t.node.Context(), process.Birth{ID: "stream"})
	_, err = process.Start(birth, process.Spec{Kind: kind, TrapExit: true, Behaviour: &recorder{Session: s, owner: ctx}})
	if err != nil {
		return nil, err
	}
	return s, nil
}
