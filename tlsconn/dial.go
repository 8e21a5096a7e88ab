package tlsconn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/tlsconn/identity"
)

// Dial connects to a server, which has to prove its name. The connection belongs
// to the calling process, and ends with it. The error is a [*Fault] or an
// [*EndError], unless it says what is wrong with the Spec or its files. Dialing
// and handshake may take until the deadline of ctx; without one, the Spec's
// Timeout.
func Dial(ctx context.Context, spec ClientSpec) (*Conn, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	spec = spec.withDefaults()
	p, err := identity.Load(spec.Files, time.Now())
	if err != nil {
		return nil, fmt.Errorf("tlsconn: client %q:\n%w", spec.Name, err)
	}
	keys, err := newKeyLog(ctx, spec.Name, spec.KeyLog)
	if err != nil {
		return nil, fmt.Errorf("tlsconn: client %q: KeyLog: %w", spec.Name, err)
	}
	l := spec.connection(spec.endpoint(nil), spec.config(materialOf(p), nil, keys.writer()), limitOf(ctx, spec.Timeout))
	l.c.keys = keys
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(err, keys.close())
	}
	if err := l.c.Handshake(ctx); err != nil {
		return nil, err
	}
	return l.c, nil
}
