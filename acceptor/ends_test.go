package acceptor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/coppice-go/coppice/process"
)

type named struct{}

func (named) Error() string     { return "named" }
func (named) ClassName() string { return "taken_over" }

func TestEndClass(t *testing.T) {
	shut := process.Shutdown
	for _, c := range []struct {
		reason error
		want   string
	}{
		{nil, "normal"},
		{process.ErrShutdown, "stopped"},
		{process.ErrKilled, "killed"},
		{shut(io.EOF), "closed"},
		{shut(io.ErrUnexpectedEOF), "truncated"},
		{shut(ErrIdle), "idle"},
		{shut(ErrFrameTooLong), "frame_too_long"},
		{shut(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}), "peer_reset"},
		{shut(&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}), "peer_reset"},
		{shut(&net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}), "timeout"},
		{shut(errors.New("go away")), "shutdown"},
		{shut(fmt.Errorf("session: %w", named{})), "taken_over"},
		{named{}, "taken_over"},
		{&process.PanicError{Value: "boom"}, "crashed"},
		{io.EOF, "crashed"}, // of somebody else: a handler returned it
		{&process.ExitError{Reason: shut(io.EOF)}, "crashed"},
		{shut(&handshakeError{errors.New("no")}), "handshake_failed"},
		{shut(&handshakeError{process.ErrTimeout}), "handshake_timeout"},
		{shut(&handshakeError{fmt.Errorf("tls: %w", named{})}), "taken_over"},
	} {
		if got := endClass(c.reason); got != c.want {
			t.Errorf("endClass(%v) = %q, want %q", c.reason, got, c.want)
		}
	}
}
