package acceptor

import (
	"io"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// A table of descriptors, of which there are few.
type few struct{ left int }

func (f *few) open() (io.Closer, error) {
	if f.left == 0 {
		return nil, &fs.PathError{Op: "open", Path: os.DevNull, Err: syscall.EMFILE}
	}
	f.left--
	return f, nil
}

func (f *few) Close() error { f.left++; return nil }

// The reserve never holds more than one descriptor, holds it whenever take has
// said so, and none after close.
func TestReserve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &few{left: rapid.IntRange(0, 2).Draw(t, "left")}
		r := &reserve{open: f.open}
		all, others, closed := f.left, 0, false
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				ok, err := r.take()
				if err != nil || ok != (closed || r.held != nil) {
					t.Fatalf("take: %v, %v", ok, err)
				}
			case 1:
				held := r.held != nil
				if r.lend() != held || r.held != nil {
					t.Fatal("lent what was not there")
				}
			case 2:
				if f.left > 0 {
					f.left--
					others++
				}
			case 3:
				if others > 0 {
					f.left++
					others--
				}
			case 4:
				if rapid.IntRange(0, 9).Draw(t, "close") == 0 {
					r.close()
					closed = true
				}
			}
			held := all - f.left - others
			if held < 0 || held > 1 || closed && held > 0 || (held == 1) != (r.held != nil) {
				t.Fatalf("holds %d, closed %v", held, closed)
			}
		}
	})
}

// Where there is no file to open, it is said once, and connections are served.
func TestNoReserve(t *testing.T) {
	r := &reserve{open: func() (io.Closer, error) { return nil, fs.ErrNotExist }}
	if ok, err := r.take(); !ok || err != fs.ErrNotExist {
		t.Errorf("take: %v, %v", ok, err)
	}
	if ok, err := r.take(); !ok || err != nil || r.lend() {
		t.Errorf("take again: %v, %v", ok, err)
	}
}
