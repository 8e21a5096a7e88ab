package process

import (
	"context"
	"sync/atomic"
)

// A Feed is a stream of messages to one process that can be cut off without a
// trace. It is how tables and sensors tell their subscribers: what it brings
// counts as a signal, so no mailbox limit refuses it.
type Feed struct {
	p      *proc
	closed atomic.Bool
}

// NewFeed makes a feed to the calling process.
func NewFeed(ctx context.Context) (*Feed, error) {
	p, err := actor(ctx)
	if err != nil {
		return nil, err
	}
	if p.isRoot() {
		return nil, ErrNoSelf
	}
	return &Feed{p: p}, nil
}

// PID returns the process that is fed.
func (f *Feed) PID() PID { return PID{f.p} }

// Send puts a message into the process's mailbox, on behalf of ctx. make is
// called by the receiver when the message's turn has come, and gives it.
func (f *Feed) Send(ctx context.Context, make func() any) error {
	self, err := actor(ctx)
	if err != nil || f.closed.Load() {
		return err
	}
	return f.p.push(envelope{msg: &feedMessage{f, make}, from: self, kind: envFeed})
}

// Close cuts the feed: nothing that it brought and that is not handled yet
// arrives any more. It reports whether the feed was open.
func (f *Feed) Close() bool { return f.closed.CompareAndSwap(false, true) }

type feedMessage struct {
	feed *Feed
	make func() any
}

// open makes an ordinary message of one that comes out of the mailbox by a
// feed; false: it was cut off.
func (e *envelope) open() bool {
	m := e.msg.(*feedMessage)
	if m.feed.closed.Load() {
		return false
	}
	e.msg, e.kind = m.make(), envMessage
	return true
}
