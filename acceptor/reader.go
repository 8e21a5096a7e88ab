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
// stream ends. It tells the connection how that was and ends normally. One that comes
// after a silence begins with the frames.
func (c *connection[S]) read(ctx context.Context) error {
	if err := process.Interrupt(ctx, c.interrupt); err != nil {
		return err // it has ended
	}
	defer process.Interrupt(ctx, nil) // as above
	to := process.Self(c.ctx)
	sock, err := c.source(ctx, to)
	for err == nil {
		var why leaving
		if why, err = c.frames(ctx, to, sock); err != nil {
			break
		}
		if why == rests {
			process.Unlink(ctx, to) // which need not hear of it
		}
		if why != upgrades || ctx.Err() != nil { // then the handshake would not be interrupted
			return nil
		}
		sock, err = c.handshake(ctx, to, c.bound.Upgrade, sock)
	}
	return c.bring(ctx, to, ended[S]{err})
}

// source returns what to read from.
func (c *connection[S]) source(ctx context.Context, to process.PID) (net.Conn, error) {
	if c.framing.Load() {
		return c.sock.Load().conn, nil
	}
	return c.begin(ctx, to)
}

// interrupt has a reader that is ended come back from the socket. While the
// connection is not open that is closed; later only reading ends, for the connection
// has its last words to say: it is about to hear what became of its reader.
func (c *connection[S]) interrupt() {
	if c.framing.Load() {
		c.stopReading()
	} else {
		c.close()
	}
}

// begin returns what to read from.
func (c *connection[S]) begin(ctx context.Context, to process.PID) (net.Conn, error) {
	if err := c.bound.Socket.tune(c.raw); err != nil {
		return nil, err
	}
	sock, spec := c.raw, c.bound
	if spec.Proxy != nil {
		var err error
		if sock, err = c.introduce(ctx, spec.Proxy); err != nil {
			return nil, err
		}
	}
	switch {
	case spec.Transport != nil:
		return c.handshake(ctx, to, spec.Transport, sock)
	case spec.Proxy != nil:
		return sock, c.hand(ctx, to, opened[S]{c, sock, false})
	}
	return sock, nil
}

// handshake returns what a transport makes of sock, once the connection knows it.
func (c *connection[S]) handshake(ctx context.Context, to process.PID, t Transport, sock net.Conn) (net.Conn, error) {
	sock, err := c.shake(ctx, t, sock, to)
	if err != nil {
		return nil, err
	}
	return sock, c.hand(ctx, to, opened[S]{c, sock, true})
}

// hand tells the connection what it can write to, and waits until it knows.
func (c *connection[S]) hand(ctx context.Context, to process.PID, o opened[S]) error {
	if err := c.tell(ctx, to, o); err != nil {
		return err
	}
	c.handled(ctx)
	return nil
}

// A leaving is why a reader has stopped to bring frames, without an error.
type leaving int

const (
	over     leaving = iota // the connection has ended
	upgrades                // the last frame asked for that
	rests                   // the peer is silent: the reader has nothing more to do with the connection
)

// frames hands over what is read from sock, frame after frame, until the stream
// ends, with the error that it ended with, or until there is another reason to stop.
func (c *connection[S]) frames(ctx context.Context, to process.PID, sock net.Conn) (why leaving, err error) {
	c.framing.Store(true)
	if c.cut == nil { // else a silence in the middle of a frame is over
		c.cut = newCutter(c.protocol.Split, cmp.Or(c.protocol.MaxFrame, defaultFrame))
	}
	if c.canRest(sock) {
		c.listen(ctx)
	}
	underway := false // a frame: what it is in is not ours to give back
	defer func() {
		if why != rests {
			c.leave(underway)
		}
		c.framing.Store(why != upgrades)
	}()
	for {
		bytes, err := c.cut.next(sock)
		if err != nil {
			if !c.wasAsked(err) {
				return over, err
			}
			if c.rest(ctx) {
				return rests, nil
			}
			continue
		}
		c.silence.beats.Add(1)
		c.got.bytes = bytes
		c.got.length.Store(int64(len(bytes)))
		c.coming.Store(true)
		if err := c.bring(ctx, to, &c.got); err != nil {
			return over, err
		}
		underway = true
		if !c.handled(ctx) {
			return over, nil
		}
		underway = false
		if c.upgrading {
			c.upgrading = false
			return upgrades, nil
		}
	}
}

// leave is the end of reading frames.
func (c *connection[S]) leave(underway bool) {
	c.unlisten()
	if !underway {
		c.cut.to = c.cut.from
		c.cut.free()
		c.cut = nil
	}
}

// bring is tell, of what the reader has nothing else to do beside: the connection
// handles it in the reader's goroutine, if it is idle.
func (c *connection[S]) bring(ctx context.Context, to process.PID, msg any) error {
	err := process.Lend(ctx, to, msg)
	if errors.Is(err, process.ErrMailboxFull) {
		return c.tell(ctx, to, msg)
	}
	return err
}

// handled waits until the connection has handled what it was told; false: it
// has ended.
func (c *connection[S]) handled(ctx context.Context) bool {
	select {
	case _, ok := <-c.next: // as nearly always
		return ok
	default:
	}
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
