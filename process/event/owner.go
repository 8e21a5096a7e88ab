package event

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// An owner is a process that wants to hear of a handler's end.
type owner struct {
	feed *process.Feed // no mailbox limit refuses what it brings
	make func(Gone) any
}

// own makes the calling process an owner; gone makes its message, in its
// process.
func own[M any](ctx context.Context, gone func(Gone) M) (*owner, error) {
	feed, err := process.NewFeed(ctx)
	if err != nil {
		return nil, fmt.Errorf("event: a handler can be owned by a process only: %w", err)
	}
	return &owner{feed, func(g Gone) any { return gone(g) }}, nil
}

// pid is nobody's for a handler without an owner.
func (o *owner) pid() process.PID {
	if o == nil {
		return process.PID{}
	}
	return o.feed.PID()
}

// A bond is a manager's link to a process that owns some of its handlers.
type bond struct {
	handlers int
	made     bool // by us; a link that was there before is not ours to take away
}

// bind counts one more handler for an owner. An owner that is dead already
// makes an exit signal to the manager, which then removes the handler.
func (m *manager[E]) bind(o *owner) {
	owner := o.pid()
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
func (m *manager[E]) release(o *owner) {
	owner := o.pid()
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
func (m *manager[E]) tell(ctx context.Context, o *owner, gone Gone) {
	if o == nil {
		return
	}
	// It fails only if the manager has been killed; then the link tells.
	_ = o.feed.Send(ctx, func() any { return o.make(gone) })
	if gone.Cause == NotStarted {
		return // it was never bound
	}
	m.release(o)
	if gone.Cause == Stopped && o.pid() != process.Self(ctx).Parent() {
		m.unlink(o.pid())
	}
}

// ownerEnded removes the handlers of a process that has sent an exit signal.
func (m *manager[E]) ownerEnded(x *process.ExitSignal) {
	if m.bonds[x.From] == nil {
		return
	}
	for i := 0; i < len(m.handlers); {
		h := m.handlers[i]
		if h.owner.pid() != x.From {
			i++
			continue
		}
		m.drop(h)
		m.cleanUp(m.own, h, Gone{Cause: OwnerEnded, Reason: x.Reason})
	}
}
