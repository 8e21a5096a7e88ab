package statem

import (
	"context"
	"fmt"
	"time"
)

// A Turn is one call of a handler: it says on whose behalf the handler acts,
// and collects what the handler asks for. Nothing is done before the handler
// has returned, so a handler can be called in a test with a zero Turn, without
// any process:
//
//	var t statem.Turn[event]
//	next, err := c.onHello(&t, record{})
//	// next, err and t.Effects() are all that happened.
//
// A Turn belongs to its handler and is of no use after it; a Turn that was
// kept panics.
type Turn[E any] struct {
	ctx   context.Context
	place place
	fx    Effects[E]
	fault error // the first thing that may not be asked for in this place
}

// Effects is what a handler asked for.
type Effects[E any] struct {
	Postponed bool        // the event is to be handled again in another state
	Repeated  bool        // the state is to be entered again
	Inserted  []E         // events to be handled before all others, in this order
	Replies   []Answer    // answers to callers, in this order
	Timeouts  []Change[E] // changes of time-outs; the last one of each counts
}

// Effects returns what has been asked for up to now. It is for tests.
func (t *Turn[E]) Effects() Effects[E] { return t.fx }

// Context returns the process's ctx, to call, send, start and monitor with.
func (t *Turn[E]) Context() context.Context {
	t.check()
	if t.ctx == nil {
		return context.Background()
	}
	return t.ctx
}

// Postpone puts the event aside. It is handled again after the next change of
// state (a state entered again is no change), before what arrived later.
func (t *Turn[E]) Postpone() {
	t.only("Postpone", inHandler)
	t.fx.Postponed = true
}

// Insert has events handled right after this one, before everything that
// waits, in the order given: OTP's next_event. What is inserted can be any
// event, also one that otherwise comes from elsewhere.
func (t *Turn[E]) Insert(events ...E) {
	t.only("Insert", inHandler, inExpired, inInit)
	t.fx.Inserted = append(t.fx.Inserted, events...)
}

// Repeat enters the state again: its Enter is called, as after a change of
// state, but postponed events stay aside and the state time-out runs on. It
// goes with a handler that returns the state it is in. In Enter itself it has
// Enter called once more.
func (t *Turn[E]) Repeat() {
	t.only("Repeat", inHandler, inExpired, inEnter)
	t.fx.Repeated = true
}

// Reply answers callers. The answers leave as soon as the handler returns:
// before Enter, and before Terminate if the handler ends the process.
func (t *Turn[E]) Reply(answers ...Answer) {
	t.check()
	t.fx.Replies = append(t.fx.Replies, answers...)
}

// Timeout starts a time-out: after d, ev comes as an event. A time-out of that
// name that runs already is replaced, and its event never comes.
//
// Zero delivers ev as soon as no inserted or retried event is ahead, before
// the mailbox is read; several come in the order they were started.
// [process.Infinity] is Cancel. Any other negative d is zero.
func (t *Turn[E]) Timeout(which Timeout, d time.Duration, ev E) {
	t.change(Change[E]{Which: which, Op: Start, After: d, Event: ev})
}

// TimeoutAt is Timeout for a point in time. One that has passed is due at once.
func (t *Turn[E]) TimeoutAt(which Timeout, at time.Time, ev E) {
	t.change(Change[E]{Which: which, Op: StartAt, At: at, Event: ev})
}

// Update replaces the event of a running time-out, which fires when it would
// have. One that does not run is started with no delay.
func (t *Turn[E]) Update(which Timeout, ev E) {
	t.change(Change[E]{Which: which, Op: Update, Event: ev})
}

// Cancel ends a time-out: its event never comes, not even if it was due
// already. Cancelling what does not run is fine.
func (t *Turn[E]) Cancel(which Timeout) { t.change(Change[E]{Which: which, Op: Cancel}) }

func (t *Turn[E]) change(c Change[E]) {
	t.only("a time-out", inHandler, inExpired, inEnter, inInit)
	t.fx.Timeouts = append(t.fx.Timeouts, c)
}

// A place is the func of a Spec that has the Turn. The zero Turn is that of a
// handler.
type place int

const (
	inHandler place = iota
	inExpired
	inEnter
	inInit
	inTerminate
	nowhere // between two turns
)

func (p place) String() string {
	return [...]string{"On", "Expired", "Enter", "Init", "Terminate", "no handler"}[p]
}

// open makes the Turn ready for a handler.
func (t *Turn[E]) open(ctx context.Context, p place) *Turn[E] {
	t.ctx, t.place, t.fault = ctx, p, nil
	t.fx.reset()
	return t
}

// reset empties the lists and keeps their space, but nothing that they held.
func (fx *Effects[E]) reset() {
	clear(fx.Inserted)
	clear(fx.Replies)
	clear(fx.Timeouts)
	*fx = Effects[E]{Inserted: fx.Inserted[:0], Replies: fx.Replies[:0], Timeouts: fx.Timeouts[:0]}
}

// check refuses a Turn that outlived its handler: what it was asked for would
// be lost, or be done in the name of another event.
func (t *Turn[E]) check() {
	if t.place == nowhere {
		panic("statem: Turn used after its handler returned: send the process an event instead")
	}
}

// only notes a fault unless the Turn is in one of the places. The process ends
// with it when the handler returns; there is no way to go on half asked for.
func (t *Turn[E]) only(what string, places ...place) {
	t.check()
	for _, p := range places {
		if t.place == p {
			return
		}
	}
	if t.fault == nil {
		t.fault = fmt.Errorf("%w: %s in %v", ErrMisuse, what, t.place)
	}
}
