package statem

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A runner is the process of a machine. All of it is owned by that process.
//
// There may be millions, nearly all of them idle, so it is kept to 64 bytes (a
// test says so); what else it needs now and then is in its stock. And since the
// goroutine of a process is born with little stack, what is on the way of every
// event is kept small, with what is rare in functions of its own.
type runner[S comparable, E, D any] struct {
	at     *row[S, E, D] // where the machine is
	data   *D
	agenda *agenda[E] // nil: nothing is to come but by the mailbox
	turn   Turn[E]
}

// begin is the message with which a process starts to run its machine.
type begin struct{}

// fired is the message of a timer.
type fired struct{ which Timeout }

// TypedRef makes the process known by its own type.
func (r *runner[S, E, D]) TypedRef(pid process.PID) any { return Ref[E]{pid} }

// Takes implements [process.Taker]: what it takes are its events.
func (r *runner[S, E, D]) Takes(message reflect.Type) bool {
	return message.AssignableTo(reflect.TypeFor[E]())
}

// Init calls the user's. The caller of Start waits for it, so that everything
// else is left for later; see Handle.
func (r *runner[S, E, D]) Init(ctx context.Context) error {
	m, t := r.at.of, &r.turn
	if m.init == nil {
		return errNoInit
	}
	if m.name != "" && process.Self(ctx).Name() != m.name {
		return fmt.Errorf("%w: the process of machine %q is not registered under that name", ErrMisuse, m.name)
	}
	t.ctx, t.place = ctx, inInit
	first, data, err := m.init(t)
	t.place = nowhere
	if err = cmp.Or(err, t.fault()); err != nil {
		return err
	}
	row := r.at.to(first)
	if row == nil {
		return fmt.Errorf("%w: Init named state %v, which First does not list", ErrMisuse, first)
	}
	r.at, r.data = row, data
	if t.begun = row.Enter == nil && row.Timeout == 0 && t.asked == nil; t.begun {
		return nil // nothing is left to do
	}
	return process.SendSelf(ctx, begin{})
}

// Handle takes one thing from the mailbox, and then everything that comes
// before the next one. The machine begins with whatever is first in the
// mailbox: somebody may have written to its name while Init ran.
func (r *runner[S, E, D]) Handle(ctx context.Context, msg any) error {
	if !r.turn.begun {
		if err := r.begin(); err != nil {
			return err
		}
	}
	it, ok, err := r.receive(ctx, msg)
	if ok {
		err = r.step(it)
	}
	if err == nil && r.agenda != nil {
		err = r.drain()
	}
	return err
}

// drain handles what is ahead of the mailbox. A process that has been ended
// from outside handles no further event; one that is told to stop does, up to
// the signal's place in its mailbox.
func (r *runner[S, E, D]) drain() error {
	for r.alive() {
		it, ok := r.agenda.next()
		if !ok {
			break
		}
		r.agenda.hold(it)
		if err := r.step(it); err != nil {
			return err
		}
	}
	if r.agenda.isDone() {
		r.turn.stock.takeBackAgenda(r.agenda)
		r.agenda = nil
	}
	return nil
}

// alive reports whether the process may still act.
func (r *runner[S, E, D]) alive() bool { return process.Self(r.turn.ctx).Alive() }

// receive turns what came by the mailbox into an event, and tells of it whoever
// listens.
func (r *runner[S, E, D]) receive(ctx context.Context, msg any) (it item[E], ok bool, err error) {
	it, ok, err = r.open(ctx, msg)
	if ok && r.agenda != nil {
		r.listen(ctx, msg, it)
	}
	return it, ok, err
}

// open takes the event out of a message.
func (r *runner[S, E, D]) open(ctx context.Context, msg any) (it item[E], ok bool, err error) {
	switch msg.(type) {
	case begin, fired, *process.Down, *process.ExitSignal:
		return r.signalled(ctx, msg)
	case process.Requester:
		if q, isOurs := msg.(interface{ event() E }); isOurs {
			return item[E]{event: q.event()}, true, nil
		}
	}
	if it.event, ok = msg.(E); !ok {
		r.unexpected(ctx, msg)
	}
	return it, ok, nil
}

// signalled is open for what is not sent as an event.
func (r *runner[S, E, D]) signalled(ctx context.Context, msg any) (it item[E], ok bool, err error) {
	switch msg := msg.(type) {
	case fired:
		if it, ok = r.agenda.fire(msg.which); ok {
			r.agenda.hold(it)
		}
	case *process.Down:
		as, isOurs := msg.Tag.(func(process.Down) E)
		if !isOurs {
			r.unexpected(ctx, msg)
			break
		}
		return item[E]{event: as(*msg)}, true, nil
	case *process.ExitSignal:
		if as := r.at.of.spec.Exit; as != nil {
			return item[E]{event: as(*msg)}, true, nil
		}
		if !process.Clean(msg.Reason) {
			err = &process.ExitError{PID: msg.From, Name: msg.From.Path(), Reason: msg.Reason}
		}
	}
	return it, ok, err
}

// unexpected reports what is then dropped.
//
//go:noinline
func (r *runner[S, E, D]) unexpected(ctx context.Context, msg any) {
	process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelWarn, Text: "unexpected message", Msg: msg})
}

// begin enters the first state and does what Init asked for.
func (r *runner[S, E, D]) begin() error {
	r.turn.begun = true
	if r.turn.asked != nil {
		r.send()
	}
	if err := r.enter(r.at.state); err != nil {
		return err
	}
	fx := r.turn.effects()
	if r.at.Timeout == 0 && !fx.remain() {
		r.turn.close()
		return nil
	}
	fx.readClock()
	r.plan().begin(r.at.Timeout, fx)
	r.turn.close()
	r.setTimers()
	return r.drain()
}

// step handles one event, from the handler to the timers.
func (r *runner[S, E, D]) step(it item[E]) error {
	var to S
	var err error
	if t := &r.turn; it.expired {
		t.place = inExpired
		to, err = r.at.Expired(r.data, t)
	} else {
		t.place = inHandler
		to, err = r.at.On(r.data, t, it.event)
	}
	r.turn.place = nowhere
	if r.turn.asked != nil {
		r.send()
	} else if err == nil && to == r.at.state && r.agenda == nil {
		return nil // nothing has changed but the data
	}
	return r.conclude(it, to, err)
}

// conclude checks what the handler did, and does what it asked for.
func (r *runner[S, E, D]) conclude(it item[E], to S, err error) error {
	if err = cmp.Or(err, r.turn.fault()); err != nil {
		return err
	}
	from := r.at
	changed := to != from.state
	if changed {
		next := from.to(to)
		if next == nil || r.turn.repeated() {
			return from.refuse(to)
		}
		r.at = next
	}
	if changed || r.turn.repeated() {
		if err := r.enter(from.state); err != nil {
			return err
		}
	}
	if r.agenda != nil {
		r.listenTo(it, from.state, to)
	}
	r.transition(it, changed)
	r.turn.close()
	if changed && process.Wants(r.turn.ctx, process.Changed, process.LevelQuiet) {
		r.tell(it, from.state)
	}
	return nil
}

// transition has the rule say what is next, unless that can only be the mailbox.
func (r *runner[S, E, D]) transition(it item[E], changed bool) {
	var limit time.Duration
	if changed {
		limit = r.at.Timeout
	}
	fx := r.turn.effects()
	if r.agenda == nil && limit == 0 && !fx.remain() {
		return
	}
	fx.readClock()
	r.plan().transition(it, changed, limit, fx)
	r.agenda.letGo()
	r.setTimers()
}

// plan returns the agenda, which is made if there is none.
func (r *runner[S, E, D]) plan() *agenda[E] {
	if r.agenda == nil {
		r.agenda = r.turn.stock.newAgenda()
	}
	return r.agenda
}

// tell tells the node's probe of a change of state.
func (r *runner[S, E, D]) tell(it item[E], from S) {
	process.Emit(r.turn.ctx, process.Event{Kind: process.Changed, Text: "state changed", Msg: it.event, Detail: change{from, r.at.state}})
}

// A change is the detail of the event that tells of a change of state.
type change struct{ from, to any }

func (c change) Each(f func(key string, value any)) {
	f("from", c.from)
	f("to", c.to)
}

// enter calls Enter of the row that is now in force. What it asks for joins
// what the handler asked for, so that for a time-out the last of both counts.
func (r *runner[S, E, D]) enter(from S) error {
	if r.at.Enter == nil {
		return nil
	}
	t := &r.turn
	for again := true; again && r.alive(); again = t.repeated() {
		if t.place = inEnter; t.asked != nil {
			t.asked.Repeated = false
		}
		err := r.at.Enter(r.data, t, from)
		t.place = nowhere
		if t.asked != nil {
			r.send()
		}
		if err = cmp.Or(err, t.fault()); err != nil {
			return err
		}
	}
	return nil
}

// Terminate calls the user's.
func (r *runner[S, E, D]) Terminate(ctx context.Context, reason error) error {
	if r.agenda != nil {
		r.agenda.stopTimers()
		r.listenToEnd(ctx, reason)
	}
	terminate := r.at.of.spec.Terminate
	if terminate == nil {
		return nil
	}
	t := &r.turn
	t.close()
	t.ctx, t.place = ctx, inTerminate
	err := terminate(r.data, t, r.at.state, reason)
	t.place = nowhere
	if t.asked != nil {
		r.send()
	}
	return cmp.Or(err, t.fault())
}

// setTimers does to real timers what the rule has said. One that is stopped
// never delivers its message, even if that is queued already.
func (r *runner[S, E, D]) setTimers() {
	m := r.agenda
	for _, t := range m.stopped {
		t.Stop()
	}
	m.stopped = emptied(m.stopped)
	for i := range m.timeouts {
		if a := &m.timeouts[i]; a.timer == nil && !a.zero {
			a.timer = process.After(r.turn.ctx, a.after, a.which.fired())
		}
	}
}

// send sends the answers that the turn has collected: at once, whatever comes
// next. Whether somebody still waits for one is no business of the machine's.
func (r *runner[S, E, D]) send() {
	if r.agenda != nil {
		r.listenToReplies()
	}
	a := r.turn.asked
	for i := range a.Replies {
		a.Replies[i].send()
	}
	a.Replies = emptied(a.Replies)
}
