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
	now := Snapshot[S, D]{State: r.at.state}
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
	row, ok := r.at.of.rows[s.State]
	if !ok {
		return fmt.Errorf("statem: state %v is not in the table of %s", s.State, r.at.of.spec.title())
	}
	r.at = row
	if r.data == nil {
		r.data = new(D)
	}
	*r.data = s.Data
	return nil
}

// SystemStatus shows what waits besides the mailbox: the postponed events,
// oldest first, and the time-outs that run, by name.
func (r *runner[S, E, D]) SystemStatus(f func(key string, value any)) {
	var none rule[E]
	m := &none
	if r.agenda != nil {
		m = &r.agenda.rule
	}
	f("postponed", eventsOf(m.postponed))
	f("timeouts", m.armedTimeouts())
}

// SystemProbe is where package system listens.
func (r *runner[S, E, D]) SystemProbe() *process.Probe {
	a := r.plan()
	if a.probe == nil {
		a.probe = new(process.Probe)
	}
	return a.probe
}

// The rest tells it what happens. There is an agenda, but perhaps nobody listens.

// listen tells of an event that came by the mailbox; a time-out has its name as
// Text.
func (r *runner[S, E, D]) listen(ctx context.Context, msg any, it item[E]) {
	probe := r.agenda.listener()
	if probe == nil {
		return
	}
	e := process.Event{Kind: process.Received, PID: process.Self(r.turn.ctx), Msg: it.event}
	if f, ok := msg.(fired); ok {
		e.Text = string(f.which)
	}
	if c := process.CallOf(ctx); c != nil {
		e.Peer = c.From()
	}
	probe.Event(e)
}

// listenTo tells what a turn did: what was inserted and postponed, and where the
// machine went.
func (r *runner[S, E, D]) listenTo(it item[E], from, to S) {
	probe := r.agenda.listener()
	if probe == nil {
		return
	}
	e := process.Event{PID: process.Self(r.turn.ctx)}
	fx := r.turn.Effects()
	if fx.Postponed {
		e.Kind, e.Text, e.Msg = process.Handled, "postponed", it.event
		probe.Event(e)
	}
	if to != from {
		e.Kind, e.Text, e.Msg, e.Detail = process.Changed, "changed state to", to, change{from, to}
		probe.Event(e)
		e.Detail = nil
	}
	for _, ev := range fx.Inserted {
		e.Kind, e.Text, e.Msg = process.Received, "inserted", ev
		probe.Event(e)
	}
}

// listenToReplies tells what callers are answered.

func (r *runner[S, E, D]) listenToReplies() {
	probe := r.agenda.listener()
	if probe == nil {
		return
	}
	for _, a := range r.turn.asked.Replies {
		e := process.Event{Kind: process.Replied, PID: process.Self(r.turn.ctx), Msg: a.Value, Reason: a.Err}
		if a.to != nil {
			e.Peer = a.to.call().From()
		}
		probe.Event(e)
	}
}

// listenToEnd tells that the process ends.
func (r *runner[S, E, D]) listenToEnd(ctx context.Context, reason error) {
	if probe := r.agenda.listener(); probe != nil {
		probe.Event(process.Event{Kind: process.Exited, PID: process.Self(ctx), Reason: reason})
	}
}
