package acceptor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A Spec describes a listener. Address and Protocol are needed, the rest is
// usable as zero.
type Spec struct {
	Name string // registered name of the listener; "": none

	// Network is "tcp" (which "" means), "tcp4", "tcp6" or "unix"; "systemd" for
	// sockets that the program was started with, by socket activation; "fd" for a
	// listening socket that it got in any other way. Those stay open with whoever
	// opened them: while the listener is suspended clients wait in their queue.
	// "udp", "udp4" and "udp6" are for datagrams, see the package's chapter on UDP.
	Network string
	// Address is "host:port", where port 0 takes a free one that [Addr] tells,
	// or the path of a unix socket. A socket file that a dead program has left
	// there is removed. For systemd it is the FileDescriptorName of one or more
	// socket units, or the number of a socket, from 0; for fd the descriptor.
	Address string
	// Mode is the permissions of a unix socket's file, which it has before
	// anybody can connect; 0: what umask leaves.
	Mode fs.FileMode
	// Sockets is how many listening sockets share the address (SO_REUSEPORT), each
	// with a part of the acceptors; 0: 1. The system spreads the connections over
	// them. On other systems than Linux all acceptors share one. Another
	// program that listens there is an error as ever.
	Sockets int
	// Socket is how the system shall treat the sockets.
	Socket Socket
	// Listening is called with the listening sockets once they are open, before
	// any connection is accepted, and again each time that they are opened, or that
	// [Rebind] changes something of those that are open. An error closes them, and
	// keeps the listener from starting. It runs in a process of the listener, and
	// must not call the listener.
	Listening func(ctx context.Context, sockets []net.Listener) error

	// Protocol is what the connections speak: a [Protocol], or a [Service] or a
	// [Subtree].
	Protocol Handler

	// Proxy has trusted proxies tell whom they pass on, with the PROXY protocol;
	// nil: nobody is asked.
	Proxy *Proxy

	// Transport makes of an accepted socket the one that the protocol's bytes
	// go through, TLS for example. Nil: the socket itself.
	Transport Transport
	// Upgrade is a transport that connections change to when they are told to,
	// by [Conn.Upgrade]: STARTTLS. Nil: they cannot.
	Upgrade Transport
	// HandshakeTimeout is how long these have for that; 0: 5 s, Infinity: for ever.
	HandshakeTimeout time.Duration

	// Silence is how long the peer of a Protocol's connection is silent before the
	// connection gives up its reader, with the goroutine and the buffers that it has,
	// until there is something to read again; 0: 0.5 s, or up to twice that,
	// Infinity: it keeps them. It can do so on Linux and on sockets of the system,
	// and if there is a Transport, where that allows it.
	Silence time.Duration

	// Acceptors is how many processes wait for connections, each with a
	// supervisor of its own for those that it has accepted; 0: 4, or Sockets if
	// that is more. On UDP they read datagrams, and the order of those of one peer
	// is kept by one of them only; 0: 1.
	Acceptors int

	// MaxConnections is how many connections there are at most, all acceptors
	// together; 0: no limit but that of the operating system. [SetMax] changes
	// it while the listener runs, and [SetOptions] all that follows, too.
	MaxConnections int
	// Overflow says what happens to a connection above the limit.
	Overflow Overflow
	// SoftConnections is a lower limit, above which connections are slowed down:
	// a new one waits in the operating system's queue until another one ends,
	// but at most for SoftWait. Then it is taken all the same, up to
	// MaxConnections. 0: none. After each pause of SoftWait whoever comes within
	// a tenth of it is taken, as fast as it goes.
	SoftConnections int
	// SoftWait is how long; 0: 1 s, Infinity: until another one ends.
	SoftWait time.Duration

	// Rate is how many connections per second are served; 0: no limit. Those
	// above it are accepted and reset, so that the operating system's queue does
	// not fill with clients that have given up.
	Rate float64
	// Burst is how many may come at once; 0: as many as Rate brings in a second.
	Burst int

	// Access says which addresses may connect: the first rule that is about one
	// decides; if none is, it may. The others are reset. Behind a Proxy it is the
	// client's address that counts. [SetAccess] changes it.
	Access []Rule

	// Alarms tell of many connections.
	Alarms []Alarm

	// Shutdown is how long a connection has for its Terminate when the listener
	// stops; 0: 5 s. See supervisor.Child.
	Shutdown time.Duration

	// Bind opens a listening socket; nil: the operating system's. Errors of the
	// nil one say what can be done about them. It is called once for each of
	// Sockets, at the first one's address.
	Bind func(ctx context.Context, network, address string) (net.Listener, error)
	// BindPacket opens the socket of a UDP listener; nil: the operating system's.
	// Setting a read deadline in the past must end a ReadFrom that waits.
	BindPacket func(ctx context.Context, network, address string) (net.PacketConn, error)
}

// An Overflow says what happens to a connection above MaxConnections.
type Overflow int

const (
	// Wait leaves it in the operating system's queue until another one ends. A
	// client sees a connection on which nothing happens. With several Sockets
	// each acceptor may take one out of its queue and wait with it.
	Wait Overflow = iota
	// Refuse resets it at once, so that a client can try elsewhere.
	Refuse
)

const (
	defaultAcceptors = 4
	defaultHandshake = 5 * time.Second
	defaultFrame     = 64 << 10
	defaultWrite     = 30 * time.Second
)

// withDefaults fills in what zero means.
func (s Spec) withDefaults() Spec {
	if s.Network == "" {
		s.Network = "tcp"
	}
	switch {
	case s.Acceptors > 0:
	case s.datagrams():
		s.Acceptors = 1
	default:
		s.Acceptors = max(defaultAcceptors, s.Sockets)
	}
	return s
}

// validate reports every fault at once.
func (s *Spec) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	faults = append(faults, s.bindFaults()...)
	faults = append(faults, s.Proxy.faults(s)...)
	if s.Silence < 0 && s.Silence != process.Infinity {
		fault("Silence is %v: use a time, 0 for %v or Infinity", s.Silence, defaultSilence)
	}
	if s.Acceptors < 0 {
		fault("Acceptors is %d: use 0 for %d", s.Acceptors, defaultAcceptors)
	}
	o := s.options()
	faults = append(faults, o.faults(s.datagrams())...)
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("acceptor: listener %q on %q:\n%w", s.Name, s.Address, errors.Join(faults...))
}
