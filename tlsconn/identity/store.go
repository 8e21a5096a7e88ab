package identity

import (
	"errors"
	"fmt"
	"io/fs"
)

// A Store is where Cert and Key are kept if not in files: a database, a store of
// secrets, what an ACME client has obtained. All that is promised of files holds for
// it: what it holds is judged before it is served, read again and again, and never
// served for the worse.
type Store interface {
	// ReadFile returns what is kept under a name, in PEM. It is the caller's, who
	// will wipe it. If nothing is there, the error is of kind fs.ErrNotExist. It may
	// be called from several processes at a time, and must not take long.
	ReadFile(name string) ([]byte, error)
}

// readStored is readFile for a store.
func readStored(from Store, at source) content {
	c := content{source: at}
	if at.path == "" {
		return c
	}
	fail := func(check Check, err error, cure, format string, args ...any) content {
		c.flaw = &Flaw{Check: check, Field: at.field, File: at.path, Problem: fmt.Sprintf(format, args...), Cure: cure, Err: err}
		return c
	}
	data, err := from.ReadFile(at.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(Missing, err, "put it there, or correct the name", "is not in the store")
	case err != nil:
		return fail(Unreadable, err, "see that the store can be reached, and that it lets this program read", "cannot be read from the store: %v", reason(err))
	case len(data) > tooLong:
		return fail(NotAFile, nil, "name what holds certificates or keys", "has %d bytes, which is more than any of those", len(data))
	}
	c.data = data
	return c
}
