package server

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// This file is what package process/system needs of a server.

// SystemState gives a copy of the state.
func (c *core[S]) SystemState() any {
	s := *c.state
	return &s
}

// SetSystemState sets the state to a copy.
func (c *core[S]) SetSystemState(state any) error {
	s, ok := state.(*S)
	if !ok {
		return fmt.Errorf("server: the state is a %s, not what a %T points to", typeName[S](), state)
	}
	*c.state = *s
	return nil
}

// probe is package system's, nil if it does not listen.
func (c *core[S]) probe() process.Probe {
	if r := c.rare.Load(); r != nil {
		return r.probe
	}
	return nil
}

// SystemProbe is where package system listens.
func (c *core[S]) SystemProbe() *process.Probe { return &c.more().probe }

// listen tells it what the server was given.
func (r *rare) listen(ctx context.Context, msg any) {
	e := process.Event{Kind: process.Received, PID: process.Self(ctx), Peer: From(ctx), Msg: msg}
	switch m := msg.(type) {
	case begun:
		return // a matter of our own
	case idleFor:
		e.Text, e.Msg = "idle time-out", nil
	case continued:
		e.Kind, e.Text, e.Msg = process.Handled, "continued", m.msg
	case interface{ Message() any }:
		e.Msg = m.Message()
	}
	e.Conceal()
	r.probe.Event(e)
}

// continued marks what did not come by the mailbox.
type continued struct{ msg any }
