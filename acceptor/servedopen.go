package acceptor

import (
	"context"
	"net"

	"github.com/coppice-go/coppice/process"
)

// open does what comes before the Service, and tells the connection. It stays as
// long as that if there is a Transport: a process that this has started is linked
// to the one that called it.
func (s *served) open(ctx context.Context, to process.PID) error {
	// The connection closes the socket when it ends, but one that is killed
	// cannot. Then this process ends with it, by the link.
	defer context.AfterFunc(ctx, s.close)()
	sock, err := s.prepare(ctx, to)
	if err := process.Send(ctx, to, secured{sock, err}); err != nil {
		return err
	}
	if sock != nil {
		<-ctx.Done()
	}
	return nil
}

func (s *served) prepare(ctx context.Context, to process.PID) (net.Conn, error) {
	spec := s.bound
	if spec.Proxy != nil {
		sock, err := s.introduce(ctx, spec.Proxy)
		if err != nil {
			return nil, err
		}
		if p, ok := sock.(*proxied); ok {
			s.wire.early = p.rest // so that it need not be a conn of its own
		}
	}
	if spec.Transport == nil {
		return nil, nil
	}
	return s.shake(ctx, spec.Transport, s.raw, to)
}
