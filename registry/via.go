package registry

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// A Via is a key of a [Unique] registry as a target: it stands wherever an R
// does, and is looked up at each use (Elixir: a via tuple).
type Via[R any, K comparable, V any] struct {
	in  Unique[K, V]
	key K
}

// At returns the process registered under a key, as an R, say a
// server.Ref[Room]:
//
//	err := server.Cast(ctx, registry.At[server.Ref[Room]](rooms, "kitchen"), Clean{})
func At[R any, K comparable, V any](in Unique[K, V], key K) Via[R, K, V] {
	return Via[R, K, V]{in, key}
}

// Resolve makes v a [process.Target].
func (v Via[R, K, V]) Resolve(ctx context.Context) (process.PID, error) {
	e, err := v.in.Lookup(ctx, v.key)
	return e.PID, err
}

// Ref returns the reference of the process that has the key.
func (v Via[R, K, V]) Ref(ctx context.Context) (R, error) {
	pid, err := v.Resolve(ctx)
	if err != nil {
		var none R
		return none, err
	}
	return typed[R](pid, v.String())
}

func (v Via[R, K, V]) String() string { return fmt.Sprintf("%s[%v]", v.in.name, v.key) }

// typed gives a process's reference as an R.
func typed[R any](pid process.PID, name string) (R, error) {
	var none R
	if r, ok := any(pid).(R); ok {
		return r, nil
	}
	switch b := pid.Behaviour().(type) {
	case process.Typed:
		ref := b.TypedRef(pid)
		if r, ok := ref.(R); ok {
			return r, nil
		}
		return none, fmt.Errorf("registry: %q is %v, a %T; the key is for a %T", name, pid, ref, none)
	case nil: // it ended this moment
		return none, pid.Gone(name)
	}
	return none, fmt.Errorf("registry: %q is %v, which has no typed reference; the key is for a %T", name, pid, none)
}

// Self returns the reference of the calling process, as an R: what it registers
// of itself, or gives to others.
func Self[R any](ctx context.Context) (R, error) {
	pid, err := self(ctx)
	if err != nil {
		var none R
		return none, err
	}
	return typed[R](pid, "self")
}
