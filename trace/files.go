package trace

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Files are where the last part of a stream is kept (OTP: wrap files). They are
// called Path.1, Path.2 and so on; when there would be more than Keep, the
// oldest is deleted. Numbers are not used again, so their order is that of the
// events.
type Files struct {
	Path string
	// Size is how many bytes a file holds at most; 0: 128 KiB, or no limit if
	// Every is set. A line is never cut: one that is longer has its own file.
	Size int
	// Every is how long after its first line a file still takes others; 0: for
	// ever. Without lines there are no new files.
	Every time.Duration
	Keep  int // files; 0: 8
}

const (
	defaultSize = 128 << 10
	defaultKeep = 8
)

// validate fills in the defaults and reports every fault at once.
func (f *Files) validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("trace: Files."+format, args...))
	}
	if f.Path == "" || strings.HasSuffix(f.Path, string(filepath.Separator)) {
		fault("Path is %q: it is that of a file, without its number", f.Path)
	}
	if f.Size < 0 {
		fault("Size is %d: it is at least 1", f.Size)
	}
	if f.Every < 0 {
		fault("Every is %v: it is at least 1ns", f.Every)
	}
	if f.Keep < 0 {
		fault("Keep is %d: it is at least 1", f.Keep)
	}
	if f.Every == 0 {
		f.Size = cmp.Or(f.Size, defaultSize)
	}
	f.Keep = cmp.Or(f.Keep, defaultKeep)
	return errors.Join(faults...)
}

// name is the path of file number n.
func (f *Files) name(n int) string { return f.Path + "." + strconv.Itoa(n) }

// numbers lists the files that there are, the oldest first.
func (f *Files) numbers() (found []int, err error) {
	dir, base := filepath.Split(f.Path)
	entries, err := os.ReadDir(cmp.Or(dir, "."))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), base+".")
		if n, err := strconv.Atoi(rest); ours && err == nil && n > 0 && rest == strconv.Itoa(n) && e.Type().IsRegular() {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	return found, nil
}

// Create deletes what an earlier stream left there and returns a writer for the
// To of a [StreamSpec], which only the owner of the program may read. It is to be
// closed when the stream has ended.
func (f Files) Create() (*FileWriter, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	old, err := f.numbers()
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	for _, n := range old {
		if err := remove(f.name(n)); err != nil {
			return nil, err
		}
	}
	w := &FileWriter{files: f}
	if err := w.next(); err != nil {
		return nil, err
	}
	return w, nil
}

// A FileWriter writes [Files].
type FileWriter struct {
	files Files

	mu     sync.Mutex
	file   *os.File // guarded by mu, like the rest; nil: closed, or broken
	number int
	size   int
	began  time.Time // when its first line was written
}

// Write writes one line. It belongs into one file.
func (w *FileWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if w.file != nil && w.full(len(line), now) {
		if err := errors.Join(w.close(), w.next()); err != nil {
			return 0, err
		}
	}
	if w.file == nil {
		return 0, fmt.Errorf("trace: write to %s: %w", w.files.name(w.number), os.ErrClosed)
	}
	if w.size == 0 {
		w.began = now
	}
	n, err := w.file.Write(line)
	w.size += n
	return n, err
}

// full reports whether n more bytes belong into the next file.
func (w *FileWriter) full(n int, now time.Time) bool {
	if w.size == 0 {
		return false
	}
	bySize := w.files.Size > 0 && w.size+n > w.files.Size
	return bySize || w.files.Every > 0 && now.Sub(w.began) >= w.files.Every
}

// next makes room for another file and begins it.
func (w *FileWriter) next() error {
	if oldest := w.number + 1 - w.files.Keep; oldest > 0 {
		if err := remove(w.files.name(oldest)); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(w.files.name(w.number+1), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	w.file, w.size = file, 0
	w.number++
	return nil
}

// Close closes the file in hand. The files stay.
func (w *FileWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	return w.close()
}

func (w *FileWriter) close() error {
	file := w.file
	w.file = nil
	return file.Close()
}

// remove deletes a file; that somebody else has is fine.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("trace: %w", err)
	}
	return nil
}

// Open reads what there is, from the oldest to the newest file, for [NewReader].
// Only Path matters. The first event that is still there may have any number.
func (f Files) Open() (io.ReadCloser, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	numbers, err := f.numbers()
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	if len(numbers) == 0 {
		return nil, fmt.Errorf("trace: there is no file %s or with another number: %w", f.name(1), fs.ErrNotExist)
	}
	return &filesReader{files: f, numbers: numbers}, nil
}

// A filesReader reads one file after the other.
type filesReader struct {
	files   Files
	numbers []int // still to be opened
	file    *os.File
}

func (r *filesReader) Read(p []byte) (int, error) {
	for {
		if r.file == nil {
			if err := r.open(); err != nil {
				return 0, err
			}
		}
		n, err := r.file.Read(p)
		if err == io.EOF {
			err = r.Close()
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// open opens the next file that was not deleted meanwhile; io.EOF: there is none.
func (r *filesReader) open() error {
	for len(r.numbers) > 0 {
		file, err := os.Open(r.files.name(r.numbers[0]))
		r.numbers = r.numbers[1:]
		if err == nil {
			r.file = file
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("trace: %w", err)
		}
	}
	return io.EOF
}

// Close closes the file in hand.
func (r *filesReader) Close() error {
	if r.file == nil {
		return nil
	}
	file := r.file
	r.file = nil
	return file.Close()
}
