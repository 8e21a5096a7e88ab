package supervisortest

import (
	"errors"
	"reflect"
	"time"

	"github.com/coppice-go/coppice/supervisor"
)

// errBroken ends a supervisor whose strategy has broken a law.
var errBroken = errors.New("supervisortest: a law is broken")

// manyAtOnce is how many decisions a strategy may take while no time passes and
// nobody but itself is the cause: far more than any intensity used here.
const manyAtOnce = 200

// Decide asks the strategy, and checks the answer on its own: all the laws that
// need no more than one decision.
func (h *history) Decide(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan {
	p := h.strategy.Decide(v, e, now)
	c := v.At(e.Child)
	h.note("%s %v (%s): %v", c.ID, e.Kind, reason(e.Reason), p.String())
	h.fair(p, h.strategy.Decide(v, e, now))
	h.sound(p, v.Len())
	h.typed(p, c, e)
	h.obedient(p, v, c, e)
	h.bounded(p, e, now)
	if h.breach() != nil {
		return supervisor.Plan{End: errBroken}
	}
	return p
}

func (h *history) fair(p, again supervisor.Plan) {
	if !reflect.DeepEqual(p, again) {
		h.breaks("pure", "asked twice, it answered first %+v, then %+v", p, again)
	}
}

func (h *history) sound(p supervisor.Plan, n int) {
	for field, s := range map[string]supervisor.Span{"Stop": p.Stop, "Start": p.Start} {
		if s.Len() > 0 && (s.From < 0 || s.To > n) {
			h.breaks("sound", "%s is %d to %d, and there are %d children", field, s.From, s.To, n)
		}
	}
	if p.Wait < 0 {
		h.breaks("sound", "Wait is %v", p.Wait)
	}
}

func (h *history) typed(p supervisor.Plan, c supervisor.ChildView, e supervisor.Event) {
	switch {
	case p.End != nil:
	case c.Restart == supervisor.Permanent && p.Drop:
		h.breaks("typed", "%s is permanent, and dropped", c.ID)
	case e.Kind != supervisor.Exited || c.Restart.Wants(e.Reason):
	case p.Start.Len() > 0 || p.Wait > 0 || p.Stop.Len() > 1:
		h.breaks("typed", "%s is %v and ended with %s, so nobody is to be restarted", c.ID, c.Restart, reason(e.Reason))
	case c.Restart == supervisor.Temporary && !p.Drop:
		h.breaks("typed", "%s is temporary, and not dropped", c.ID)
	}
}

func (h *history) obedient(p supervisor.Plan, v supervisor.View, c supervisor.ChildView, e supervisor.Event) {
	if e.Kind != supervisor.Exited || !c.Significant || c.Restart.Wants(e.Reason) {
		return
	}
	over := v.AutoShutdown() != supervisor.Never
	for i := range v.Len() {
		other := v.At(i)
		if v.AutoShutdown() == supervisor.AllSignificant && other.Significant && other.Status != supervisor.Down {
			over = false
		}
	}
	if over && p.End == nil {
		h.breaks("obedient", "%s was significant and has ended, auto-shutdown is %v, and the plan does not End", c.ID, v.AutoShutdown())
	}
}

// bounded counts the decisions of one instant, and those in a row that only
// wait.
func (h *history) bounded(p supervisor.Plan, e supervisor.Event, now time.Time) {
	if !now.Equal(h.instant) {
		h.instant, h.atOnce = now, 0
	}
	if h.atOnce++; h.atOnce > manyAtOnce {
		h.breaks("bounded", "there were more than %d restarts while no time passed: Count them, and End when they are too many, or Wait", manyAtOnce)
	}
	if e.Kind != supervisor.WaitOver || p.Wait == 0 {
		h.idle = 0
	} else if h.idle++; h.idle > manyAtOnce {
		h.breaks("bounded", "after %d waits in a row nothing was tried", h.idle)
	}
	if p.Wait > 0 {
		h.mu.Lock()
		h.waits = now.Add(p.Wait)
		h.mu.Unlock()
	}
}

// reason is a reason in a word.
func reason(err error) string {
	if err == nil {
		return "normal"
	}
	return err.Error()
}
