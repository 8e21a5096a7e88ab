//go:build !linux

package acceptor

import "errors"

// canSpread: the system does not spread connections over the sockets of one
// address, as far as we know. So the acceptors share one.
const canSpread = false

func setShared(int) error { return errors.ErrUnsupported }
