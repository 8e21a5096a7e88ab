package identity

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// tooLong is more than any file of certificates holds: the bundle of all public
// authorities has a quarter of a megabyte.
const tooLong = 16 << 20

// A system is where files come from: the operating system's, or a test's.
type system interface {
	Stat(path string) (fs.FileInfo, error)
	ReadFile(path string) ([]byte, error)
}

type osFiles struct{}

func (osFiles) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }
func (osFiles) ReadFile(path string) ([]byte, error)  { return os.ReadFile(path) }

// content is what a file held when it was read. A file that is not named has
// neither data nor a flaw.
type content struct {
	source
	data []byte
	flaw *Flaw // why it could not be read
}

// A snapshot is what all files held, read one after the other. They need not
// belong together: whoever wrote them may have been at it.
type snapshot struct{ cert, key, clientCA, serverCA, roots content }

func read(sys system, f Files) snapshot {
	own := func(at source) content { return readFile(sys, at) }
	if f.From != nil {
		own = func(at source) content { return readStored(f.From, at) }
	}
	return snapshot{
		cert:     own(source{"Cert", f.Cert}),
		key:      own(source{"Key", f.Key}),
		clientCA: readFile(sys, source{"ClientCA", f.ClientCA}),
		serverCA: readFile(sys, source{"ServerCA", f.ServerCA}),
		roots:    readFile(sys, source{"Roots", f.Roots}),
	}
}

func (s *snapshot) all() []*content {
	return []*content{&s.cert, &s.key, &s.clientCA, &s.serverCA, &s.roots}
}

// A digest tells one state of the files from another.
type digest [sha256.Size]byte

func (s *snapshot) digest() digest {
	h := sha256.New()
	for _, c := range s.all() {
		sum := sha256.Sum256(c.data)
		fmt.Fprintf(h, "%s %d %x ", c.field, len(c.data), sum)
		if c.flaw != nil {
			fmt.Fprintf(h, "%s ", c.flaw.Check)
		}
	}
	return digest(h.Sum(nil))
}

// wipe forgets what was read. The keys that were parsed from it stay.
func (s *snapshot) wipe() {
	for _, c := range s.all() {
		clear(c.data)
	}
}

func readFile(sys system, at source) content {
	c := content{source: at}
	if at.path == "" {
		return c
	}
	fail := func(check Check, err error, cure, format string, args ...any) content {
		c.flaw = &Flaw{Check: check, Field: at.field, File: at.path, Problem: fmt.Sprintf(format, args...), Cure: cure, Err: err}
		return c
	}
	info, err := sys.Stat(at.path)
	if err == nil {
		switch {
		case info.IsDir():
			return fail(NotAFile, nil, "name a file in it", "is a folder")
		case !info.Mode().IsRegular():
			return fail(NotAFile, nil, "name a regular file: it is read again for each reload", "is not a regular file (%v)", info.Mode().Type())
		case info.Size() > tooLong:
			return fail(NotAFile, nil, "name a file of certificates or keys", "has %d bytes, which is more than any such file", info.Size())
		}
		c.data, err = sys.ReadFile(at.path)
	}
	switch {
	case err == nil:
		return c
	case errors.Is(err, fs.ErrNotExist):
		return fail(Missing, err, "put it there, or correct the path", "%s", absence(at.path))
	case errors.Is(err, fs.ErrPermission):
		return fail(Unreadable, err, "give this program's user the right to read it, and to enter its folders", "permission denied: %s", rights(info))
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fail(Unreadable, err, "raise ulimit -n: the program has no descriptor left to open it with", "cannot be read: %v", reason(err))
	default:
		return fail(Unreadable, err, "look after the disk or the mount that it is on", "cannot be read: %v", reason(err))
	}
}

// absence says what of a path does not exist.
func absence(path string) string {
	text := "does not exist"
	if to, err := os.Readlink(path); err == nil {
		return fmt.Sprintf("is a symbolic link to %s, which does not exist", to)
	}
	if !filepath.IsAbs(path) {
		if cwd, err := os.Getwd(); err == nil {
			text += " in " + cwd
		}
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		text += fmt.Sprintf(", and neither does its folder %s", dir)
	}
	return text
}

// rights says whose a file is, if it could be looked at, and who we are.
func rights(info fs.FileInfo) string {
	who := "this program runs as user " + fmt.Sprint(os.Geteuid())
	if info == nil {
		return who + ", who cannot look at the file"
	}
	return fmt.Sprintf("the file is %v%s; %s", info.Mode(), owner(info), who)
}

// reason leaves out what fs.PathError repeats: operation and path.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
