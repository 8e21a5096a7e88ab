// Package readiness tells when sockets can be read, without a goroutine for each:
// one goroutine waits for all of them.
//
// A [Poller] is a descriptor of the operating system (epoll) that watches sockets
// and is itself watched by Go's own poller, so that whoever waits on it blocks no
// thread. It exists on Linux; elsewhere [New] says that it does not.
package readiness

import "errors"

// A Waker is told, once for each time that it was armed.
type Waker interface {
	// Wake says that the socket can be read, or has ended. It is called by whoever
	// waits, without any lock, and should be quick.
	//
	// One that was disarmed in that very moment may be called all the same, and
	// another one may have been meant: who is called without reason does nothing.
	Wake()
}

// A Mark is what a Waker was armed as.
type Mark int32

// ErrClosed is what a Poller says after Close.
var ErrClosed = errors.New("readiness: the poller is closed")

// A table says who is to be woken for which mark. It is guarded by the Poller's lock.
type table struct {
	wakers []Waker // nil: free
	free   []Mark
}

func (t *table) enter(w Waker) Mark {
	if n := len(t.free); n > 0 {
		m := t.free[n-1]
		t.free = t.free[:n-1]
		t.wakers[m] = w
		return m
	}
	t.wakers = append(t.wakers, w)
	return Mark(len(t.wakers) - 1)
}

// take returns who is to be woken, and forgets it; nil: nobody.
func (t *table) take(m Mark) Waker {
	if m < 0 || int(m) >= len(t.wakers) || t.wakers[m] == nil {
		return nil
	}
	w := t.wakers[m]
	t.wakers[m] = nil
	t.free = append(t.free, m)
	return w
}

// drop forgets w, if it is what the mark stands for.
func (t *table) drop(m Mark, w Waker) {
	if m >= 0 && int(m) < len(t.wakers) && t.wakers[m] == w {
		t.take(m)
	}
}

// armed is how many wait.
func (t *table) armed() int { return len(t.wakers) - len(t.free) }
