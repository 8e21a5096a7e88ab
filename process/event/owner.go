package event

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// A bond is a manager's link to a process that owns some of its handlers.
type bond struct {
	handlers int
	made     bool // by us; a link that was there before is not ours to take away
}

// bind counts one more handler for an owner. An owner that is dead already
// makes an exit signal to the manager, which then removes the handler.
func (m *manager[E]) bind(owner process.PID) {
	b := m.bonds[owner]
	if b == nil {
		b = &bond{made: !owner.Linked(process.Self(m.own))}
		if m.bonds == nil {
			m.bonds = make(map[process.PID]*bond)
		}
		m.bonds[owner] = b
		// The manager traps exits, so this fails only if it has been killed.
		_ = process.Link(m.own, owner)
	}
	b.handlers++
}

// release counts one less. The link goes with the last handler: nobody shall
// die with a manager that does nothing for him any more.
func (m *manager[E]) release(owner process.PID) {
	b := m.bonds[owner]
	if b.handlers--; b.handlers > 0 {
		return
	}
	delete(m.bonds, owner)
	if b.made {
		m.unlink(owner)
	}
}

func (m *manager[E]) unlink(owner process.PID) {
	// It fails only for a PID that is nobody's, or a ctx of no node.
	_ = process.Unlink(m.own, owner)
}

// tell sends the owner of a handler, if it has one, the message that it asked
// for, and lets go of it. When the manager stops, the message comes instead of
// the exit signal; its parent is linked for a reason of its own.
func (m *manager[E]) tell(ctx context.Context, h *slot[E], gone Gone) {
	if h.tell == nil {
		return
	}
	gone.Manager, gone.ID = process.Self(ctx), h.id
	err := guard(func() error { return process.Send(ctx, h.owner, h.tell(gone)) })
	if err != nil {
		process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelError, Text: TextUntold,
			Peer: h.owner, Reason: err, Detail: &Report{ID: h.id, Cause: gone.Cause}})
	}
	if gone.Cause == NotStarted {
		return // it was never bound
	}
	m.release(h.owner)
	if gone.Cause == Stopped && h.owner != process.Self(ctx).Parent() {
		m.unlink(h.owner)
	}
}

// ownerEnded removes the handlers of a process that has sent an exit signal.
func (m *manager[E]) ownerEnded(x *process.ExitSignal) {
	if m.bonds[x.From] == nil {
		return
	}
	for i := 0; i < len(m.handlers); {
		h := m.handlers[i]
		if h.owner != x.From {
			i++
			continue
		}
		m.drop(h)
		m.cleanUp(m.own, h, Gone{Cause: OwnerEnded, Reason: x.Reason})
	}
}

// owner is the process that asks to own a handler.
func owner(ctx context.Context, id string) (process.PID, error) {
	if c := process.CallOf(ctx); c != nil && !c.From().IsZero() {
		return c.From(), nil
	}
	return process.PID{}, fmt.Errorf("event: handler %q can be owned by a process only: AddSup was called with the ctx of a node", id)
}
