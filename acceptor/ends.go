package acceptor

import (
	"errors"
	"io"
	"maps"
	"os"
	"syscall"

	"github.com/coppice-go/coppice/process"
)

// A classified error says under which name an end of a connection is counted.
type classified interface{ ClassName() string }

// className is the class that an error says it is of; "": it says nothing.
func className(err error) string {
	if c, ok := errors.AsType[interface {
		error
		classified
	}](err); ok {
		return c.ClassName()
	}
	return ""
}

// endClass sorts the ends of connections, for the counters. See [Info.Ends].
func endClass(reason error) string {
	if reason == nil {
		return "normal"
	}
	if name := className(reason); name != "" {
		return name
	}
	switch {
	case reason == process.ErrShutdown:
		return "stopped"
	case errors.Is(reason, process.ErrKilled):
		return "killed"
	case !process.Clean(reason):
		return "crashed"
	case errors.Is(reason, io.EOF):
		return "closed"
	case errors.Is(reason, io.ErrUnexpectedEOF):
		return "truncated"
	case errors.Is(reason, syscall.ECONNRESET), errors.Is(reason, syscall.EPIPE):
		return "peer_reset"
	case errors.Is(reason, syscall.ECONNREFUSED), errors.Is(reason, syscall.EHOSTUNREACH), errors.Is(reason, syscall.ENETUNREACH):
		return "unreachable"
	case errors.Is(reason, os.ErrDeadlineExceeded):
		return "timeout"
	}
	return "shutdown"
}

// reason is why a connection has ended, for a gate that was told so. It may have
// ended before the gate looked, and then nobody has kept the reason but itself;
// and the supervisor of a Subtree ends because its Speaker has.
func (e entry) reason(told error) error {
	unknown := errors.Is(told, process.ErrNoProc)
	if e.conn != nil && e.conn.tree != nil {
		if fate := e.conn.tree.fate.Load(); fate != nil {
			return *fate
		}
		unknown = unknown || told == process.ErrShutdown
	}
	if !unknown || e.conn == nil {
		return told
	}
	if last := e.conn.last.Load(); last != nil {
		return *last
	}
	return process.ErrKilled
}

var errTerminate = errors.New("acceptor: Terminate did not return")

// An end is an error of this package that has a class.
type end struct{ class, text string }

func (e *end) Error() string { return e.text }

func (e *end) ClassName() string { return e.class }

// countedLocked returns the counts so far.
func (l *listener) countedLocked() map[string]uint64 { return maps.Clone(l.ends) }
