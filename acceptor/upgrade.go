package acceptor

import (
	"context"
	"errors"

	"github.com/coppice-go/coppice/process"
)

// What Upgrade refuses.
var (
	// ErrInjection ends a connection whose peer has sent bytes in clear behind
	// its request for the upgrade: whoever is on the way could have put them
	// there, to be taken for the peer's own once the peer is known (CVE-2011-0411
	// and many after it). Its class is injection.
	ErrInjection error = &end{"injection", "acceptor: the peer sent bytes in clear ahead of the upgrade's handshake"}

	errNoUpgrade  = errors.New("acceptor: Upgrade: the listener's Spec names no transport for it: set Spec.Upgrade")
	errNotInFrame = errors.New("acceptor: Upgrade outside of Frame: only there the reader stands still; call it in the handler of the frame that asks for it")
	errUpgraded   = errors.New("acceptor: Upgrade: the connection has been upgraded already")
)

// Upgrade has the connection go on over Spec.Upgrade, as STARTTLS does. It is
// called in Frame, in the handler of the frame that asks for it, after the answer
// that tells the peer to begin has been written. It returns at once; when Frame
// has returned the reader does the handshake, within HandshakeTimeout, and then
// Open is called again. Until then nothing can be written.
//
// What the peer has sent behind that frame in clear is never read as frames: if
// there is something, Upgrade returns ErrInjection in a process.Shutdown, and
// what comes later is the handshake's to refuse. A connection is upgraded once.
func (c *Conn) Upgrade(ctx context.Context) error {
	switch {
	case c.bound.Upgrade == nil:
		return errNoUpgrade
	case !c.inFrame || process.Self(ctx) != process.Self(c.ctx):
		return errNotInFrame
	case c.upgraded:
		return errUpgraded
	case c.cut.buffered() > 0:
		return process.Shutdown(ErrInjection)
	}
	if out := c.sock.Swap(nil); out != nil {
		out.unhurry() // the handshake has a time limit of its own
	}
	c.upgraded, c.upgrading = true, true
	return nil
}
