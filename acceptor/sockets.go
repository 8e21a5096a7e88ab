package acceptor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// A Socket says how the operating system shall treat a listener's sockets. Zero
// is what package net does.
type Socket struct {
	// Backlog is how many connections may wait to be accepted; 0: as many as the
	// system lets (net.core.somaxconn on Linux).
	Backlog int
	// Multipath lets clients use several ways at once (MPTCP), where the system
	// can.
	Multipath bool
	// Control is called between the making of a socket and its bind, for options
	// of your own; see net.ListenConfig.
	Control func(network, address string, c syscall.RawConn) error

	// The others are set on each accepted TCP connection.

	// KeepAlive is how the system finds out that a silent peer is gone; zero: a
	// probe after 15 s of silence, every 15 s, nine times. NoKeepAlive: not at all.
	KeepAlive   net.KeepAliveConfig
	NoKeepAlive bool
	// Delay lets the system wait for more before it sends a small packet (Nagle's
	// algorithm); false: TCP_NODELAY.
	Delay bool
	// ReadBuffer and WriteBuffer are the bytes that the system holds for one
	// connection; 0: as it sees fit.
	ReadBuffer, WriteBuffer int
}

// listen opens the listening sockets: more than one if Sockets says so, or if that
// many were handed over.
func (s *Spec) listen(ctx context.Context, address string) ([]net.Listener, error) {
	switch {
	case s.Bind != nil:
		return s.bindEach(ctx, address, s.Bind)
	case s.Network == "systemd", s.Network == "fd":
		return inherit(s.Network, address)
	case s.Sockets > 1 && canSpread:
		return s.spread(ctx, address)
	}
	ln, err := s.bind(ctx, s.Network, address)
	return []net.Listener{ln}, err
}

// A binder opens one listening socket.
type binder func(ctx context.Context, network, address string) (net.Listener, error)

// bindEach opens Sockets listening sockets, the later ones where the first one is.
func (s *Spec) bindEach(ctx context.Context, address string, bind binder) (lns []net.Listener, err error) {
	for range max(s.Sockets, 1) {
		ln, err := bind(ctx, s.Network, address)
		if err != nil {
			closeAll(lns)
			return nil, err
		}
		lns = append(lns, ln)
		address = lns[0].Addr().String()
	}
	return lns, nil
}

// spread opens sockets among which the system spreads the connections. The first
// is opened as the only one of its address, so that another program that listens
// there, also a second copy of this one, is noticed; only then it shares.
func (s *Spec) spread(ctx context.Context, address string) ([]net.Listener, error) {
	first := true
	return s.bindEach(ctx, address, func(ctx context.Context, network, address string) (net.Listener, error) {
		if !first {
			sharing := *s
			sharing.Socket.Control = controls(shareAddress, s.Socket.Control)
			return sharing.bind(ctx, network, address)
		}
		first = false
		ln, err := s.bind(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if err := onSocket(ln, setShared); err != nil {
			closeAll([]net.Listener{ln})
			return nil, &BindError{network, address, err, "set Sockets to 1"}
		}
		return ln, nil
	})
}

func shareAddress(_, _ string, c syscall.RawConn) error { return onConn(c, setShared) }

// A control is a net.ListenConfig's Control.
type control = func(network, address string, c syscall.RawConn) error

// controls calls one after the other; nil ones are left out.
func controls(all ...control) control {
	return func(network, address string, c syscall.RawConn) error {
		for _, f := range all {
			if f == nil {
				continue
			}
			if err := f(network, address, c); err != nil {
				return err
			}
		}
		return nil
	}
}

// onSocket does something to the descriptor of a listening socket.
func onSocket(ln net.Listener, do func(fd int) error) error {
	s, ok := ln.(syscall.Conn)
	if !ok {
		return fmt.Errorf("%T has no descriptor", ln)
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	return onConn(raw, do)
}

func onConn(raw syscall.RawConn, do func(fd int) error) error {
	var err error
	if outer := raw.Control(func(fd uintptr) { err = do(int(fd)) }); outer != nil {
		return outer
	}
	return err
}

// closeAll closes listening sockets. Whatever close says, the descriptors are gone.
func closeAll(lns []net.Listener) {
	for _, ln := range lns {
		_ = ln.Close()
	}
}

// tune sets the options of an accepted connection.
func (o *Socket) tune(raw net.Conn) error {
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return nil
	}
	var errs []error
	if o.NoKeepAlive {
		errs = append(errs, tcp.SetKeepAlive(false))
	} else if o.KeepAlive != (net.KeepAliveConfig{}) {
		errs = append(errs, tcp.SetKeepAliveConfig(o.KeepAlive))
	}
	if o.Delay {
		errs = append(errs, tcp.SetNoDelay(false))
	}
	if o.ReadBuffer > 0 {
		errs = append(errs, tcp.SetReadBuffer(o.ReadBuffer))
	}
	if o.WriteBuffer > 0 {
		errs = append(errs, tcp.SetWriteBuffer(o.WriteBuffer))
	}
	return errors.Join(errs...)
}
