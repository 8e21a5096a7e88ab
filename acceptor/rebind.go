package acceptor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A Binding is how a listener is bound, and what its connections go through before
// they reach the Protocol: the fields of its [Spec] that have the same names.
// [Rebind] changes it while the listener runs.
type Binding struct {
	Network   string
	Address   string
	Mode      fs.FileMode
	Sockets   int
	Socket    Socket
	Listening func(ctx context.Context, sockets []net.Listener) error
	Acceptors int

	Proxy     *Proxy
	Transport Transport
	Upgrade   Transport
}

// GetBinding returns how a listener is bound. If a change waits for [Resume], it is
// included.
func GetBinding(ctx context.Context, listener process.Target) (Binding, error) {
	t, err := find(ctx, listener)
	if err != nil {
		return Binding{}, err
	}
	now, err := server.Call(patient(ctx), t.porter, getBinding{})
	if err != nil {
		return Binding{}, err
	}
	return now.asked, nil
}

// Rebind changes how a listener that runs is bound. edit gets the [Binding] as it
// is, and changes what it wants:
//
//	err := acceptor.Rebind(ctx, process.Name("web"), func(b *acceptor.Binding) {
//		b.Address, b.Transport = ":443", tlsconn.NewServer(files)
//	})
//
// When Rebind returns nil all of it is in force. Otherwise nothing has changed, and
// the error says why: the fields that are wrong, all at once, before anything is
// touched; or a [*RebindError], when the listener could not be bound anew and so is
// bound as it was.
//
// Connections that there are stay, and keep their Transport; the process of one
// that was replaced ends with the last of its connections. What comes next depends
// on what has changed:
//
//   - Listening, Proxy, Transport, Upgrade, Socket's Backlog and the options of
//     accepted connections: the listening sockets stay open. A new Transport is
//     started first, so one that cannot work changes nothing. One that is the same
//     value as before is not started again.
//   - All else is about the sockets, so they are opened anew, and so are, each
//     time, those that have a Socket.Control. At another address the new ones
//     are open before the old ones are closed. At the same one the old ones are
//     closed first, and clients are refused for that moment. If the new ones
//     cannot be opened, or Listening refuses them, the old binding is put back. A
//     Bind of your own says with syscall.EADDRINUSE that the old ones are in the
//     way.
//
// No connection that was accepted is lost. Those that nobody has accepted yet, and
// that wait in the queue of a socket that is closed, are reset by the operating
// system.
//
// The Address is resolved once: as long as it and Network stay as they are, a port
// that was chosen for port 0 stays, too. Acceptors share the supervisors that
// the Spec's number of them had.
//
// A suspended listener takes the change, and [Resume] tries it. A UDP listener has
// one socket for all its peers: they stay, but hear from the new address. It stays
// one for datagrams, and another one stays one for connections.
//
// edit is called again if somebody else has changed the binding meanwhile. If ctx
// ends first, the change is made or undone all the same, and [GetBinding] tells. A
// listener that its supervisor starts again is bound as it was last.
func Rebind(ctx context.Context, listener process.Target, edit func(*Binding)) error {
	t, err := find(ctx, listener)
	if err != nil {
		return err
	}
	ctx = patient(ctx)
	for {
		now, err := server.Call(ctx, t.porter, getBinding{})
		if err != nil {
			return err
		}
		next := now.asked
		edit(&next)
		done, err := server.Call(ctx, t.porter, setBinding{next, now.version})
		if done || err != nil {
			return err
		}
	}
}

// A RebindError says that a listener could not be bound anew.
type RebindError struct {
	// Err is why: a [*BindError], or what the Transport or Listening has returned.
	Err error
	// Back is why it could not be bound as before either, after its sockets had
	// been closed: then the listener crashes, into its supervisor, unless its
	// own restarts bring it back. Nil: it is bound as before.
	Back error
	// Suspended says that it was [Resume] that has tried: the listener stays
	// suspended, and the next Resume binds it as before.
	Suspended bool
}

func (e *RebindError) Error() string {
	switch {
	case e.Back != nil:
		return fmt.Sprintf("acceptor: not bound anew: %v; and not as before either: %v", e.Err, e.Back)
	case e.Suspended:
		return fmt.Sprintf("acceptor: stays suspended, to be bound as before: %v", e.Err)
	}
	return fmt.Sprintf("acceptor: bound as before: %v", e.Err)
}

// Unwrap returns both errors.
func (e *RebindError) Unwrap() []error {
	if e.Back == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Back}
}

// patient lets a call take as long as it takes: opening sockets may.
func patient(ctx context.Context) context.Context {
	return process.WithCallTimeout(ctx, process.Infinity)
}

// errKind keeps a listener what it is.
var errKind = errors.New("a listener for connections cannot become one for datagrams, nor the other way round: start another listener")
