package statem

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A runner is the process of a machine. All of it is owned by that process.
type runner[S comparable, E, D any] struct {
	machine *Machine[S, E, D]
	ctx     context.Context // the process itself; Handle's belongs to one request
	alive   context.Context // the same, but cancelled only when the process may not act any more
	rule    rule[S, E]
	in      S              // where the machine is; rule follows when Enter has returned
	row     State[S, E, D] // of in
	data    *D
	turn    Turn[E]
	begun   bool
	hand    item[E] // being handled
	unseen  bool    // hand is not what came by the mailbox, so reports do not know it
	timers  map[Timeout]*process.Timer
	probe   process.Probe // of package system; nil: nobody listens
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
	if r.machine.init == nil {
		return errNoInit
	}
	if name := r.machine.name; name != "" && process.Self(ctx).Name() != name {
		return fmt.Errorf("%w: the process of machine %q is not registered under that name", ErrMisuse, name)
	}
	r.ctx, r.alive = ctx, process.Uninterrupted(ctx)
	t := r.turn.open(ctx, inInit)
	first, data, err := r.machine.init(t)
	t.place = nowhere
	if err = cmp.Or(err, t.fault); err != nil {
		return err
	}
	if !slices.Contains(r.machine.spec.First, first) {
		return fmt.Errorf("%w: Init named state %v, which First does not list", ErrMisuse, first)
	}
	r.in, r.row, r.data = first, r.machine.spec.States[first], data
	return process.SendSelf(ctx, begin{})
}

// Handle takes one thing from the mailbox, and then everything that comes
// before the next one. The machine begins with whatever is first in the
// mailbox: somebody may have written to its name while Init ran.
func (r *runner[S, E, D]) Handle(ctx context.Context, msg any) error {
	if !r.begun {
		r.begun = true
		if err := r.begin(); err != nil {
			return err
		}
		if err := r.drain(); err != nil {
			return err
		}
	}
	it, ok, err := r.receive(ctx, msg)
	if err != nil || !ok {
		return err
	}
	if r.probe != nil {
		r.listen(ctx, msg, it)
	}
	_, byTimer := msg.(fired)
	if err := r.step(it, byTimer); err != nil {
		return err
	}
	return r.drain()
}

// drain handles what is ahead of the mailbox. A process that has been ended
// from outside handles no further event; one that is told to stop does, up to
// the signal's place in its mailbox.
func (r *runner[S, E, D]) drain() error {
	for r.alive.Err() == nil {
		it, ok := r.rule.next()
		if !ok {
			break
		}
		if err := r.step(it, true); err != nil {
			return err
		}
	}
	return nil
}

// receive turns what came by the mailbox into an event. What nobody expected
// is reported and dropped.
func (r *runner[S, E, D]) receive(ctx context.Context, msg any) (it item[E], ok bool, err error) {
	switch msg := msg.(type) {
	case begin:
		return it, false, nil
	case fired:
		delete(r.timers, msg.which)
		it, ok = r.rule.fire(msg.which)
		return it, ok, nil
	case interface{ event() E }:
		return item[E]{event: msg.event()}, true, nil
	case *process.Down:
		if as, isOurs := msg.Tag.(func(process.Down) E); isOurs {
			return item[E]{event: as(*msg)}, true, nil
		}
	case *process.ExitSignal:
		if as := r.machine.spec.Exit; as != nil {
			return item[E]{event: as(*msg)}, true, nil
		}
		if process.Clean(msg.Reason) {
			return it, false, nil
		}
		return it, false, &process.ExitError{PID: msg.From, Name: msg.From.Path(), Reason: msg.Reason}
	case E:
		return item[E]{event: msg}, true, nil
	}
	process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelWarn, Text: "unexpected message", Msg: msg})
	return it, false, nil
}

// begin enters the first state and starts what Init asked for.
func (r *runner[S, E, D]) begin() error {
	r.send()
	if err := r.enter(r.in); err != nil {
		return err
	}
	r.rule.begin(r.in, &r.turn.fx)
	r.setTimers()
	return nil
}

// step handles one event, from the handler to the timers.
func (r *runner[S, E, D]) step(it item[E], unseen bool) error {
	r.hand, r.unseen = it, unseen
	from, fx := r.in, &r.turn.fx
	to, err := r.handle(it)
	r.send()
	if err != nil {
		return err
	}
	if to != from {
		r.in, r.row = to, r.machine.spec.States[to]
	}
	if to != from || fx.Repeated {
		if err := r.enter(from); err != nil {
			return err
		}
	}
	if r.probe != nil {
		r.listenTo(it, from, to)
	}
	r.rule.transition(it, to, fx)
	r.setTimers()
	if to != from && process.Wants(r.ctx, process.Changed, process.LevelQuiet) {
		process.Emit(r.ctx, process.Event{Kind: process.Changed, Text: "state changed", Msg: it.event, Detail: change{from, to}})
	}
	r.hand, r.unseen = item[E]{}, false
	return nil
}

// A change is the detail of the event that tells of a change of state.
type change struct{ from, to any }

func (c change) Each(f func(key string, value any)) {
	f("from", c.from)
	f("to", c.to)
}

// handle calls the handler of the event and checks what it did.
func (r *runner[S, E, D]) handle(it item[E]) (to S, err error) {
	t := &r.turn
	if it.expired {
		to, err = r.row.Expired(r.data, t.open(r.ctx, inExpired))
	} else {
		to, err = r.row.On(r.data, t.open(r.ctx, inHandler), it.event)
	}
	t.place = nowhere
	if err = cmp.Or(err, t.fault); err != nil {
		return to, err
	}
	return to, r.row.allows(r.in, to, t.fx.Repeated)
}

// allows refuses a state that the row does not list. The process ends there:
// to go on would be to run a machine that nobody has drawn.
func (row *State[S, E, D]) allows(from, to S, repeated bool) error {
	switch {
	case to == from:
		return nil
	case !slices.Contains(row.To, to):
		return fmt.Errorf("%w: state %v returned %v, which its To does not list", ErrMisuse, from, to)
	case repeated:
		return fmt.Errorf("%w: state %v asked for Repeat and returned another state, %v", ErrMisuse, from, to)
	}
	return nil
}

// enter calls Enter of the row that is now in force. What it asks for joins
// what the handler asked for, so that for a time-out the last of both counts.
func (r *runner[S, E, D]) enter(from S) error {
	if r.row.Enter == nil {
		return nil
	}
	t := &r.turn
	for again := true; again && r.alive.Err() == nil; again = t.fx.Repeated {
		t.ctx, t.place, t.fx.Repeated = r.ctx, inEnter, false
		err := r.row.Enter(r.data, t, from)
		t.place = nowhere
		r.send()
		if err = cmp.Or(err, t.fault); err != nil {
			return err
		}
	}
	return nil
}

// Terminate calls the user's.
func (r *runner[S, E, D]) Terminate(ctx context.Context, reason error) error {
	if r.probe != nil {
		r.probe.Event(process.Event{Kind: process.Exited, PID: process.Self(ctx), Reason: reason})
	}
	terminate := r.machine.spec.Terminate
	if terminate == nil {
		return nil
	}
	t := r.turn.open(ctx, inTerminate)
	err := terminate(r.data, t, r.in, reason)
	t.place = nowhere
	r.send()
	return cmp.Or(err, t.fault)
}

// setTimers does to real timers what the rule has ordered. A timer that is
// stopped never delivers its message, even if that is queued already.
func (r *runner[S, E, D]) setTimers() {
	for _, o := range r.rule.orders {
		if o.stop {
			r.timers[o.which].Stop()
			delete(r.timers, o.which)
			continue
		}
		d := o.after
		if !o.at.IsZero() {
			d = max(0, time.Until(o.at))
		}
		if r.timers == nil {
			r.timers = make(map[Timeout]*process.Timer)
		}
		r.timers[o.which] = process.After(r.ctx, d, fired{o.which})
	}
	r.rule.orders = r.rule.orders[:0]
}

// send sends the answers that the turn has collected.
func (r *runner[S, E, D]) send() {
	if r.probe != nil {
		r.listenToReplies()
	}
	r.turn.fx.send()
}

// send sends the answers, in the order in which they were given. Whether
// somebody still waits for one is no business of the machine's.
func (fx *Effects[E]) send() {
	for _, a := range fx.Replies {
		a.Send()
	}
	clear(fx.Replies)
	fx.Replies = fx.Replies[:0]
}
