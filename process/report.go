package process

import (
	"errors"
	"time"

	"github.com/coppice-go/coppice/internal/render"
)

// A CrashReport says what a process was when it crashed (OTP: proc_lib's crash
// report). It is made by the process itself, on its way out.
type CrashReport struct {
	PID       PID
	Path      string
	Name      string
	Kind      string
	Spawner   string // file:line
	Ancestors []PID  // its parent first
	Reason    error
	Panic     *PanicError // nil unless it panicked
	Message   string      // what was being handled, shortened; "" if nothing was
	State     string      // what Inspect shows, shortened; "" if it shows nothing
	Mailbox   int         // what was still waiting
	Links     []PID
	Age       time.Duration
}

// Each makes a CrashReport a [Detail].
func (r *CrashReport) Each(f func(string, any)) {
	f("path", r.Path)
	if r.Kind != "" {
		f("kind", r.Kind)
	}
	if r.Spawner != "" {
		f("spawner", r.Spawner)
	}
	if r.Message != "" {
		f("message", r.Message)
	}
	if r.State != "" {
		f("state", r.State)
	}
	f("mailbox", r.Mailbox)
	f("age", r.Age)
	if r.Panic != nil {
		f("stack", r.Panic)
	}
}

// An Inspector is a behaviour that shows its state in crash reports.
type Inspector interface{ InspectState() any }

// reportCrash runs on the process's own goroutine: nobody else may look at the
// state and the message in hand.
func (p *proc) reportCrash() {
	if !p.node.wants(Crashed) {
		return
	}
	r := &CrashReport{PID: PID{p}, Path: p.path(), Name: PID{p}.Name(), Kind: p.kind, Spawner: PID{p}.Spawner(),
		Reason: p.outcome, Age: (p.node.since() - p.born).Round(time.Millisecond)}
	for up := p.parent; up != nil && !up.isRoot(); up = up.parent {
		r.Ancestors = append(r.Ancestors, PID{up})
	}
	r.Panic, _ = errors.AsType[*PanicError](p.outcome)
	if p.inHand != nil {
		r.Message = Format(p.inHand)
	}
	if i, ok := p.b.(Inspector); ok && p.inited {
		r.State = inspect(i)
	}
	p.mu.Lock()
	r.Mailbox = int(p.pushed - p.taken.Load())
	for _, q := range p.links.All() {
		if !q.isRoot() {
			r.Links = append(r.Links, PID{q})
		}
	}
	p.mu.Unlock()
	p.emit(Event{Kind: Crashed, Level: LevelError, Text: "process crashed", Reason: p.outcome, Msg: p.inHand, Detail: r})
}

func inspect(i Inspector) (s string) {
	defer func() {
		if recover() != nil {
			s = "!PANIC in Inspect"
		}
	}()
	v := i.InspectState()
	if v == nil {
		return ""
	}
	return Format(v)
}

// Format shows a message or a state as reports and traces do: in at most 256
// bytes, without secrets, and without a panic of its own methods getting out. A
// slog.LogValuer speaks for itself; the struct tags trace:"-" and
// trace:"redact", and names that sound secret, hide a field; a request shows
// what it asks. It must be called by the goroutine that owns v.
func Format(v any) string { return render.Value(v) }

// An AbandonReport says of a dead process where its goroutine still is.
type AbandonReport struct {
	PID   PID
	Grace time.Duration
	Stack string // of the goroutine, "" if it could not be found
}

// Each makes an AbandonReport a [Detail].
func (r *AbandonReport) Each(f func(string, any)) {
	f("path", r.PID.Path())
	f("spawner", r.PID.Spawner())
	f("grace", r.Grace)
	f("stack", r.Stack)
}
