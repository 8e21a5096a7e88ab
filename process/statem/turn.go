package statem

import (
	"context"
	"fmt"
	"slices"
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
	asked *asked[E] // nil: nothing has been asked for
	stock *stock[E] // where asked comes from; nil: this is a test's
	place place
	begun bool // the process has entered its first state
}

// Effects is what a handler asked for.
type Effects[E any] struct {
	Postponed bool        // the event is to be handled again in another state
	Repeated  bool        // the state is to be entered again
	Inserted  []E         // events to be handled before all others, in this order
	Replies   []Answer    // answers to callers, in this order
	Timeouts  []Change[E] // changes of time-outs; the last one of each counts
}

// asked is what a Turn has collected.
type asked[E any] struct {
	Effects[E]
	fault error // the first thing that may not be asked for in this place
}

// Effects returns what has been asked for up to now. It is for tests.
func (t *Turn[E]) Effects() Effects[E] {
	if t.asked == nil {
		return Effects[E]{}
	}
	fx := t.asked.Effects // its lists are used again
	fx.Inserted, fx.Replies, fx.Timeouts = slices.Clone(fx.Inserted), slices.Clone(fx.Replies), slices.Clone(fx.Timeouts)
	return fx
}

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
	t.only("Postpone", inHandler).Postponed = true
}

// Insert has events handled right after this one, before everything that
// waits, in the order given: OTP's next_event. What is inserted can be any
// event, also one that otherwise comes from elsewhere.
func (t *Turn[E]) Insert(events ...E) {
	a := t.only("Insert", inHandler, inExpired, inInit)
	a.Inserted = append(a.Inserted, events...)
}

// Repeat enters the state again: its Enter is called, as after a change of
// state, but postponed events stay aside and the state time-out runs on. It
// goes with a handler that returns the state it is in. In Enter itself it has
// Enter called once more.
func (t *Turn[E]) Repeat() {
	t.only("Repeat", inHandler, inExpired, inEnter).Repeated = true
}

// Reply answers callers. The answers leave as soon as the handler returns:
// before Enter, and before Terminate if the handler ends the process.
func (t *Turn[E]) Reply(answers ...Answer) {
	a := t.ask()
	a.Replies = append(a.Replies, answers...)
}

// Timeout starts a time-out: after d, ev comes as an event. A time-out of that
// name that runs already is replaced, and its event never comes.
//
// Zero delivers ev as soon as no inserted or retried event is ahead, before
// the mailbox is read; several come in the order they were started.
// [process.Infinity] is Cancel. Any other negative d is zero.
func (t *Turn[E]) Timeout(which Timeout, d time.Duration, ev E) {
	c := t.change(which, Start)
	c.After, c.Event = d, ev
}

// TimeoutAt is Timeout for a point in time. One that has passed is due at once.
func (t *Turn[E]) TimeoutAt(which Timeout, at time.Time, ev E) {
	c := t.change(which, StartAt)
	c.At, c.Event = at, ev
}

// Update replaces the event of a running time-out, which fires when it would
// have. One that does not run is started with no delay.
func (t *Turn[E]) Update(which Timeout, ev E) { t.change(which, Update).Event = ev }

// Cancel ends a time-out: its event never comes, not even if it was due
// already. Cancelling what does not run is fine.
func (t *Turn[E]) Cancel(which Timeout) { t.change(which, Cancel) }

// change asks for a change of a time-out, the rest of which is to be filled in.
func (t *Turn[E]) change(which Timeout, op Op) *Change[E] {
	a := t.only("a time-out", inHandler, inExpired, inEnter, inInit)
	a.Timeouts = append(a.Timeouts, Change[E]{Which: which, Op: op})
	return &a.Timeouts[len(a.Timeouts)-1]
}

// A place is the func of a Spec that has the Turn. The zero Turn is that of a
// handler.
type place uint8

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

// check refuses a Turn that outlived its handler: what it was asked for would
// be lost, or be done in the name of another event.
func (t *Turn[E]) check() {
	if t.place == nowhere {
		panic("statem: Turn used after its handler returned: send the process an event instead")
	}
}

// ask returns where to put what is asked for.
func (t *Turn[E]) ask() *asked[E] {
	t.check()
	if t.asked == nil {
		t.asked = t.stock.newAsked()
	}
	return t.asked
}

// only is ask for what may be asked for in some places. Anywhere else it is a
// fault: the process ends with it when the handler returns; there is no way to
// go on half asked for.
func (t *Turn[E]) only(what string, places ...place) *asked[E] {
	a := t.ask()
	if !slices.Contains(places, t.place) {
		a.misused(what, t.place)
	}
	return a
}

// misused notes the first fault.
func (a *asked[E]) misused(what string, in place) {
	if a.fault == nil {
		a.fault = fmt.Errorf("%w: %s in %v", ErrMisuse, what, in)
	}
}

// fault is the first thing that was asked for and may not be.
func (t *Turn[E]) fault() error {
	if t.asked == nil {
		return nil
	}
	return t.asked.fault
}

// repeated reports whether the state is to be entered again.
func (t *Turn[E]) repeated() bool { return t.asked != nil && t.asked.Repeated }

// effects are what has been asked for, nil if nothing has.
func (t *Turn[E]) effects() *Effects[E] {
	if t.asked == nil {
		return nil
	}
	return &t.asked.Effects
}

// remain reports whether anything is to be done yet. The answers and the Enter
// are done with.
func (fx *Effects[E]) remain() bool {
	return fx != nil && (fx.Postponed || len(fx.Inserted)+len(fx.Timeouts) > 0)
}

// close forgets what was asked for: it is done.
func (t *Turn[E]) close() {
	if t.asked != nil {
		t.stock.takeBack(t.asked)
		t.asked = nil
	}
}
