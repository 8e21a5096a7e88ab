package acceptor

import (
	"errors"
	"syscall"
)

// classifyPacket sorts an error of reading datagrams. What an ICMP message says of
// one peer comes as an error of the socket, on some systems: that is about this
// peer only, and nobody knows which it is. For the rest see classify.
func classifyPacket(err error) class {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return broken
	}
	switch errno {
	case syscall.ENOBUFS, syscall.ENOMEM:
		return exhausted
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED,
		syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN,
		syscall.EMSGSIZE, syscall.EINTR, syscall.EAGAIN, syscall.EPERM, syscall.EPROTO, syscall.ENOPROTOOPT:
		return onlyThisOne
	}
	return broken
}
