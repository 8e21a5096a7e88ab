package statem

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// This file is what package process/system needs of a machine.

// A Snapshot is the state of a machine as system.State shows it, and as
// system.ReplaceState takes it. Data is copied; what it points to belongs to
// the process.
type Snapshot[S, D any] struct {
	State S
	Data  D
}

// SystemState gives a copy of the Snapshot.
func (r *runner[S, E, D]) SystemState() any {
	now := Snapshot[S, D]{State: r.in}
	if r.data != nil {
		now.Data = *r.data
	}
	return &now
}

// SetSystemState puts the machine into a state as if it had been there all the
// time: it does not enter it, retries nothing and stops no time-out.
func (r *runner[S, E, D]) SetSystemState(state any) error {
	s, ok := state.(*Snapshot[S, D])
	if !ok {
		return fmt.Errorf("statem: the state is a %T, not what a %T points to", Snapshot[S, D]{}, state)
	}
	row, ok := r.machine.spec.States[s.State]
	if !ok {
		return fmt.Errorf("statem: state %v is not in the table of %s", s.State, r.machine.spec.title())
	}
	r.in, r.row, r.rule.state = s.State, row, s.State
	if r.data == nil {
		r.data = new(D)
	}
	*r.data = s.Data
	return nil
}

// SystemStatus shows what waits besides the mailbox: the postponed events,
// oldest first, and the time-outs that run, by name.
func (r *runner[S, E, D]) SystemStatus(f func(key string, value any)) {
	f("postponed", eventsOf(r.rule.postponed))
	f("timeouts", r.rule.armedTimeouts())
}

// SystemProbe is where package system listens.
func (r *runner[S, E, D]) SystemProbe() *process.Probe { return &r.probe }

// listen tells it of an event that came by the mailbox; a time-out has its name
// as Text.
func (r *runner[S, E, D]) listen(ctx context.Context, msg any, it item[E]) {
	e := process.Event{Kind: process.Received, PID: process.Self(r.ctx), Msg: it.event}
	if f, ok := msg.(fired); ok {
		e.Text = string(f.which)
	}
	if c := process.CallOf(ctx); c != nil {
		e.Peer = c.From()
	}
	r.probe.Event(e)
}

// listenTo tells it what a turn did: the answers, what was inserted and
// postponed, and where the machine went.
func (r *runner[S, E, D]) listenTo(it item[E], from, to S) {
	e := process.Event{PID: process.Self(r.ctx)}
	fx := &r.turn.fx
	if fx.Postponed {
		e.Kind, e.Text, e.Msg = process.Handled, "postponed", it.event
		r.probe.Event(e)
	}
	if to != from {
		e.Kind, e.Text, e.Msg, e.Detail = process.Changed, "changed state to", to, change{from, to}
		r.probe.Event(e)
		e.Detail = nil
	}
	for _, ev := range fx.Inserted {
		e.Kind, e.Text, e.Msg = process.Received, "inserted", ev
		r.probe.Event(e)
	}
}

// listenToReplies tells it what callers were answered.
func (r *runner[S, E, D]) listenToReplies() {
	for _, a := range r.turn.fx.Replies {
		e := process.Event{Kind: process.Replied, PID: process.Self(r.ctx), Msg: a.Value, Reason: a.Err}
		if to, ok := a.to.(interface{ From() process.PID }); ok {
			e.Peer = to.From()
		}
		r.probe.Event(e)
	}
}
