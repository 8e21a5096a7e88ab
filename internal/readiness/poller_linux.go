package readiness

import (
	"cmp"
	"os"
	"sync"
	"syscall"
	"time"
)

// Supported says whether there are Pollers here.
const Supported = true

// A Poller watches sockets for those who wait for something to read.
type Poller struct {
	file *os.File
	raw  syscall.RawConn

	mu sync.Mutex
	// Guarded by mu.
	table
	closed bool

	// Owned by the one who waits.
	events [256]syscall.EpollEvent
	due    []Waker
}

// New opens a Poller. It takes one descriptor.
func New() (*Poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // or Go's poller does not watch it
		_ = syscall.Close(fd) // nobody has it
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close() // as above
		return nil, err
	}
	return &Poller{file: file, raw: raw}, nil
}

// Arm has w woken once, as soon as the socket c can be read, or has ended: at once,
// if that is so already. Closing the socket disarms it, but who closes it says so
// with Disarm, for there is something to forget here.
func (p *Poller) Arm(c syscall.RawConn, w Waker) (Mark, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return 0, ErrClosed
	}
	m := p.enter(w)
	p.mu.Unlock()
	err := p.watch(c, m)
	if err != nil {
		p.Disarm(m, w)
	}
	return m, err
}

// watch tells the operating system. A socket that was watched before still is, as
// one of which there is nothing to be told.
func (p *Poller) watch(c syscall.RawConn, m Mark) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(m)}
	var gone, told error
	err := p.raw.Control(func(epoll uintptr) {
		gone = c.Control(func(fd uintptr) {
			err := syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_MOD, int(fd), &event)
			if err == syscall.ENOENT {
				err = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_ADD, int(fd), &event)
			}
			told = os.NewSyscallError("epoll_ctl", err)
		})
	})
	return cmp.Or(err, gone, told)
}

// Disarm forgets w, unless it has been woken.
func (p *Poller) Disarm(m Mark, w Waker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(m, w)
}

// Armed is how many wait.
func (p *Poller) Armed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.armed()
}

// Wait waits until something can be read, and wakes those whose that is. Its error
// is os.ErrDeadlineExceeded or ErrClosed, or says that the Poller is broken. It is
// for one at a time.
func (p *Poller) Wait() error {
	n, failed := 0, error(nil)
	err := p.raw.Read(func(fd uintptr) bool {
		for {
			n, failed = syscall.EpollWait(int(fd), p.events[:], 0)
			if failed != syscall.EINTR {
				return n > 0 || failed != nil
			}
		}
	})
	if err == nil {
		err = os.NewSyscallError("epoll_wait", failed)
	}
	p.mu.Lock()
	if err != nil && p.closed {
		err = ErrClosed
	}
	if err != nil {
		p.mu.Unlock()
		return err
	}
	for _, e := range p.events[:n] {
		if w := p.take(Mark(e.Fd)); w != nil {
			p.due = append(p.due, w)
		}
	}
	p.mu.Unlock()
	for i, w := range p.due {
		p.due[i] = nil
		w.Wake()
	}
	p.due = p.due[:0]
	return nil
}

// SetDeadline has Wait return at that time; zero: it waits for as long as it takes.
// It also goes for a Wait that is under way.
func (p *Poller) SetDeadline(t time.Time) error { return p.file.SetReadDeadline(t) }

// Close lets Wait return. Those who are armed are never woken.
func (p *Poller) Close() error {
	p.mu.Lock()
	p.closed, p.table = true, table{}
	p.mu.Unlock()
	return p.file.Close()
}
