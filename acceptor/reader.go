package acceptor

import (
	"cmp"
	"context"
	"errors"
	"net"
	"time"

	"github.com/coppice-go/coppice/process"
)

// read is the reader's life: handshake, then frame after frame, until the
// stream ends. It tells the connection how that was and ends normally.
func (c *connection[S]) read(ctx context.Context, to process.PID) error {
	// The connection closes the socket when it ends, but one that is killed
	// cannot. Then this process ends with it, by the link.
	stop := context.AfterFunc(ctx, c.close)
	defer func() {
		stop()
		if ctx.Err() != nil { // we may have been faster than AfterFunc
			c.close()
		}
	}()
	sock, err := c.handshake(ctx, to)
	if err != nil {
		return c.tell(ctx, to, ended[S]{err})
	}
	cut := &cutter{split: c.protocol.Split, limit: cmp.Or(c.protocol.MaxFrame, defaultFrame)}
	cut.release()
	for {
		bytes, err := cut.next(sock)
		if err != nil {
			cut.to = cut.from
			cut.release()
			return c.tell(ctx, to, ended[S]{err})
		}
		c.got.bytes = bytes
		c.got.length.Store(int64(len(bytes)))
		c.coming.Store(true)
		if err := c.tell(ctx, to, &c.got); err != nil {
			return err
		}
		if !c.handled(ctx) {
			return nil
		}
	}
}

// handshake returns what to read from.
func (c *connection[S]) handshake(ctx context.Context, to process.PID) (net.Conn, error) {
	t := c.listener.spec.Transport
	if t == nil {
		return c.raw, nil
	}
	sock, err := c.shake(ctx, t, c.raw, to)
	if err != nil {
		return nil, err
	}
	if err := c.tell(ctx, to, opened[S]{c, sock}); err != nil {
		return nil, err
	}
	c.handled(ctx)
	return sock, nil
}

// handled waits until the connection has handled what it was told; false: it
// has ended.
func (c *connection[S]) handled(ctx context.Context) bool {
	select {
	case _, ok := <-c.next:
		return ok
	case <-ctx.Done():
		return false
	}
}

// tell sends the connection a message. A connection whose mailbox is full reads
// nothing more from its peer until there is room again.
func (c *connection[S]) tell(ctx context.Context, to process.PID, msg any) error {
	var wait backoff
	for {
		err := process.Send(ctx, to, msg)
		if !errors.Is(err, process.ErrMailboxFull) {
			return err
		}
		if !sleep(ctx, wait.next()) {
			return nil // it has ended
		}
	}
}

// sleep waits; false: ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
