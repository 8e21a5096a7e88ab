//go:build unix

package acceptor

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// setBacklog changes the length of a listening socket's queue: listen may be
// called again for that.
func setBacklog(ln net.Listener, n int) error {
	return onSocket(ln, func(fd int) error { return os.NewSyscallError("listen", syscall.Listen(fd, n)) })
}

// longest is a backlog that every system cuts to what it lets.
const longest = 1<<16 - 1

// listenMode opens a unix socket whose file has that mode before anybody can
// connect, whatever umask is: nobody can before listen.
func listenMode(path string, mode fs.FileMode, more control) (net.Listener, error) {
	f, err := newSocket(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the listener has a descriptor of its own
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	if more != nil {
		if err := more("unix", path, raw); err != nil {
			return nil, err
		}
	}
	if err := onConn(raw, func(fd int) error {
		return os.NewSyscallError("bind", syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
	}); err != nil {
		return nil, err
	}
	ln, err := serveMode(f, raw, path, mode)
	if err != nil {
		_ = os.Remove(path) // we have made it; the error that counts is the other one
	}
	return ln, err
}

func newSocket(path string) (*os.File, error) {
	syscall.ForkLock.RLock() // no child may get it
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

func serveMode(f *os.File, raw syscall.RawConn, path string, mode fs.FileMode) (net.Listener, error) {
	if err := os.Chmod(path, mode); err != nil {
		return nil, err
	}
	if err := onConn(raw, func(fd int) error { return os.NewSyscallError("listen", syscall.Listen(fd, longest)) }); err != nil {
		return nil, err
	}
	ln, err := net.FileListener(f)
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(true)
	}
	return ln, err
}

// adopt makes a listener of a descriptor that the program was started with. The
// descriptor itself stays as it is, to be adopted again.
func adopt(fd int) (net.Listener, error) {
	if err := listening(fd); err != nil {
		return nil, err
	}
	syscall.ForkLock.RLock()
	own, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(own)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(fd) // it is ours, and no child's
	f := os.NewFile(uintptr(own), fmt.Sprintf("fd %d", fd))
	defer f.Close() // the listener has another one of its own
	return net.FileListener(f)
}

// listening reports what keeps a descriptor from being a listening socket.
func listening(fd int) error {
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	switch {
	case err == syscall.EBADF:
		return fmt.Errorf("descriptor %d is not open: %w", fd, err)
	case err == syscall.ENOTSOCK:
		return fmt.Errorf("descriptor %d is no socket: %w", fd, err)
	case err != nil:
		return os.NewSyscallError("getsockopt", err)
	case kind != syscall.SOCK_STREAM:
		return fmt.Errorf("descriptor %d is a socket without connections (ListenDatagram= or another)", fd)
	}
	if on, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err != nil {
		return os.NewSyscallError("getsockopt", err)
	} else if on == 0 {
		return fmt.Errorf("descriptor %d is a socket that does not listen (one connection, as with Accept=yes?)", fd)
	}
	return nil
}
