package acceptor

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// canSpread: the system spreads connections over the sockets of one address.
const canSpread = true

// setShared lets further sockets of this user be bound to the socket's address.
func setShared(fd int) error {
	return os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}
