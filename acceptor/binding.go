package acceptor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
)

// A binding is one that is in force, or that may come to be. It is not changed,
// only replaced.
type binding struct {
	Spec            // that of the start, with the Binding's fields
	asked   Binding // as it was given
	version int

	// Guarded by the listener's mu.
	at    net.Addr // where it was bound first: port 0 keeps its port; nil: it was not
	users int      // connections, from their Accept to their end
	rooms []string // of its Transports, below the supervisor of those
}

// binding is the part of a Spec that [Rebind] changes.
func (s *Spec) binding() Binding {
	return Binding{
		Network: s.Network, Address: s.Address, Mode: s.Mode, Sockets: s.Sockets, Socket: s.Socket, Listening: s.Listening,
		Acceptors: s.Acceptors, Proxy: s.Proxy, Transport: s.Transport, Upgrade: s.Upgrade,
	}
}

// with is a Spec with another Binding.
func (s Spec) with(b Binding) Spec {
	s.Network, s.Address, s.Mode, s.Sockets, s.Socket, s.Listening = b.Network, b.Address, b.Mode, b.Sockets, b.Socket, b.Listening
	s.Acceptors, s.Proxy, s.Transport, s.Upgrade = b.Acceptors, b.Proxy, b.Transport, b.Upgrade
	return s
}

// newBinding makes a binding of a Spec that is valid.
func newBinding(s Spec) *binding {
	return &binding{Spec: s.withDefaults(), asked: s.binding()}
}

// become makes the binding that replaces b.
func (b *binding) become(asked Binding) (*binding, error) {
	s := b.Spec.with(asked)
	err := s.validate()
	if s.datagrams() != b.datagrams() {
		err = errors.Join(fmt.Errorf("Network is %q: %w", s.Network, errKind), err)
	}
	if err != nil {
		return nil, fmt.Errorf("acceptor: Rebind: the binding stays as it is: %w", err)
	}
	if asked.Proxy != nil { // it may be changed by who has given it
		p := *asked.Proxy
		p.Trusted = append(p.Trusted[:0:0], p.Trusted...)
		s.Proxy, asked.Proxy = &p, &p
	}
	to := newBinding(s)
	to.asked, to.version = asked, b.version+1
	return to, nil
}

// address is where to bind. The listener's mu is held.
func (b *binding) address() string {
	if b.at != nil && !b.inherits() {
		return b.at.String()
	}
	return b.Address
}

// sameAddress reports whether two bindings are bound to what is the same address
// also by its name.
func (b *binding) sameAddress(to *binding) bool {
	return b.Network == to.Network && b.Address == to.Address
}

// keeps reports whether the sockets of a binding do for another one. What Control
// does cannot be compared.
func (b *binding) keeps(to *binding) bool {
	return !b.datagrams() && b.sameAddress(to) && b.Mode == to.Mode && max(b.Sockets, 1) == max(to.Sockets, 1) &&
		b.Acceptors == to.Acceptors && b.Socket.Multipath == to.Socket.Multipath && b.Socket.Control == nil && to.Socket.Control == nil
}

// inTheWay reports whether the sockets of a binding may be what keeps those of
// another one from being opened, so that they have to be closed first. bound is
// where they are.
func (b *binding) inTheWay(bound net.Addr, to *binding) bool {
	if b.Bind != nil || b.BindPacket != nil { // who knows
		return true
	}
	switch at := bound.(type) {
	case *net.TCPAddr:
		return samePort(at.Port, "tcp", to.Address)
	case *net.UDPAddr:
		return samePort(at.Port, "udp", to.Address)
	case *net.UnixAddr:
		return sameFile(at.Name, to.Address)
	}
	return false
}

func samePort(port int, network, address string) bool {
	_, name, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	other, err := net.LookupPort(network, name)
	return err == nil && other == port
}

func sameFile(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return a == b || errA == nil && errB == nil && os.SameFile(x, y)
}

// sameTransport reports whether two Transports are one. Those that cannot be
// compared are not.
func sameTransport(a, b Transport) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
