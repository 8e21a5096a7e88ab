package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// ErrNotRegistered says that the process is not registered under the key.
var ErrNotRegistered = errors.New("registry: not registered under the key")

// A Registry is a [Unique] or a [Duplicate] one: what can be done with both.
type Registry[K comparable, V any] interface {
	Start(ctx context.Context) (process.PID, error)
	Register(ctx context.Context, key K, value V) error
	Keys(ctx context.Context, of process.Target) ([]K, error)
	Count(ctx context.Context) (int, error)
	Select(ctx context.Context, where func(Entry[K, V]) bool) ([]Entry[K, V], error)
	Holder
	find(ctx context.Context) (*table[K, V], error)
}

// base is what Unique and Duplicate have in common.
type base[K comparable, V any] struct {
	name   string
	unique bool
}

// Name returns the registry's name.
func (b base[K, V]) Name() string { return b.name }

// Start starts the registry's process, linked to the calling one: it is the
// Start of a supervisor's child, and belongs before the children that register.
// When it ends, all that is registered is lost, and nobody is told but those who
// monitor it.
func (b base[K, V]) Start(ctx context.Context) (process.PID, error) {
	return start(ctx, b.name, newTable[K, V](b.name, b.unique))
}

// Register enters the calling process under a key. The entry lasts until it is
// taken away or the process ends, and is gone before anybody learns of that.
//
// A unique registry refuses a key that is taken, with a
// [*process.AlreadyStartedError] that says by whom; a process that has ended
// but sits in a handler has its keys to the last.
func (b base[K, V]) Register(ctx context.Context, key K, value V) error {
	t, err := b.find(ctx)
	if err != nil {
		return err
	}
	return t.register(ctx, key, value)
}

// Unregister takes away what the calling process has registered under a key. It
// is no error if that is nothing.
func (b base[K, V]) Unregister(ctx context.Context, key K) error {
	t, err := b.find(ctx)
	if err != nil {
		return err
	}
	_, err = t.unregister(ctx, key, nil)
	return err
}

// Keys returns the keys of a process: one for each of its entries.
func (b base[K, V]) Keys(ctx context.Context, of process.Target) ([]K, error) {
	t, err := b.find(ctx)
	if err != nil {
		return nil, err
	}
	pid, err := of.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	var keys []K
	for _, e := range t.entries(func(p *part[K, V]) []*Entry[K, V] { return all(p.byPID, pid) }) {
		keys = append(keys, e.Key)
	}
	return keys, nil
}

// Count returns how many entries there are.
func (b base[K, V]) Count(ctx context.Context) (n int, err error) {
	t, err := b.find(ctx)
	if err != nil {
		return 0, err
	}
	for i := range t.parts {
		n += t.parts[i].len()
	}
	return n, nil
}

// Select returns the entries for which where is true, in no particular order;
// all if it is nil. where runs in the calling process, on a picture of the
// registry that is true of each key at some moment during the call.
func (b base[K, V]) Select(ctx context.Context, where func(Entry[K, V]) bool) ([]Entry[K, V], error) {
	t, err := b.find(ctx)
	if err != nil {
		return nil, err
	}
	all := t.entries((*part[K, V]).everything)
	if where == nil {
		return all, nil
	}
	return slices.DeleteFunc(all, func(e Entry[K, V]) bool { return !where(e) }), nil
}

func (b base[K, V]) find(ctx context.Context) (*table[K, V], error) {
	t, err := find[*table[K, V]](ctx, b.name)
	if err == nil && t.unique != b.unique {
		return nil, fmt.Errorf("registry: %q was started with unique keys: %v, and is used as if it were %v", b.name, t.unique, b.unique)
	}
	return t, err
}

// A Unique registry has one process to a key (Elixir: Registry with unique
// keys). It is an immutable value, good for every node; on each it exists while
// its process runs.
type Unique[K comparable, V any] struct{ base[K, V] }

// NewUnique returns the registry with that name, which is also the registered
// name of its process.
func NewUnique[K comparable, V any](name string) Unique[K, V] {
	return Unique[K, V]{base[K, V]{name, true}}
}

// Lookup returns who is registered under a key, and with what; an error of kind
// process.ErrNoProc if nobody is, or nobody alive.
func (u Unique[K, V]) Lookup(ctx context.Context, key K) (Entry[K, V], error) {
	t, err := u.find(ctx)
	if err != nil {
		return Entry[K, V]{}, err
	}
	if has := t.lookup(key); len(has) == 1 && has[0].PID.Alive() {
		return has[0], nil
	}
	return Entry[K, V]{}, &process.ExitError{Name: t.title(key), Reason: process.ErrNoProc}
}

// Update replaces the value of the calling process's own entry by what f makes
// of it, and returns that. f may run more than once.
func (u Unique[K, V]) Update(ctx context.Context, key K, f func(V) V) (V, error) {
	t, err := u.find(ctx)
	if err != nil {
		var none V
		return none, err
	}
	return t.update(ctx, key, f)
}

// A Duplicate registry has any number of processes to a key, and a process any
// number of times (Elixir: Registry with duplicate keys). It serves to publish
// and subscribe.
type Duplicate[K comparable, V any] struct{ base[K, V] }

// NewDuplicate returns the registry with that name, which is also the
// registered name of its process.
func NewDuplicate[K comparable, V any](name string) Duplicate[K, V] {
	return Duplicate[K, V]{base[K, V]{name, false}}
}

// Lookup returns what is registered under a key, oldest first.
func (d Duplicate[K, V]) Lookup(ctx context.Context, key K) ([]Entry[K, V], error) {
	t, err := d.find(ctx)
	if err != nil {
		return nil, err
	}
	return t.lookup(key), nil
}

// Values returns what one process has registered under a key, oldest first.
func (d Duplicate[K, V]) Values(ctx context.Context, key K, of process.Target) ([]V, error) {
	t, err := d.find(ctx)
	if err != nil {
		return nil, err
	}
	pid, err := of.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	var out []V
	for _, e := range t.part(key).own(pid, key) {
		out = append(out, e.Value)
	}
	return out, nil
}

// Dispatch calls f, in the calling process, for everything that is registered
// under a key. Its errors are joined.
func (d Duplicate[K, V]) Dispatch(ctx context.Context, key K, f func(Entry[K, V]) error) error {
	list, err := d.Lookup(ctx, key)
	if err != nil {
		return err
	}
	var faults []error
	for _, e := range list {
		faults = append(faults, f(e))
	}
	return errors.Join(faults...)
}

// UnregisterWhere takes away those entries of the calling process under a key
// whose value matches, and returns how many there were.
func (d Duplicate[K, V]) UnregisterWhere(ctx context.Context, key K, match func(V) bool) (int, error) {
	t, err := d.find(ctx)
	if err != nil {
		return 0, err
	}
	return t.unregister(ctx, key, match)
}
