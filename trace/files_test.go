package trace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFilesRefuse(t *testing.T) {
	_, err := Files{Size: -1, Every: -1, Keep: -1}.Create()
	for _, field := range []string{"Path", "Size", "Every", "Keep"} {
		if err == nil || !strings.Contains(err.Error(), "Files."+field+" ") {
			t.Errorf("bad files: %v; want all faults, among them that of %s", err, field)
		}
	}
	dir := t.TempDir()
	nowhere := Files{Path: filepath.Join(dir, "none", "dbg")}
	if _, err := nowhere.Create(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such directory: %v", err)
	}
	for _, path := range []string{nowhere.Path, filepath.Join(dir, "dbg")} {
		if _, err := (Files{Path: path}).Open(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path[:len(path)-4]) {
			t.Errorf("nothing to open: %v", err)
		}
	}
	if _, err := (Files{Path: dir + "/"}).Open(); err == nil {
		t.Error("a directory was opened")
	}
}

// Nothing but an earlier stream's files is deleted.
func TestFilesLeaveOthers(t *testing.T) {
	dir := t.TempDir()
	others := []string{"dbg", "dbg.", "dbg.0", "dbg.01", "dbg.1x", "dbg.-1", "xdbg.1", "dbg.gz.1"}
	for _, name := range append(others, "dbg.3", "dbg.12") {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "dbg.7"), 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := Files{Path: filepath.Join(dir, "dbg")}.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(others)+2 {
		t.Errorf("left are %v, %v; want %v, dbg.7 and the new dbg.1", entries, err, others)
	}
	info, err := os.Stat(filepath.Join(dir, "dbg.1"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 0 {
		t.Errorf("the new file: %v, %v; want it empty and ours alone", info, err)
	}
}

func TestFileWriterClosed(t *testing.T) {
	w, err := Files{Path: filepath.Join(t.TempDir(), "dbg"), Size: 1}.Create()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := w.Write([]byte("x\n")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write after Close: %v, want os.ErrClosed", err)
	}
}

// A file that is deleted meanwhile is no harm to who reads, and one that cannot
// be made is told to who writes.
func TestFilesVanish(t *testing.T) {
	files := Files{Path: filepath.Join(t.TempDir(), "dbg"), Size: 1}
	w, err := files.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	line := func(s string) error { _, err := w.Write([]byte(s)); return err }
	if err := errors.Join(line("1\n"), line("2\n"), line("3\n")); err != nil {
		t.Fatal(err)
	}
	in, err := files.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := os.Remove(files.name(2)); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(in); err != nil || string(text) != "1\n3\n" {
		t.Errorf("read %q, %v; want the first and the third", text, err)
	}
	if err := os.WriteFile(files.name(4), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := line("4\n"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("number 4 is somebody else's: %v", err)
	}
	if err := line("5\n"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after that: %v, want os.ErrClosed", err)
	}
}

// Whatever is written, the last part of it is there, in order and without gaps,
// in no more files and no longer ones than was asked for.
func TestFilesKeepTheLast(t *testing.T) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		files := Files{Path: filepath.Join(t.TempDir(), fmt.Sprint("dbg", n)),
			Size: rapid.IntRange(1, 60).Draw(rt, "size"), Keep: rapid.IntRange(1, 5).Draw(rt, "keep")}
		w, err := files.Create()
		if err != nil {
			rt.Fatal(err)
		}
		all := ""
		for i, size := range rapid.SliceOfN(rapid.IntRange(0, 80), 0, 40).Draw(rt, "sizes") {
			line := fmt.Sprint(i, strings.Repeat(".", size), "\n")
			all += line
			if n, err := w.Write([]byte(line)); err != nil || n != len(line) {
				rt.Fatalf("Write: %d, %v", n, err)
			}
		}
		if err := w.Close(); err != nil {
			rt.Fatal(err)
		}
		numbers, err := files.numbers()
		if err != nil || len(numbers) == 0 || len(numbers) > files.Keep {
			rt.Fatalf("files %v, %v; want at most %d", numbers, err, files.Keep)
		}
		for _, n := range numbers {
			text, err := os.ReadFile(files.name(n))
			if err != nil || len(text) > files.Size && strings.Count(string(text), "\n") != 1 {
				rt.Fatalf("file %d is %q, %v; want at most %d bytes, or one line", n, text, err, files.Size)
			}
		}
		in, err := files.Open()
		if err != nil {
			rt.Fatal(err)
		}
		defer in.Close()
		text, err := io.ReadAll(in)
		if err != nil || !strings.HasSuffix(all, string(text)) || (len(text) == 0) != (all == "") {
			rt.Fatalf("read %q, %v; want the end of %q", text, err, all)
		}
		if len(numbers) < files.Keep && string(text) != all {
			rt.Fatalf("read %q; there was room for all of %q", text, all)
		}
	})
}

func TestFilesEvery(t *testing.T) {
	w := FileWriter{files: Files{Every: time.Second}, size: 1, began: time.Unix(10, 0)}
	for after, want := range map[time.Duration]bool{0: false, time.Second - 1: false, time.Second: true} {
		if got := w.full(1<<30, w.began.Add(after)); got != want {
			t.Errorf("full after %v: %v, want %v", after, got, want)
		}
	}
}
