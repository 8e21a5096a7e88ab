package main

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
	"github.com/coppice-go/coppice/supervisor"
)

// The router knows who subscribed to what. Every message goes through it, so
// everybody sees the messages of one publisher in the order they were published.
//
// What it knows is an index: the sessions have the truth, each its own filters. So
// a router that crashes loses nothing, the next one asks them. It may wait for
// sessions since they never wait for it.
type router struct {
	retained server.Ref[retained]
	index    topicTree[server.Ref[session]]
	filters  map[server.Ref[session]]map[string]bool // what index holds for whom; these we monitor
}

var theRouter = registry.NewKey[server.Ref[router]]("router")

func newRouter(ctx context.Context) (*router, error) {
	kept, err := theRetained.Ref(ctx)
	if err != nil {
		return nil, err
	}
	r := &router{retained: kept, filters: make(map[server.Ref[session]]map[string]bool)}
	children, err := supervisor.WhichChildren(ctx, sessions)
	if err != nil {
		return nil, err
	}
	for _, child := range children {
		if err := r.restore(ctx, child.PID); err != nil && !ended(err) {
			return nil, fmt.Errorf("asking %v what it subscribed to: %w", child.PID, err)
		}
	}
	return r, nil
}

// restore indexes what a session knows of itself.
func (r *router) restore(ctx context.Context, pid process.PID) error {
	s, err := server.As[session](pid)
	if err != nil {
		return err
	}
	filters, err := server.Call(ctx, s, Filters{})
	for filter, qos := range filters {
		if err := r.add(ctx, s, filter, qos); err != nil {
			return err
		}
	}
	return err
}

func (r *router) add(ctx context.Context, s server.Ref[session], filter string, qos byte) error {
	if r.filters[s] == nil {
		if _, err := server.Monitor(ctx, s, func(process.Down) Forget { return Forget{s} }); err != nil {
			return err
		}
		r.filters[s] = make(map[string]bool)
	}
	r.filters[s][filter] = true
	r.index.add(filter, s, qos)
	return nil
}

// Subscribe lets a session have the messages whose topics match Filter, first of all
// those that were retained.
type Subscribe struct {
	Session server.Ref[session]
	Filter  string
	QoS     byte
}

func (m Subscribe) Handle(ctx context.Context, r *router) (struct{}, error) {
	// The session learns of it first: should we crash now, our successor will ask it.
	if err := server.Cast(ctx, m.Session, Subscribed{m.Filter, m.QoS}); err != nil {
		return struct{}{}, err
	}
	if err := r.add(ctx, m.Session, m.Filter, m.QoS); err != nil {
		return struct{}{}, err
	}
	// Asking, and waiting for the answer, keeps what was retained before the
	// messages that are published after it.
	found, err := server.Call(ctx, r.retained, Retained{m.Filter})
	for _, kept := range found {
		if err := deliver(ctx, m.Session, kept, m.QoS); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, err
}

// Unsubscribe ends a subscription.
type Unsubscribe struct {
	Session server.Ref[session]
	Filter  string
}

func (m Unsubscribe) Handle(ctx context.Context, r *router) (struct{}, error) {
	r.index.remove(m.Filter, m.Session)
	delete(r.filters[m.Session], m.Filter)
	return struct{}{}, server.Cast(ctx, m.Session, Unsubscribed{m.Filter})
}

// Forget ends all subscriptions of a session: it has ended, or begins anew.
type Forget struct{ Session server.Ref[session] }

func (m Forget) Handle(_ context.Context, r *router) error {
	for filter := range r.filters[m.Session] {
		r.index.remove(filter, m.Session)
	}
	delete(r.filters, m.Session)
	return nil
}

// Publish hands on a message. Once it is answered, every session that the message
// is for has it. A publisher waits for that, so none can flood the router.
type Publish struct{ message }

func (m Publish) Handle(ctx context.Context, r *router) (struct{}, error) {
	return struct{}{}, r.publish(ctx, m.message)
}

// Will is a Publish for which nobody waits.
type Will struct{ message }

func (m Will) Handle(ctx context.Context, r *router) error { return r.publish(ctx, m.message) }

func (r *router) publish(ctx context.Context, m message) error {
	if m.Retain {
		if err := server.Cast(ctx, r.retained, Retain{m}); err != nil {
			return err
		}
	}
	m.Retain = false // for those who are there it is as fresh as any
	for s, qos := range r.index.match(m.Topic) {
		if err := deliver(ctx, s, m, qos); err != nil {
			return err
		}
	}
	return nil
}

// deliver sends a message with the lower QoS of publisher and subscriber.
func deliver(ctx context.Context, to server.Ref[session], m message, qos byte) error {
	m.QoS = min(m.QoS, qos)
	return server.Cast(ctx, to, Deliver{m})
}
