package acceptor

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
)

// A reserve is a descriptor that is kept for the time when there are no others.
// Then it is lent: it is closed, and with the descriptor that has become free
// one connection can be accepted, to be reset. So clients are told instead of
// waiting, and the operating system's queue does not fill. The reserve comes
// first: as long as it cannot be had back, no connection is served.
type reserve struct {
	open func() (io.Closer, error)

	mu sync.Mutex
	// Guarded by mu.
	held io.Closer
	none bool // the operating system gives none, for another reason
}

func newReserve() *reserve {
	return &reserve{open: func() (io.Closer, error) { return os.Open(os.DevNull) }}
}

// take makes sure that the reserve is held; false: there is no descriptor for
// it. An error is another one: there will be no reserve.
func (r *reserve) take() (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held != nil || r.none {
		return true, nil
	}
	f, err := r.open()
	switch {
	case err == nil:
		r.held = f
		return true, nil
	case scarce(err):
		return false, nil
	}
	r.none = true
	return true, err
}

// lend makes the descriptor free; false: it is not there.
func (r *reserve) lend() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		return false
	}
	// Whatever close says, the descriptor is gone.
	_ = r.held.Close()
	r.held = nil
	return true
}

// close lets go of the reserve for good.
func (r *reserve) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.none = true
	if r.held != nil {
		_ = r.held.Close() // as in lend
		r.held = nil
	}
}

// scarce reports whether an error says that there are no descriptors left, here
// or on the machine.
func scarce(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
