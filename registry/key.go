package registry

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// A Key is the name of a process whose reference is an R, say a
// server.Ref[Counter] or a process.PID. Keys are immutable values, good for
// every node.
type Key[R any] struct{ name string }

// NewKey returns the key with that name.
func NewKey[R any](name string) Key[R] { return Key[R]{name} }

// Name returns the registered name itself, for the Name of a Spec.
func (k Key[R]) Name() string { return k.name }

func (k Key[R]) String() string { return fmt.Sprintf("%q", k.name) }

// Ref returns the reference of the process that has the name on ctx's node.
func (k Key[R]) Ref(ctx context.Context) (R, error) {
	var none R
	pid, err := k.Resolve(ctx)
	if err != nil {
		return none, err
	}
	return typed[R](pid, k.name)
}

// Resolve makes a Key a [process.Target].
func (k Key[R]) Resolve(ctx context.Context) (process.PID, error) {
	return process.Name(k.name).Resolve(ctx)
}

// Register gives the name to a process that was started without one.
func (k Key[R]) Register(ctx context.Context, to process.Target) error {
	return process.Register(ctx, k.name, to)
}

// Reregister gives the name to a process that has none, and takes it from the
// one that has it.
func (k Key[R]) Reregister(ctx context.Context, to process.Target) error {
	return process.Reregister(ctx, k.name, to)
}

// Unregister takes the name away from the process that has it.
func (k Key[R]) Unregister(ctx context.Context) error { return process.Unregister(ctx, k.name) }
