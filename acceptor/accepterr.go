package acceptor

import (
	"errors"
	"syscall"
	"time"
)

// A class says what an error of Accept is about.
type class int

const (
	broken      class = iota // the listening socket: nothing will ever be accepted again
	onlyThisOne              // one connection that went away before we had it
	exhausted                // the program or the machine has no descriptors or memory left
)

func (c class) String() string {
	return [...]string{"broken", "this connection only", "out of descriptors"}[c]
}

// classify sorts an error of Accept. What we do not know is broken: better one
// loud restart than a loop that accepts nothing and says nothing.
//
// accept(2) passes on errors that are already pending on the new connection;
// its manual lists them, to be treated as if nobody had called.
func classify(err error) class {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return broken
	}
	switch errno {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
		return exhausted
	case syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR, syscall.EAGAIN, syscall.ETIMEDOUT,
		syscall.EPERM, syscall.EPROTO, syscall.ENOPROTOOPT, syscall.EOPNOTSUPP,
		syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH:
		return onlyThisOne
	}
	return broken
}

// A backoff says how long to wait before trying again.
type backoff struct{ last time.Duration }

const (
	firstWait   = 5 * time.Millisecond
	longestWait = time.Second
	// patience is the wait after which a lack of descriptors is not soon over.
	patience = 80 * time.Millisecond
)

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, firstWait), longestWait)
	return b.last
}

func (b *backoff) reset() { b.last = 0 }
