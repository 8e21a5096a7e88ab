package server

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// A Ref is the address of a server with state S: one word, comparable.
type Ref[S any] struct{ pid process.PID }

// A Target is whatever can be asked for a server of S: a [Ref], or a
// registry.Key of one.
type Target[S any] interface {
	Ref(ctx context.Context) (Ref[S], error)
}

// PID returns the server's process.
func (r Ref[S]) PID() process.PID { return r.pid }

// Ref makes r a [Target].
func (r Ref[S]) Ref(context.Context) (Ref[S], error) { return r, nil }

// Resolve makes r a [process.Target].
func (r Ref[S]) Resolve(ctx context.Context) (process.PID, error) { return r.pid.Resolve(ctx) }

func (r Ref[S]) String() string { return r.pid.String() }

// As gives the typed reference of a process that is a server of S, or an error
// that names what it is.
func As[S any](pid process.PID) (Ref[S], error) {
	switch b := pid.Behaviour().(type) {
	case *core[S]:
		return Ref[S]{pid}, nil
	case nil:
		return Ref[S]{}, pid.Gone(pid.Path())
	case process.Typed:
		return Ref[S]{}, fmt.Errorf("server: %v is a %T, not a %T", pid, b.TypedRef(pid), Ref[S]{})
	}
	return Ref[S]{}, fmt.Errorf("server: %v is a %s, not a %T", pid, orPlain(pid.Kind()), Ref[S]{})
}

func orPlain(kind string) string {
	if kind == "" {
		return "plain process"
	}
	return kind
}

// self is the server that ctx belongs to, if it is one of S.
func self[S any](ctx context.Context) (*core[S], error) {
	pid := process.Self(ctx)
	if pid.IsZero() {
		return nil, fmt.Errorf("server: ctx belongs to no process: use the ctx that the handler was given")
	}
	if c, ok := pid.Behaviour().(*core[S]); ok {
		return c, nil
	}
	_, err := As[S](pid)
	return nil, fmt.Errorf("server: the message belongs to another process: %w", err)
}
