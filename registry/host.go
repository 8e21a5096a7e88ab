package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// ErrOtherNode refuses a process that lives on another node than the table it
// shall be entered in.
var ErrOtherNode = errors.New("registry: the process lives on another node")

// Kind is the process.Spec.Kind of the processes behind scopes, registries and
// locks.
const Kind = "registry"

// A host is the process behind a table. It lends the table its name and its
// life and does nothing: whoever reads or changes the table does so directly,
// under the table's lock.
type host struct {
	own context.Context
	pid process.PID
}

// Init implements process.Behaviour.
func (h *host) Init(ctx context.Context) error {
	h.own, h.pid = ctx, process.Self(ctx)
	return nil
}

// Handle implements process.Behaviour.
func (h *host) Handle(ctx context.Context, msg any) error {
	process.Emit(ctx, process.Event{
		Kind: process.Warned, Level: process.LevelWarn, Msg: msg,
		Text: "a registry takes no messages, and ignored one: " + process.Format(msg),
	})
	return nil
}

// Terminate implements process.Behaviour.
func (h *host) Terminate(context.Context, error) error { return nil }

// start starts the process behind a table, linked to the calling one.
func start(ctx context.Context, name string, b process.Behaviour) (process.PID, error) {
	return process.Start(ctx, process.Spec{Name: name, Kind: Kind, Behaviour: b})
}

// find returns the table of type T with that name on ctx's node.
func find[T process.Behaviour](ctx context.Context, name string) (table T, err error) {
	pid, err := process.Name(name).Resolve(ctx)
	if err != nil {
		return table, err
	}
	b := pid.Behaviour()
	if table, ok := b.(T); ok {
		return table, nil
	}
	if b == nil { // it ended this moment
		return table, pid.Gone(name)
	}
	return table, fmt.Errorf("registry: %q is %v, a %T; wanted is a %T", name, pid, b, table)
}

// local resolves a process and makes sure that it is one of ctx's node.
func local(ctx context.Context, to process.Target) (process.PID, error) {
	pid, err := to.Resolve(ctx)
	if err != nil {
		return pid, err
	}
	n, err := process.NodeOf(ctx)
	if err != nil {
		return pid, err
	}
	if pid.Node() != n {
		return pid, fmt.Errorf("%w: %v", ErrOtherNode, pid)
	}
	return pid, nil
}

// self returns the process that ctx belongs to.
func self(ctx context.Context) (process.PID, error) {
	if pid := process.Self(ctx); !pid.IsZero() {
		return pid, nil
	}
	if _, err := process.NodeOf(ctx); err != nil {
		return process.PID{}, err
	}
	return process.PID{}, process.ErrNoSelf
}
