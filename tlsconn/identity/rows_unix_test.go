//go:build unix

package identity

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe is not opened: that would wait for whoever writes to it.
func TestPipe(t *testing.T) {
	b := newBench(t)
	b.files.Key = filepath.Join(b.dir, "pipe")
	if err := syscall.Mkfifo(b.files.Key, 0o600); err != nil {
		t.Fatal(err)
	}
	b.check([]want{{NotAFile, "Key", "pipe", "is not a regular file", "regular file"}})
}

// What may not even be looked at, because of the folders above it.
func TestNoWayThere(t *testing.T) {
	b := newBench(t)
	b.sys = closed{b.files.Cert}
	b.check([]want{{Unreadable, "Cert", "server.crt", "permission denied: this program runs as user |who cannot look at the file", "enter its folders"}})
}

type closed struct{ path string }

func (c closed) Stat(path string) (fs.FileInfo, error) {
	if path == c.path {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: syscall.EACCES}
	}
	return os.Stat(path)
}

func (c closed) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }

// The real thing, for those who are not allowed everything.
func TestMode000(t *testing.T) {
	b := newBench(t)
	if err := os.Chmod(b.files.Key, 0); err != nil {
		t.Fatal(err)
	}
	p, err := b.load()
	if os.Geteuid() == 0 { // root may read it
		if err != nil || p == nil {
			t.Errorf("as root: %v", err)
		}
		return
	}
	b.check([]want{{Unreadable, "Key", "server.key", "permission denied: the file is ----------", "right to read"}})
}
