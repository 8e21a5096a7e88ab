package registry

import (
	"context"
	"fmt"
	"reflect"

	"github.com/coppice-go/coppice/process"
)

// A Watch is one subscription to the changes of a group, a scope or a registry.
// It ends with the process that made it.
type Watch struct {
	feed *process.Feed
	drop func(*Watch) bool
}

// Stop ends the subscription; what it has brought and what is not handled yet
// is taken back. It reports whether the subscription was still going on: not if
// it was stopped, nor if the table or the subscriber has ended. Anybody may
// stop it.
func (w *Watch) Stop() bool {
	was := w.drop(w)
	w.feed.Close()
	return was
}

// PID returns the subscriber.
func (w *Watch) PID() process.PID { return w.feed.PID() }

// A follower is a watch with what makes messages of type C the subscriber's.
type follower[C any] struct {
	*Watch
	as func(C) any
}

// follow makes a follower for the process of ctx, which must take an M.
func follow[C, M any](ctx context.Context, as func(C) M, drop func(*Watch) bool) (follower[C], error) {
	feed, err := process.NewFeed(ctx)
	if err != nil {
		return follower[C]{}, err
	}
	if t, ok := feed.PID().Behaviour().(process.Taker); ok && !t.Takes(reflect.TypeFor[M]()) {
		return follower[C]{}, fmt.Errorf("registry: %v does not take messages of type %v", feed.PID(), reflect.TypeFor[M]())
	}
	return follower[C]{&Watch{feed, drop}, func(c C) any { return as(c) }}, nil
}

// tell sends a change in the name of the table's process.
func (f follower[C]) tell(own context.Context, c func() C) {
	// It is refused only if the table's own process has ended: then the table
	// is no more, and neither are its subscriptions.
	_ = f.feed.Send(own, func() any { return f.as(c()) })
}
