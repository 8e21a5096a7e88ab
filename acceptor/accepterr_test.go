package acceptor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestClassify(t *testing.T) {
	accept := func(errno syscall.Errno) error {
		return &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", errno)}
	}
	for _, c := range []struct {
		err  error
		want class
	}{
		{accept(syscall.ECONNABORTED), onlyThisOne},
		{accept(syscall.EPROTO), onlyThisOne},
		{accept(syscall.EPERM), onlyThisOne}, // a firewall rule
		{accept(syscall.EINTR), onlyThisOne},
		{accept(syscall.ENETDOWN), onlyThisOne},
		{accept(syscall.EMFILE), exhausted},
		{accept(syscall.ENFILE), exhausted},
		{accept(syscall.ENOBUFS), exhausted},
		{accept(syscall.ENOMEM), exhausted},
		{accept(syscall.EBADF), broken},
		{accept(syscall.EINVAL), broken},
		{accept(syscall.ENOTSOCK), broken},
		{net.ErrClosed, broken},
		{os.ErrDeadlineExceeded, broken}, // it would be returned for ever
		{errors.New("never seen"), broken},
		{fmt.Errorf("wrapped: %w", accept(syscall.EMFILE)), exhausted},
	} {
		if got := classify(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	for i, want := range []time.Duration{5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000} {
		if got := b.next(); got != want*time.Millisecond {
			t.Errorf("wait %d is %v, want %v", i, got, want*time.Millisecond)
		}
	}
	b.reset()
	if got := b.next(); got != firstWait {
		t.Errorf("after a success it begins with %v, want %v", got, firstWait)
	}
}
