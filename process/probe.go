package process

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/coppice-go/coppice/internal/render"
)

// A Kind is what an [Event] is about: one bit.
type Kind uint32

const (
	Spawned      Kind = 1 << iota // PID was started by Peer
	Exited                        // PID has ended with Reason
	Crashed                       // PID is about to end with Reason, which is not clean; Detail is a *CrashReport
	Abandoned                     // PID is dead, but its goroutine still runs
	Linked                        // PID linked itself to Peer
	Unlinked                      // PID took its link to Peer away, if there was one
	Registered                    // PID was given a name, by Peer; Detail has it as "name"
	Unregistered                  // PID has lost its name, by Peer or by its own end; Detail has it as "name"
	Sent                          // PID sends Msg to Peer
	Called                        // PID calls Peer with Msg
	Received                      // PID takes Msg, from Peer
	TimedOut                      // PID, a raw process, waited for a message for as long as it wanted to
	Handled                       // PID has handled Msg; Reason is what its handler returned
	Replied                       // PID has answered Peer; Reason is the answer's error
	Changed                       // a state machine changed state
	Supervised                    // a supervisor decided something
	Application                   // an application changed phase
	Network                       // a listener or a connection
	Warned                        // something that somebody should look at
)

var kindNames = [...]string{"spawned", "exited", "crashed", "abandoned", "linked",
	"unlinked", "registered", "unregistered", "sent", "called", "received", "timed_out",
	"handled", "replied", "changed", "supervised", "application", "network", "warned"}

// String returns the names of the bits, joined by "|".
func (k Kind) String() string {
	s := ""
	for i, name := range kindNames {
		if k&(1<<i) == 0 {
			continue
		}
		if s != "" {
			s += "|"
		}
		s += name
	}
	return s
}

// Kinds returns every kind there is, for parsers and tables.
func Kinds() []Kind {
	out := make([]Kind, len(kindNames))
	for i := range out {
		out[i] = 1 << i
	}
	return out
}

// A Level says how much an event matters to an operator. Zero is an event for
// tracers only; the others are reports, which belong in the log.
type Level uint8

const (
	LevelQuiet Level = iota
	LevelDebug       // what OTP calls progress
	LevelInfo
	LevelWarn
	LevelError
)

// An Event is one thing that happened to a process.
type Event struct {
	Kind   Kind
	Level  Level
	Text   string // of a report: what happened, in a few words
	Time   time.Time
	PID    PID // whom it happened to
	Peer   PID // the other one, if any
	Reason error
	Msg    any // borrowed: a probe formats it at once or not at all
	Detail Detail
}

// A Detail is what more there is to say of an event, by key, in order.
type Detail interface {
	Each(func(key string, value any))
}

// nameDetail is the name that an event is about.
type nameDetail string

func (n nameDetail) Each(f func(key string, value any)) { f("name", string(n)) }

// named is the event of a name's coming or going. The caller holds no lock.
//
//go:noinline
func (p *proc) named(k Kind, name string, by *proc) {
	if p.node.wants(k) {
		p.emit(Event{Kind: k, Peer: PID{by}, Detail: nameDetail(name)})
	}
}

// A Probe looks at what happens on a node. Event is called in the process that
// acts, so in that process's order: that is PID, save where Peer does something
// to it. It must be quick and never block.
type Probe interface {
	Wants() Kind // looked at when the probe is set
	Event(Event)
}

// A LevelProbe is a Probe that looks at nothing below a level, so that what is
// for tracers only need not even be made.
type LevelProbe interface {
	Probe
	From() Level // looked at when the probe is set
}

// SetProbe replaces the node's probe; nil puts the first one back, which writes
// reports to standard error.
func (n *Node) SetProbe(p Probe) {
	if p == nil {
		p = textProbe{n.stderr}
	}
	from := LevelQuiet
	if l, ok := p.(LevelProbe); ok {
		from = l.From()
	}
	n.probe.Store(&p)
	n.from.Store(uint32(from))
	n.mask.Store(uint32(p.Wants()))
}

// wants reports whether anybody looks at that kind: one atomic load.
func (n *Node) wants(k Kind) bool { return Kind(n.mask.Load())&k != 0 }

// note is emit of the events that are many. It is never inlined: an Event takes
// room on the stack, a goroutine is born with little, and those who send and
// handle need it only when somebody looks.
//
//go:noinline
func (p *proc) note(k Kind, peer *proc, msg any, reason error) {
	p.emit(Event{Kind: k, Peer: PID{peer}, Msg: msg, Reason: reason})
}

func (p *proc) emit(e Event) {
	if e.PID.p == nil && !p.isRoot() {
		e.PID = PID{p}
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.Msg != nil {
		e.Conceal()
	}
	(*p.node.probe.Load()).Event(e)
}

// Emit gives an event to the probe of ctx's node, if it wants that kind. Time
// and PID are filled in when zero. ctx without a node is nobody's: it does
// nothing then.
func Emit(ctx context.Context, e Event) {
	p, err := actor(ctx)
	if err == nil && p.node.wants(e.Kind) {
		p.emit(e)
	}
}

// Wants reports whether ctx's node has a probe for events of that kind and level,
// for those whose events are dear to make.
func Wants(ctx context.Context, k Kind, l Level) bool {
	p, err := actor(ctx)
	return err == nil && p.node.wants(k) && uint32(l) >= p.node.from.Load()
}

// reports are the kinds that reports come in.
const reports = Crashed | Abandoned | Supervised | Application | Network | Warned

// textProbe is what a node has until it is given another: no report may go
// unseen.
type textProbe struct{ w io.Writer }

func (textProbe) Wants() Kind { return reports }

func (textProbe) From() Level { return LevelInfo }

func (t textProbe) Event(e Event) {
	if e.Level < LevelInfo {
		return
	}
	line := fmt.Sprintf("%s coppice: %s", e.Time.Format(time.RFC3339), e.Text)
	if !e.PID.IsZero() {
		line += " " + e.PID.String()
	}
	if e.Reason != nil {
		line += ": " + render.Error(e.Reason)
	}
	if e.Msg != nil {
		line += " (message: " + Format(e.Msg) + ")"
	}
	if c, ok := e.Detail.(*CrashReport); ok {
		line = fmt.Sprintf("%s coppice: %s", e.Time.Format(time.RFC3339), c)
	}
	fmt.Fprintln(t.w, line)
}
