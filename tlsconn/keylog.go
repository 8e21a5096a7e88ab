package tlsconn

import (
	"context"
	"io"
	"os"
	"sync"

	"github.com/coppice-go/coppice/process"
)

// A keyLog writes the keys of sessions to a file, for Wireshark.
type keyLog struct {
	mu   sync.Mutex
	file *os.File // nil: closed
}

// newKeyLog opens the file, and says so. Nil: no path is given, and no key is
// written.
func newKeyLog(ctx context.Context, endpoint, path string) (*keyLog, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	process.Emit(ctx, process.Event{
		Kind: process.Warned, Level: process.LevelWarn, Detail: keyLogDetail{endpoint, path},
		Text: "KeyLog is set: the keys of all sessions are written to a file, and who has it can read them",
	})
	return &keyLog{file: f}, nil
}

type keyLogDetail struct{ endpoint, path string }

// Each gives what is known, by key, in order.
func (d keyLogDetail) Each(yield func(key string, value any)) {
	yield("endpoint", d.endpoint)
	yield("file", d.path)
}

// Write appends a line. After close nothing is written, and no handshake fails
// for that: the log is for looking on.
func (l *keyLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return len(b), nil
	}
	return l.file.Write(b)
}

// writer is what crypto/tls is told: nothing, if there is no log.
func (l *keyLog) writer() io.Writer {
	if l == nil {
		return nil
	}
	return l
}

func (l *keyLog) close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
