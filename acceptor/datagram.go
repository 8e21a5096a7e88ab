package acceptor

import (
	"cmp"
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/coppice-go/coppice/process"
)

// defaultQueue is what a Queue of zero means, defaultIdle what an Idle of zero
// does on UDP.
const (
	defaultQueue = 64
	defaultIdle  = time.Minute
)

// A datagram is a frame on its way to its connection, by itself: there is no
// reader that would wait until it has been handled.
type datagram[S any] struct {
	c     *connection[S]
	d     *peer
	bytes []byte
	page  *page // what bytes lie in; nil: they are the datagram's own
}

// post sends a datagram to the connection, or drops it.
func (c *connection[S]) post(ctx context.Context, d *peer, b []byte) {
	if len(b) > cmp.Or(c.protocol.MaxFrame, longestDatagram) {
		d.p.dropped.Add(1)
		return
	}
	if d.waiting.Add(1) > int64(cmp.Or(c.protocol.Queue, defaultQueue)) {
		d.waiting.Add(-1)
		d.p.dropped.Add(1)
		return
	}
	m := &datagram[S]{c: c, d: d}
	if len(b) <= len(page{}) {
		m.page = pages.Get().(*page)
		m.bytes = m.page[:copy(m.page[:], b)]
	} else {
		m.bytes = append(m.bytes, b...)
	}
	c.coming.Store(true)
	if process.Send(ctx, process.Self(c.ctx), m) != nil { // its mailbox is full
		d.waiting.Add(-1)
		d.p.dropped.Add(1)
	}
}

// Handle implements server.Notice.
func (m *datagram[S]) Handle(ctx context.Context, s *S) error {
	left := m.d.waiting.Add(-1)
	err := m.c.protocol.Frame(ctx, s, m.bytes)
	m.c.heard = time.Now() // now, for the time that we took is not the peer's
	m.c.coming.Store(left > 0)
	if m.page != nil {
		pages.Put(m.page)
	}
	return err
}

// LogValue is what tools show of a datagram: not its content, which is the peer's.
func (m *datagram[S]) LogValue() slog.Value {
	return slog.StringValue(strconv.Itoa(len(m.bytes)) + " bytes")
}
