package registry

import (
	"context"
	"sync"
)

// A Meta is a property of a registry itself, with a value of type T, that lives
// as long as the registry's process (Elixir: Registry.put_meta). Metas of
// different types are different ones, whatever their names.
type Meta[T any] struct{ name string }

// NewMeta returns the property with that name.
func NewMeta[T any](name string) Meta[T] { return Meta[T]{name} }

// A Holder is a registry, whatever its types, as something with properties.
type Holder interface {
	properties(ctx context.Context) (*sync.Map, error)
}

func (b base[K, V]) properties(ctx context.Context) (*sync.Map, error) {
	t, err := b.find(ctx)
	if err != nil {
		return nil, err
	}
	return &t.meta, nil
}

// Put sets the property.
func (m Meta[T]) Put(ctx context.Context, of Holder, value T) error {
	p, err := of.properties(ctx)
	if err == nil {
		p.Store(m, value)
	}
	return err
}

// Get returns the property; ok is false if it was never set.
func (m Meta[T]) Get(ctx context.Context, of Holder) (value T, ok bool, err error) {
	p, err := of.properties(ctx)
	if err != nil {
		return value, false, err
	}
	v, ok := p.Load(m)
	value, _ = v.(T)
	return value, ok, nil
}

// Delete takes the property away.
func (m Meta[T]) Delete(ctx context.Context, of Holder) error {
	p, err := of.properties(ctx)
	if err == nil {
		p.Delete(m)
	}
	return err
}
