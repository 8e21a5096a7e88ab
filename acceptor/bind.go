package acceptor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// A BindError says why a listener could not be bound, and what can be done.
type BindError struct {
	Network, Address string
	Err              error
	Cure             string // "" if we know none
}

func (e *BindError) Error() string {
	s := fmt.Sprintf("acceptor: cannot listen on %s %s: %v", e.Network, e.Address, bare(e.Err))
	if e.Cure != "" {
		s += ": " + e.Cure
	}
	return s
}

func (e *BindError) Unwrap() error { return e.Err }

// bare leaves out what net.OpError repeats: network and address.
func bare(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// bind opens a listening socket of the operating system.
func (s *Spec) bind(ctx context.Context, network, address string) (net.Listener, error) {
	fail := func(err error, cure string) error { return &BindError{network, address, err, cure} }
	ln, err := s.open(ctx, network, address)
	if network == "unix" && !abstract(address) && errors.Is(err, syscall.EADDRINUSE) {
		if err := clearStale(ctx, address); err != nil {
			return nil, fail(err, "stop the program that listens there, or choose another path")
		}
		ln, err = s.open(ctx, network, address)
	}
	if err != nil {
		return nil, fail(err, cure(network, err))
	}
	if n := s.Socket.Backlog; n > 0 {
		if err := setBacklog(ln, n); err != nil {
			_ = ln.Close() // the error that counts is the other one
			return nil, fail(err, "leave out Socket.Backlog")
		}
	}
	return ln, nil
}

func (s *Spec) open(ctx context.Context, network, address string) (net.Listener, error) {
	if s.Mode != 0 {
		return listenMode(address, s.Mode, s.Socket.Control)
	}
	lc := net.ListenConfig{Control: s.Socket.Control}
	if s.Socket.Multipath {
		lc.SetMultipathTCP(true)
	}
	return lc.Listen(ctx, network, address)
}

// abstract reports whether a unix socket has a name only, and no file.
func abstract(address string) bool { return strings.HasPrefix(address, "@") }

// clearStale removes a unix socket file that a dead program has left behind.
// Nothing else is ever removed: not a file of another kind, and not a socket
// that somebody answers on.
func clearStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("a file that is no socket is in the way (%v)", info.Mode().Type())
	}
	// Somebody who has bound it just now may not listen yet.
	for range 2 {
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			_ = conn.Close() // only to see whether somebody answers
			return syscall.EADDRINUSE
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
		if !sleep(ctx, firstWait) {
			return context.Cause(ctx)
		}
	}
	return os.Remove(path)
}

// cure says what can be done about an error of listen.
func cure(network string, err error) string {
	var dns *net.DNSError
	var addr *net.AddrError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		if network == "unix" {
			return "another program listens there: stop it (ss -lxp names it), or choose another name"
		}
		return "another program listens there: stop it (ss -ltnp names it), or choose another port (0 takes a free one)"
	case errors.Is(err, fs.ErrPermission) && network == "unix":
		return "this user may not create files in that folder"
	case errors.Is(err, fs.ErrPermission):
		return "ports below 1024 need root or CAP_NET_BIND_SERVICE: choose another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no interface of this machine has that address: 0.0.0.0 or [::] listens on all (ip addr lists them)"
	case errors.Is(err, fs.ErrNotExist):
		return "the folder of that path does not exist"
	case errors.Is(err, syscall.EINVAL) && network == "unix":
		return "the path of a unix socket has about 100 bytes at most"
	case errors.As(err, &dns):
		return "the host has no address: write a number, or leave the host out to listen on all interfaces"
	case errors.As(err, &addr):
		return "write host:port, or :port to listen on all interfaces"
	case errors.Is(err, errors.ErrUnsupported):
		return "this operating system has no such thing: leave it out of the Spec"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "out of file descriptors: raise ulimit -n"
	}
	return ""
}
