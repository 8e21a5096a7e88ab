package main

import (
	"context"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
)

// A total is the number. Only its own process touches it.
type total struct {
	sum
	version  uint64
	watchers map[process.PID]*watcher
}

// A sum is what a total is at some time.
type sum struct {
	N  int64
	By string // who has added last
}

// A watcher is a process that has asked for changes; reply is due if it waits now.
type watcher struct {
	waits bool
	reply server.Reply[change]
}

// A change is what the total has become, and what to ask with next time.
type change struct {
	sum
	version uint64
}

var theTotal = registry.NewKey[server.Ref[total]]("total")

func newTotal(context.Context) (*total, error) {
	return &total{version: 1, watchers: make(map[process.PID]*watcher)}, nil
}

// Add adds; the answer is what that makes.
type Add sum

func (m Add) Handle(_ context.Context, t *total) (sum, error) {
	t.sum = sum{t.N + m.N, m.By}
	t.version++
	for _, w := range t.watchers {
		if w.waits {
			w.waits = false
			w.reply.Send(t.now(), nil)
		}
	}
	return t.sum, nil
}

func (t *total) now() change { return change{t.sum, t.version} }

// Next waits until the total is of another version than that. The first one is 1.
type Next struct{ Version uint64 }

func (m Next) Handle(ctx context.Context, t *total) (change, error) {
	if m.Version != t.version {
		return t.now(), nil
	}
	from := server.From(ctx)
	w := t.watchers[from]
	if w == nil {
		w = &watcher{}
		if _, err := server.Monitor(ctx, from, func(d process.Down) Gone { return Gone{d.PID} }); err != nil {
			return change{}, err
		}
		t.watchers[from] = w
	}
	reply, err := server.Defer[change](ctx)
	w.waits, w.reply = err == nil, reply
	return change{}, err
}

// Gone says that a watcher has ended.
type Gone struct{ PID process.PID }

func (m Gone) Handle(_ context.Context, t *total) error {
	delete(t.watchers, m.PID)
	return nil
}
