package otpscript

import (
	"context"

	"github.com/coppice-go/coppice/process"
)

// A bridge is OTP's supervisor_bridge: a process that stands for one other, so
// that it fits into a tree. Coppice has none, for every process fits; it is
// played as what its users would write, a behaviour that traps exits.
type bridge struct {
	*player
	*actor
	path  string
	held  *Node
	child process.PID // zero once it has ended
}

func (p *player) startBridge(ctx context.Context, a *actor, path string, n *Node) (process.PID, error) {
	return process.Start(ctx, process.Spec{
		Name:      n.Register,
		TrapExit:  true,
		Kind:      process.KindSupervisor,
		Behaviour: &bridge{player: p, actor: a, path: path, held: n.Child},
	})
}

func (b *bridge) Init(ctx context.Context) error {
	b.enroll(process.Self(ctx), b.actor)
	if err := b.begin(ctx, b.path, b.node.Init); err != nil {
		return err
	}
	var err error
	b.child, err = b.start(ctx, b.actor, b.path+"/"+b.held.step(), b.held)
	return err
}

// Handle ends the bridge for the reason for which its child has ended.
// Everything else is ignored, exit signals of strangers too.
func (b *bridge) Handle(ctx context.Context, msg any) error {
	x, isExit := msg.(*process.ExitSignal)
	if !isExit || x.From != b.child {
		return nil
	}
	if !process.Clean(x.Reason) {
		b.add(b.actor, "report", fields{"ctx": Atom("child_terminated"), "id": b.name,
			"reason": b.reasonTerm(x.Reason), "child": undefined})
	}
	b.child = process.PID{}
	return process.End(x.Reason)
}

// Terminate stops the child, however long that takes.
func (b *bridge) Terminate(ctx context.Context, why error) error {
	if b.child.IsZero() {
		return nil
	}
	b.add(b.actor, "terminate", fields{"id": b.name, "reason": b.reasonTerm(why)})
	if err := process.SendExit(ctx, b.child, process.ErrShutdown); err != nil {
		return err
	}
	_, err := process.Wait(ctx, b.child)
	return err
}
