package process

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coppice-go/coppice/internal/render"
)

// A CrashReport says what a process was when it crashed (OTP: proc_lib's crash
// report). It is made by the process itself, on its way out, while others wait;
// so what stays true of it after its end is asked of PID by those who want to
// know: Path, Kind, Spawner, Ancestors.
type CrashReport struct {
	PID      PID
	Name     string
	Runs     string // see Info
	Reason   error
	Panic    *PanicError // nil unless it panicked
	Message  string      // what was being handled, shortened; "" if nothing was
	Client   PID         // whose request that was; zero: nobody's
	State    string      // what Inspect shows, shortened; "" if it shows nothing
	Notes    []Note      // see Annotate
	Mailbox  int         // what was still waiting
	Waiting  []string    // the oldest of that, shortened
	TrapExit bool
	Links    []PID
	// Neighbours are those who are about to die with it: who is linked to it,
	// or to one of them, and does not trap exits; the nearest, 15 at most.
	Neighbours []Info
	Age        time.Duration
}

// What a crash report shows at most.
const (
	maxNeighbours = 15 // as OTP does
	maxWaiting    = 5
)

// Each makes a CrashReport a [Detail].
func (r *CrashReport) Each(f func(string, any)) {
	f("path", r.PID.Path())
	if kind := r.PID.Kind(); kind != "" {
		f("kind", kind)
	}
	if at := r.PID.Spawner(); at != "" {
		f("spawner", at)
	}
	if r.Message != "" {
		f("message", r.Message)
	}
	if !r.Client.IsZero() {
		f("client", r.Client.String())
	}
	if r.State != "" {
		f("state", r.State)
	}
	for _, n := range r.Notes {
		f("note_"+n.Key, n.Value)
	}
	f("mailbox", r.Mailbox)
	if len(r.Waiting) > 0 {
		f("waiting", r.Waiting)
	}
	if len(r.Neighbours) > 0 {
		f("neighbours", r.neighbours())
	}
	f("age", r.Age)
	if r.Panic != nil {
		f("stack", r.Panic)
	}
}

// String shows the report as text, one thing a line.
func (r *CrashReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v crashed: %s\n", r.PID, render.Error(r.Reason))
	r.Each(func(key string, value any) {
		if p, ok := value.(*PanicError); ok {
			value = "\n" + p.StackText()
		}
		fmt.Fprintf(&b, "  %s: %v\n", key, value)
	})
	return strings.TrimRight(b.String(), "\n")
}

// neighbours shows them one a line.
func (r *CrashReport) neighbours() (out []string) {
	for _, n := range r.Neighbours {
		out = append(out, fmt.Sprintf("%v %s, %s, %d waiting", n.PID, n.Runs, n.Status, n.Mailbox))
	}
	return out
}

// An Inspector is a behaviour that shows its state in crash reports.
type Inspector interface{ InspectState() any }

// reportCrash runs on the process's own goroutine: nobody else may look at the
// state and the message in hand.
func (p *proc) reportCrash(reason error) {
	if !p.node.wants(Crashed) {
		return
	}
	r := &CrashReport{PID: PID{p}, Runs: runs(p.b), Reason: reason, Age: (p.node.since() - p.born).Round(time.Millisecond)}
	if frail := p.frail(); frail != nil { // nearly always there is nobody but a supervisor
		r.Neighbours = p.neighbours(frail)
	}
	r.Panic, _ = errors.AsType[*PanicError](reason)
	p.mu.Lock()
	r.Name = p.name()
	r.Mailbox, r.TrapExit, r.Notes = p.queue.Len()+p.batch.Len(), p.trap, p.notes()
	r.Links = pids(p.linked())
	p.mu.Unlock()
	r.show(p)
	p.emit(Event{Kind: Crashed, Level: LevelError, Text: "process crashed", Reason: reason, Msg: p.inHand, Detail: r})
}

// show fills in what is formatted: message, mailbox and state.
func (r *CrashReport) show(p *proc) {
	if q, ok := p.inHand.(Requester); ok {
		r.Client = q.header().From()
	}
	if p.marked(markSensitive) {
		r.Message, r.State = hiddenText, hiddenText
		return
	}
	if p.inHand != nil {
		r.Message = Format(p.inHand)
	}
	r.Waiting = p.oldest()
	if i, ok := p.b.(Inspector); ok && p.inited {
		r.State = inspect(i)
	}
}

// oldest shows the oldest messages that nobody will handle any more. It takes
// them out: the mailbox is about to be dropped anyway, and who waits for an
// answer is told of the death itself.
func (p *proc) oldest() (out []string) {
	for len(out) < maxWaiting {
		var e envelope
		if !p.batch.Next(&e, &p.node.chunks) {
			p.mu.Lock()
			n := p.queue.Len()
			if n > 0 {
				p.queue.Take(&e, &p.batch)
			}
			p.mu.Unlock()
			if n == 0 {
				break
			}
		}
		if e.kind == envMessage || e.kind == envCall {
			out = append(out, Format(e.msg))
		}
	}
	return out
}

// neighbours walks the links, breadth first.
func (p *proc) neighbours(next []*proc) (out []Info) {
	for seen := map[*proc]bool{p: true}; len(next) > 0 && len(out) < maxNeighbours; next = next[1:] {
		q := next[0]
		if seen[q] {
			continue
		}
		seen[q] = true
		i := PID{q}.Info()
		i.Notes = nil
		out = append(out, i)
		next = append(next, q.frail()...)
	}
	return out
}

// frail lists those linked to p who live and do not trap exits.
func (p *proc) frail() (out []*proc) {
	p.mu.Lock()
	linked := p.linked()
	p.mu.Unlock()
	for _, q := range linked {
		q.mu.Lock()
		if !q.trap && q.state != dead {
			out = append(out, q)
		}
		q.mu.Unlock()
	}
	return out
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
