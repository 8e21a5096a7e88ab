package acceptor

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// inherits reports whether the sockets were there before the program.
func (s *Spec) inherits() bool { return s.Network == "systemd" || s.Network == "fd" }

// pleased asks Listening whether the listener may start.
func (s *Spec) pleased(ctx context.Context, sockets []net.Listener) error {
	if n := len(sockets); n > s.Acceptors {
		return &BindError{s.Network, s.Address, fmt.Errorf("%d sockets were handed over, and there are %d acceptors", n, s.Acceptors),
			fmt.Sprintf("set Acceptors to %d or more", n)}
	}
	if s.Listening == nil || s.datagrams() {
		return nil
	}
	if err := s.Listening(ctx, sockets); err != nil {
		return fmt.Errorf("acceptor: listener %q on %v: Listening refused: %w", s.Name, sockets[0].Addr(), err)
	}
	return nil
}

// bindFaults are those of the fields that say where to listen, and how.
func (s *Spec) bindFaults() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch s.Network {
	case "", "tcp", "tcp4", "tcp6", "unix", "systemd", "udp", "udp4", "udp6":
	case "fd":
		if fd, err := strconv.Atoi(s.Address); s.Address != "" && (err != nil || fd < 0) {
			fault("Address is %q: for the network fd give the number of a descriptor", s.Address)
		}
	default:
		fault("Network is %q: use tcp, tcp4, tcp6, unix, udp, udp4, udp6, systemd or fd", s.Network)
	}
	switch {
	case s.Address != "":
	case s.inherits():
		fault("Address is missing: give the FileDescriptorName of the socket unit or the socket's number from 0 (systemd), or the descriptor (fd)")
	default:
		fault("Address is missing: give host:port (:0 takes a free port), or the path of a unix socket")
	}
	if s.Mode != 0 && s.Network != "unix" {
		fault("Mode %v is for unix sockets: leave it out", s.Mode)
	} else if s.Mode&^0o777 != 0 {
		fault("Mode is %v: use permissions only, say 0o660", s.Mode)
	} else if s.Mode != 0 && abstract(s.Address) {
		fault("Mode %v is for a file, and %q is a name that everybody may connect to: use a path", s.Mode, s.Address)
	}
	switch {
	case s.Sockets < 0:
		fault("Sockets is %d: use 0 for 1", s.Sockets)
	case s.Sockets > 1 && (s.Network == "unix" || s.inherits()):
		fault("Sockets is %d, but sockets of the network %s do not share an address: leave it out", s.Sockets, s.Network)
	case s.Acceptors > 0 && s.Sockets > s.Acceptors:
		fault("Sockets is %d, but Acceptors is %d: each socket needs one, so raise Acceptors or leave it out", s.Sockets, s.Acceptors)
	}
	faults = append(faults, s.Socket.faults(s)...)
	return append(faults, s.datagramFaults()...)
}

// faults are those of the options themselves, and of where they are used.
func (o *Socket) faults(s *Spec) (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("Socket."+format, args...))
	}
	for _, f := range []struct {
		name string
		n    int
	}{{"Backlog", o.Backlog}, {"ReadBuffer", o.ReadBuffer}, {"WriteBuffer", o.WriteBuffer}} {
		if f.n < 0 {
			fault("%s is %d: use 0 for the system's own", f.name, f.n)
		}
	}
	alive := o.KeepAlive != (net.KeepAliveConfig{})
	switch {
	case alive && o.NoKeepAlive:
		fault("KeepAlive and NoKeepAlive are both set: leave one out")
	case alive && !o.KeepAlive.Enable:
		fault("KeepAlive has times but Enable is false: set Enable, or set NoKeepAlive instead")
	}
	if s.Network == "unix" && (alive || o.NoKeepAlive || o.Delay || o.Multipath) {
		fault("KeepAlive, NoKeepAlive, Delay and Multipath are for TCP: leave them out on a unix socket")
	}
	if opens := o.Backlog != 0 || o.Multipath || o.Control != nil; opens && s.Bind != nil {
		fault("Backlog, Multipath and Control are for who opens the socket, and Bind does: leave them out")
	} else if opens && s.inherits() {
		fault("Backlog, Multipath and Control are for who opens the socket, which was handed over: set them there (Backlog= in the socket unit)")
	}
	return faults
}
