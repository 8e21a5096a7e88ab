package supervisortest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A history is one supervisor with the strategy in question, and all that
// happens to it. It is that supervisor's strategy itself, so that it sees every
// decision.
type history struct {
	strategy supervisor.Strategy
	node     *process.Node
	ctx      context.Context
	top      process.PID
	kids     []*kid

	// Of the strategy; its supervisor's process writes.
	instant time.Time // of the latest decisions
	atOnce  int       // how many of them
	idle    int       // waits in a row

	mu       sync.Mutex
	waits    time.Time // when the latest wait is over
	lines    []string
	law      *breach // the first
	stopping *kid    // who is in its goodbye
	last     *kid    // who said it last, while the supervisor ends
	ending   bool
}

// A kid is one child, over all its processes.
type kid struct {
	h       *history
	place   int
	id      string
	restart supervisor.Restart
	pid     process.PID
	starts  int
	failing int  // so many of the next starts fail
	fails   bool // all but the first start
	crashes bool // every process, as soon as it has started
	excused bool // it may be down: it finished, or was terminated by hand
}

var errCrash = errors.New("crash")

func newHistory(s supervisor.Strategy) *history {
	h := &history{strategy: s}
	h.node = process.NewNode(process.NodeSpec{Probe: h})
	h.ctx = h.node.Context()
	return h
}

// Wants and Event make a history a Probe: the supervisor's end is part of it.
func (h *history) Wants() process.Kind { return process.Supervised }

func (h *history) Event(e process.Event) {
	if e.Text == supervisor.TextStopping {
		h.mu.Lock()
		h.ending = true
		h.mu.Unlock()
		h.note("the supervisor ends: %s", reason(e.Reason))
	}
}

func (h *history) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	line := fmt.Sprintf(format, args...)
	if n := len(h.lines); n > 0 && h.lines[n-1] == line || n > 1 && h.lines[n-2] == line {
		line = "..." // over and over
		if h.lines[n-1] == line {
			return
		}
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > 40 { // the end is what counts
		h.lines = slices.Delete(h.lines, 0, 1)
	}
}

// breaks records the first law that is broken.
func (h *history) breaks(law, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.law == nil {
		h.law = &breach{law, fmt.Sprintf(format, args...), slices.Clone(h.lines)}
	}
}

func (h *history) breach() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.law == nil {
		return nil
	}
	return h.law
}

// begin starts the supervisor with the kids.
func (h *history) begin(spec supervisor.Spec) {
	spec.Strategy, spec.Period = h, period
	for i, k := range h.kids {
		k.h, k.place, k.id = h, i, string(rune('a'+i))
		spec.Children = append(spec.Children, supervisor.Child{ID: k.id, Restart: k.restart, Start: k.start,
			Significant: spec.AutoShutdown != supervisor.Never && k.restart != supervisor.Permanent})
		h.note("%s is %v", k.id, k.restart)
	}
	top, err := supervisor.Start(h.ctx, spec)
	if err != nil {
		panic(fmt.Sprintf("supervisortest: the supervisor does not start: %v", err))
	}
	h.top = top
}

// random is a history of up to twenty things, made from a seed.
func (h *history) random(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	for range 1 + r.IntN(6) {
		h.kids = append(h.kids, &kid{restart: supervisor.Restart(r.IntN(3))})
	}
	h.begin(supervisor.Spec{Intensity: 1 + r.IntN(5), AutoShutdown: supervisor.AutoShutdown(r.IntN(3))})
	for range 20 {
		k := h.kids[r.IntN(len(h.kids))]
		if r.IntN(3) == 0 {
			h.kids[r.IntN(len(h.kids))].failing = 1 + r.IntN(3)
		}
		switch r.IntN(6) {
		case 0:
			time.Sleep(time.Duration(r.Int64N(int64(2 * period))))
		case 1:
			h.terminate(k)
		case 2:
			k.end(nil)
		default:
			k.end(errCrash)
		}
		if !h.settle() {
			return
		}
		h.allThere()
	}
}

// hopeless is a history with one child that no restart can help.
func (h *history) hopeless(how func(*kid)) {
	bad := &kid{}
	how(bad)
	h.kids = []*kid{{}, bad, {}}
	h.begin(supervisor.Spec{Intensity: 3})
	bad.end(errCrash)
	for range manyAtOnce {
		synctest.Wait()
		if h.breach() != nil || !h.top.Alive() {
			return
		}
		h.sleep()
	}
}

// settle waits until no child is restarting, and reports whether the supervisor
// is still there.
func (h *history) settle() bool {
	for range manyAtOnce {
		synctest.Wait()
		if h.breach() != nil {
			return false
		}
		infos, err := supervisor.WhichChildren(h.ctx, h.top)
		if err != nil {
			return false // it has ended
		}
		if !slices.ContainsFunc(infos, func(c supervisor.ChildInfo) bool { return c.Status == supervisor.Restarting }) {
			return true
		}
		h.sleep()
	}
	h.breaks("bounded", "a child is still restarting after %d waits", manyAtOnce)
	return false
}

// sleep lets the latest wait pass.
func (h *history) sleep() {
	h.mu.Lock()
	until := h.waits
	h.mu.Unlock()
	time.Sleep(max(goodbye, time.Until(until)))
}

// allThere checks, while all is quiet, that nobody is missing.
func (h *history) allThere() {
	for _, k := range h.kids {
		switch alive := k.pid.Alive(); {
		case alive && k.restart == supervisor.Temporary && k.starts > 1:
			h.breaks("typed", "%s is temporary, and was started again", k.id)
		case alive:
			k.excused = false
		case !k.excused && k.restart != supervisor.Temporary:
			h.breaks("nothing is lost", "all is quiet, and %s, which is %v, is not running", k.id, k.restart)
		}
	}
}

// terminate stops a child by hand.
func (h *history) terminate(k *kid) {
	h.note("%s is terminated by hand", k.id)
	k.excused = true
	switch err := supervisor.TerminateChild(h.ctx, h.top, k.id); {
	case err == nil, errors.Is(err, supervisor.ErrNotFound):
	default:
		panic(fmt.Sprintf("supervisortest: %v", err))
	}
}

// finish ends the supervisor, if it has not ended, and looks for what is left.
func (h *history) finish() {
	if h.top.Alive() {
		// Refused only if it has just ended.
		_ = process.Stop(h.ctx, h.top, process.ErrShutdown)
	}
	synctest.Wait()
	if left := h.node.Processes(); len(left) > 0 {
		h.breaks("nothing is orphaned", "the supervisor has ended, and these have not: %v", left)
	}
	// What is left then has been told above.
	_ = h.node.Stop(context.Background())
}
