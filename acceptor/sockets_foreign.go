//go:build !unix

package acceptor

import (
	"errors"
	"io/fs"
	"net"
)

const longest = 0 // there is no backlog to be set

func setBacklog(net.Listener, int) error { return errors.ErrUnsupported }

func listenMode(string, fs.FileMode, control) (net.Listener, error) {
	return nil, errors.ErrUnsupported
}

func adopt(int) (net.Listener, error) { return nil, errors.ErrUnsupported }
