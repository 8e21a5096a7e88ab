package trace

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/internal/render"
	"github.com/coppice-go/coppice/process"
)

// A Why says why a stream ended.
type Why string

const (
	ByLimit   Why = "limit"     // it has written as many events as it may
	ByRate    Why = "rate"      // too many came in one second
	ByTime    Why = "time"      // its time is over
	ByStop    Why = "stopped"   // somebody called Stop
	ByContext Why = "cancelled" // the ctx that it was opened with is done
	ByNode    Why = "node"      // the node stops
	ByWriter  Why = "broken"    // its writer failed
	ByPattern Why = "pattern"   // its pattern panicked
	ByKill    Why = "killed"    // its process was killed: what was still queued is lost
)

// An End is how a stream ended. It is also the stream's last line, as far as
// that could be written.
type End struct {
	Why     Why   `json:"end"`
	Events  int   `json:"events"`            // written
	Dropped int   `json:"dropped,omitempty"` // let through by the filter, lost because the writer was slow
	Err     error `json:"-"`                 // if Why is ByWriter or ByPattern
}

// A Record is one line of a stream.
type Record struct {
	N        int               `json:"n"`              // counts from 1
	T        time.Duration     `json:"t"`              // nanoseconds since the stream began
	Event    string            `json:"event"`          // the kind's name
	PID      uint64            `json:"pid"`            // whom it happened to; 0: the node itself
	Path     string            `json:"path,omitempty"` // where that is in the tree
	Peer     uint64            `json:"peer,omitempty"` // the other one
	PeerPath string            `json:"peer_path,omitempty"`
	Gone     bool              `json:"gone,omitempty"` // what was sent finds the other one ended
	Type     string            `json:"type,omitempty"` // of the message
	Msg      string            `json:"msg,omitempty"`  // as far as it may be shown
	Text     string            `json:"text,omitempty"` // of a report
	Reason   string            `json:"reason,omitempty"`
	Abnormal bool              `json:"abnormal,omitempty"` // the reason is not clean
	Detail   map[string]string `json:"detail,omitempty"`
	Note     string            `json:"note,omitempty"`    // of the pattern that accepted the message
	Dropped  int               `json:"dropped,omitempty"` // events lost right before this one
}

// buffered is how many events may wait to be written.
const buffered = 1024

// A Session is an open stream. It has a process of its own, so that a slow
// writer holds up nobody else's.
type Session struct {
	t     *tracer
	spec  StreamSpec
	pid   process.PID
	began time.Time
	over  atomic.Bool // why is set: nothing more is let through

	mu      sync.Mutex
	queue   []Record // guarded by mu, like the rest
	passed  int      // let through and queued
	lost    int      // let through since, and not queued
	dropped int      // all that were lost
	second  time.Duration
	burst   int   // let through within that second
	why     Why   // it is to end
	fault   error // what its pattern panicked with
	ended   End   // it has ended
}

// PID returns the process that writes the stream.
func (s *Session) PID() process.PID { return s.pid }

// Matches counts the living processes that the stream is about. Zero often
// means a slip in Under: but they may also still be to come.
func (s *Session) Matches() (n int) {
	for _, pid := range s.t.node.Processes() {
		if !pid.Is(kind) && (s.spec.PID.IsZero() || pid == s.spec.PID) && s.spec.covers(pid) {
			n++
		}
	}
	return n
}

// Stop ends the stream, and returns when its last line is written.
func (s *Session) Stop(ctx context.Context) (End, error) {
	s.end(ByStop)
	return s.Wait(ctx)
}

// Flush returns when all that was let through before is written (OTP:
// trace_delivered and flush_trace_port). It waits as long as [process.Do] would.
// An error says that this was not so: the writer failed, the stream was killed,
// or ctx was done first; it may be any ctx.
func (s *Session) Flush(ctx context.Context) error {
	ctx, err := process.Acting(ctx, s.t.node.Context())
	if err != nil {
		return err
	}
	err = process.Do(ctx, s.pid, &flush{})
	if _, over := errors.AsType[*process.ExitError](err); !over {
		return err
	}
	end, err := s.Wait(ctx)
	if err == nil && end.Why == ByKill {
		return errors.New("trace: the stream was killed: what was still queued is lost")
	}
	if end.Why == ByWriter {
		return end.Err
	}
	return err
}

// Wait returns when the stream has ended. An error says that ctx was done
// first; it may be any ctx.
func (s *Session) Wait(ctx context.Context) (End, error) {
	ctx, err := process.Acting(ctx, s.t.node.Context())
	if err != nil {
		return End{}, err
	}
	if _, err := process.Wait(ctx, s.pid); err != nil && !errors.Is(err, process.ErrNodeStopped) {
		return End{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Why == "" { // it did not come to its last words
		return End{Why: ByKill}, nil
	}
	return s.ended, nil
}

// end ends the stream: what is queued is still written.
func (s *Session) end(why Why) {
	s.close(why)
	rouse(s.t.node, s.pid)
}

// close closes the stream to further events. The first reason counts.
func (s *Session) close(why Why) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeLocked(why)
}

func (s *Session) closeLocked(why Why) {
	if s.why == "" {
		s.why = why
		s.over.Store(true)
	}
}

// event lets one event through or not. It runs in the process that the event is
// about.
func (s *Session) event(ev process.Event) {
	if s.over.Load() || ev.PID.Is(kind) || ev.Peer.Is(kind) || !s.spec.matches(&ev) {
		return
	}
	if !s.pid.Alive() { // killed
		s.t.detach(s)
		return
	}
	note, ok, err := s.spec.Match.accepts(&ev)
	if err != nil {
		s.fail(err)
		return
	}
	if !ok {
		return
	}
	r := s.record(ev)
	r.Note = note
	if s.admit(r) {
		rouse(s.t.node, s.pid)
	}
}

// fail ends the stream because its pattern panicked.
func (s *Session) fail(err error) {
	s.mu.Lock()
	if s.why == "" {
		s.fault = err
	}
	s.closeLocked(ByPattern)
	s.mu.Unlock()
	rouse(s.t.node, s.pid)
}

// record takes from an event all that a line shows, now: its message is
// borrowed.
func (s *Session) record(ev process.Event) Record {
	r := Record{T: max(0, ev.Time.Sub(s.began)), Event: ev.Kind.String(), PID: ev.PID.ID(), Path: ev.PID.Path(),
		Peer: ev.Peer.ID(), PeerPath: ev.Peer.Path(), Text: ev.Text, Abnormal: !process.Clean(ev.Reason)}
	if ev.Kind&(process.Sent|process.Called) != 0 {
		r.Gone = !ev.Peer.Alive()
	}
	if t := messageType(ev.Msg); t != nil {
		r.Type = t.String()
		if ev.Kind != process.Handled { // by now its handler may have passed it on
			r.Msg = render.Value(ev.Msg)
		}
	}
	if ev.Reason != nil {
		r.Reason = render.Clip(render.Error(ev.Reason), maxLine)
	}
	if ev.Detail != nil {
		r.Detail = make(map[string]string)
		ev.Detail.Each(func(key string, value any) {
			if key != "path" && key != "message" && key != "reason" { // the line has them
				r.Detail[key] = text(value)
			}
		})
	}
	return r
}

// text shows one field of a detail.
func text(v any) string {
	if s, ok := v.(string); ok {
		return render.Clip(s, maxLine)
	}
	return render.Value(v)
}

// admit queues a record as far as the limits allow. It reports whether the
// writer must be told.
func (s *Session) admit(r Record) (tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != "" {
		return false
	}
	if r.T-s.second >= time.Second {
		s.second, s.burst = r.T, 0
	}
	if s.burst == s.spec.Rate {
		s.closeLocked(ByRate)
		return true
	}
	s.burst++
	if len(s.queue) == buffered {
		s.lost++
		s.dropped++
		return false
	}
	s.passed++
	r.N, r.Dropped, s.lost = s.passed, s.lost, 0
	s.queue = append(s.queue, r)
	if s.passed == s.spec.Limit {
		s.closeLocked(ByLimit)
	}
	return len(s.queue) == 1 || s.why != ""
}
