package acceptor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
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
func bind(ctx context.Context, network, address string, mode fs.FileMode) (net.Listener, error) {
	fail := func(err error, cure string) error { return &BindError{network, address, err, cure} }
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, network, address)
	if network == "unix" && errors.Is(err, syscall.EADDRINUSE) {
		if err := clearStale(address); err != nil {
			return nil, fail(err, "stop the program that listens there, or choose another path")
		}
		ln, err = lc.Listen(ctx, network, address)
	}
	if err != nil {
		return nil, fail(err, cure(network, err))
	}
	if mode != 0 {
		if err := os.Chmod(address, mode); err != nil {
			_ = ln.Close() // the error that counts is the other one
			return nil, fail(err, "")
		}
	}
	return ln, nil
}

// clearStale removes a unix socket file that a dead program has left behind.
// Nothing else is ever removed: not a file of another kind, and not a socket
// that somebody answers on.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("a file that is no socket is in the way (%v)", info.Mode().Type())
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close() // only to see whether somebody answers
		return syscall.EADDRINUSE
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// cure says what can be done about an error of listen.
func cure(network string, err error) string {
	var dns *net.DNSError
	var addr *net.AddrError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
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
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "out of file descriptors: raise ulimit -n"
	}
	return ""
}
