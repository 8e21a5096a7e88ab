package acceptor

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestClassifyPacket(t *testing.T) {
	for err, want := range map[error]class{
		syscall.ECONNREFUSED: onlyThisOne, syscall.ECONNRESET: onlyThisOne, syscall.EHOSTUNREACH: onlyThisOne,
		syscall.ENETUNREACH: onlyThisOne, syscall.EMSGSIZE: onlyThisOne, syscall.EINTR: onlyThisOne,
		syscall.ENOBUFS: exhausted, syscall.ENOMEM: exhausted,
		syscall.EBADF: broken, syscall.ENOTSOCK: broken, syscall.EINVAL: broken,
		net.ErrClosed: broken, errors.New("who knows"): broken,
	} {
		wrapped := &net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("recvfrom", err)}
		if got := classifyPacket(wrapped); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
}
