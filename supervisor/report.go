package supervisor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coppice-go/coppice/process"
)

// What a supervisor says to the node's probe, as the Text of events of kind
// process.Supervised. Those at level Error are OTP's supervisor reports; a
// supervisor makes them in its own process, so in the order of what it does.
const (
	// TextTerminated: a child ended by itself, with Reason, and should not
	// have. A permanent child never should.
	TextTerminated = "child terminated"
	// TextStartError: a child could not be started, because of Reason. The
	// errors of StartChild, StartOne and RestartChild are not reported: they go
	// to the caller.
	TextStartError = "start error"
	// TextStopError: a child that was stopped ended with Reason instead of the
	// one it was given, say because it had to be killed.
	TextStopError = "shutdown error"
	// TextShutdown: the supervisor ends because of Reason, with this child as
	// the last straw.
	TextShutdown = "shutdown"
	// TextStarted (at level Debug): a child was started. Dynamic children are
	// left out, as in OTP.
	TextStarted = "child started"
	// TextDecided (for tracers): the strategy was asked about a child; the
	// Report has its Plan, and what it was asked.
	TextDecided = "decided"
	// TextStopping (for tracers): the supervisor begins to stop its children.
	TextStopping = "supervisor stopping"
)

// A Report is the Detail of a supervisor's events.
type Report struct {
	Child     Child       // as it was specified
	PID       process.PID // its latest process; zero if it never had one
	Count     int         // of dynamic children that stopped badly together; else 0
	Failures  int         // of the child, in a row
	Restarts  int         // that count now
	Intensity int         // how many may
	Period    time.Duration
	Kind      Kind  // what the strategy was asked about; 0 where it was not
	Plan      *Plan // what it decided; nil where it was not asked
}

// Each gives the fields that say something, in order.
func (r *Report) Each(yield func(key string, value any)) {
	yield("child", r.Child.ID)
	if r.Count > 0 {
		yield("children", r.Count)
	} else if !r.PID.IsZero() {
		yield("pid", r.PID)
	}
	yield("restart", r.Child.Restart)
	if r.Child.Significant {
		yield("significant", true)
	}
	yield("restarts", fmt.Sprintf("%d of %d in %v", r.Restarts, r.Intensity, r.Period))
	if r.Failures > 1 {
		yield("failures in a row", r.Failures)
	}
	if r.Plan != nil {
		yield("decision", r.Plan.String())
	}
}

// String says in a few words what the plan does.
func (p *Plan) String() string {
	switch {
	case p.End == ErrIntensity, p.End == process.ErrShutdown:
		return "end with shutdown"
	case p.End != nil:
		return fmt.Sprintf("end: %v", p.End)
	}
	var do []string
	if p.Stop.Len() > 1 {
		do = append(do, fmt.Sprintf("stop %v", p.Stop))
	}
	if p.Drop {
		do = append(do, "drop")
	}
	switch {
	case p.Wait > 0:
		do = append(do, fmt.Sprintf("wait %v", p.Wait))
	case p.Start.Len() == 1:
		do = append(do, "restart")
	case p.Start.Len() > 1:
		do = append(do, fmt.Sprintf("start %v", p.Start))
	}
	if do == nil {
		return "leave down"
	}
	return strings.Join(do, ", ")
}

// String returns the places as "2..4", the last one included.
func (s Span) String() string {
	switch s.Len() {
	case 0:
		return "nobody"
	case 1:
		return fmt.Sprint(s.From)
	}
	return fmt.Sprintf("%d..%d", s.From, s.To-1)
}

// report tells of something that an operator should know.
func (s *supervisor) report(ctx context.Context, text string, c *child, reason error) {
	s.emit(ctx, process.LevelError, text, c, reason)
}

// reportDecision tells of a decision: every one to tracers, and first to the
// operator if it is about a child that should not have ended.
func (s *supervisor) reportDecision(ctx context.Context, c *child, e *Event, p *Plan) {
	if e.Kind == Exited && (c.spec.Restart == Permanent || !process.Clean(e.Reason)) {
		s.emitDecision(ctx, process.LevelError, TextTerminated, c, e, p)
	}
	s.emitDecision(ctx, process.LevelQuiet, TextDecided, c, e, p)
}

func (s *supervisor) emitDecision(ctx context.Context, level process.Level, text string, c *child, e *Event, p *Plan) {
	if s.heard(ctx, level) {
		r, plan := s.describe(c), *p
		r.Kind, r.Plan = e.Kind, &plan
		s.give(ctx, level, text, c, e.Reason, r)
	}
}

// emit tells of something that happened to a child.
func (s *supervisor) emit(ctx context.Context, level process.Level, text string, c *child, reason error) {
	if s.heard(ctx, level) {
		s.give(ctx, level, text, c, reason, s.describe(c))
	}
}

// heard reports whether anybody looks. Once we have been killed nothing that
// fails is worth a report: it fails because of that.
func (s *supervisor) heard(ctx context.Context, level process.Level) bool {
	return process.Wants(ctx, process.Supervised, level) && process.Self(ctx).Alive()
}

// describe fills in what every report has.
func (s *supervisor) describe(c *child) *Report {
	r := &Report{Child: *c.spec, PID: c.pid, Failures: int(c.failures), Period: s.spec.Period}
	r.Restarts, r.Intensity = s.Restarts(time.Now())
	return r
}

// give is never inlined, for the sake of the stacks of those who have nothing to
// give.
//
//go:noinline
func (s *supervisor) give(ctx context.Context, level process.Level, text string, c *child, reason error, r *Report) {
	process.Emit(ctx, process.Event{Kind: process.Supervised, Level: level, Text: text, Peer: c.pid, Reason: reason, Detail: r})
}

// InspectState is what crash reports show of a supervisor.
func (s *supervisor) InspectState() any {
	type summary struct{ Children, Running, Restarting, Restarts, Intensity int }
	sum := summary{Children: len(s.kids.list)}
	for _, c := range s.kids.list {
		switch c.status {
		case Running:
			sum.Running++
		case Restarting:
			sum.Restarting++
		case Down:
		}
	}
	sum.Restarts, sum.Intensity = s.Restarts(time.Now())
	return sum
}
