package acceptor

import (
	"context"
	"net"
	"runtime"

	"github.com/coppice-go/coppice/process"
)

// sockets are those that one binding has: those that listen, or one for datagrams.
type sockets struct {
	listening []net.Listener
	packets   net.PacketConn
}

func (s sockets) none() bool { return s.listening == nil && s.packets == nil }

func (s sockets) close() {
	closeAll(s.listening)
	if s.packets != nil {
		_ = s.packets.Close() // as those
	}
}

// openSockets opens what a binding needs.
func (b *binding) openSockets(ctx context.Context, address string) (s sockets, err error) {
	if b.datagrams() {
		s.packets, err = b.bindPacket(ctx, address)
	} else {
		s.listening, err = b.listen(ctx, address)
	}
	if err != nil {
		return sockets{}, err
	}
	return s, nil
}

// A change is a binding that is about to be put in force. The porter announces it;
// whoever opens the port next takes it, with the sockets that are open already.
type change struct {
	l      *listener
	to     *binding
	resume bool // the listener is suspended, and stays it if this fails

	// Guarded by the listener's mu.
	sockets sockets
	left    bool // the porter has left it

	pleased bool // Listening was asked already

	// How it went, once the port has been opened: why not, and why not as before.
	err, back error
}

// hold keeps sockets that are open for the change.
func (c *change) hold(ctx context.Context, s sockets) error {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if c.left { // we have been killed
		s.close()
		return context.Cause(ctx)
	}
	c.sockets = s
	return nil
}

// announce lets the supervisor make the change when it opens the port next. Until
// then what acceptors have in hand is kept for those that come.
func (l *listener) announce(c *change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.left {
		l.change = c
	}
}

// abandon takes a change back that nobody has made yet. It is called when the
// porter is done with it, or dead.
func (c *change) abandon() {
	c.l.mu.Lock()
	s := c.sockets
	c.sockets, c.left = sockets{}, true
	if c.l.change == c {
		c.l.change = nil
	}
	c.l.mu.Unlock()
	s.close()
}

// enforce puts a change in force; nil: there is none. mu is held.
func (l *listener) enforce(c *change) {
	if c == nil {
		return
	}
	l.bound = c.to
	if l.pending == c.to {
		l.pending = nil
	}
	if c.resume {
		l.suspended = false
	}
}

// restore puts the binding back that was before a change that has failed.
func (l *listener) restore(c *change, was *binding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bound, l.suspended = was, l.suspended || c.resume
	if l.pending == c.to {
		l.pending = nil
	}
}

// bindings enters one, and returns what is in force.
func (l *listener) bindings(to *binding) *binding {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bound != to {
		if to.at == nil && l.bound.sameAddress(to) {
			to.at = l.bound.at
		}
		l.known = append(l.known, to)
	}
	return l.bound
}

// giveUpOn forgets a change that was to be made by resuming.
func (l *listener) giveUpOn(c *change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == c.to {
		l.pending = nil
	}
}

// caught makes an error of a panic in Bind or Listening: they are tried, and what
// comes of it is undone.
func caught(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			pcs := make([]uintptr, 64)
			n := runtime.Callers(3, pcs)
			err = &process.PanicError{Value: v, Stack: pcs[:n:n]}
		}
	}()
	return do()
}

// carry keeps a connection that was accepted for the acceptors to come; false: none
// are about to.
func (l *listener) carry(in *arrival) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.change == nil && !l.opening {
		return false
	}
	l.carried = append(l.carried, in)
	return true
}

// carriedOver returns a connection that was kept; nil: there is none.
func (l *listener) carriedOver() *arrival {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.carried) == 0 {
		return nil
	}
	in := l.carried[0]
	l.carried = l.carried[1:]
	return in
}

// settled is the end of an attempt to open the port; ok: it is open.
func (l *listener) settled(ok bool) {
	l.mu.Lock()
	l.opening = false
	l.mu.Unlock()
	if !ok {
		l.turnAway()
	}
}

// turnAway refuses the connections that were kept: nobody will take them.
func (l *listener) turnAway() {
	for in := l.carriedOver(); in != nil; in = l.carriedOver() {
		// Of this kind there is nothing to say.
		l.refuseArrival(context.Background(), in, Closing, nil)
	}
}
