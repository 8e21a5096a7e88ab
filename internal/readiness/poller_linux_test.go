package readiness_test

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coppice-go/coppice/internal/readiness"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A counter counts how often it was woken.
type counter struct {
	n  atomic.Int64
	on func()
}

func (c *counter) Wake() {
	c.n.Add(1)
	if c.on != nil {
		c.on()
	}
}

// A link is two ends of a connection; ours is watched.
type link struct {
	ours, theirs net.Conn
	raw          syscall.RawConn
}

func connect(t *testing.T, ln net.Listener) *link {
	t.Helper()
	theirs, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	raw, err := ours.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return &link{ours, theirs, raw}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func poller(t *testing.T) *readiness.Poller {
	t.Helper()
	p, err := readiness.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// turn waits once, for a second at most.
func turn(t *testing.T, p *readiness.Poller) error {
	t.Helper()
	if err := p.SetDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	return p.Wait()
}

// quiet wants that nothing happens.
func quiet(t *testing.T, p *readiness.Poller) {
	t.Helper()
	if err := p.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("somebody was woken without a reason (%v)", err)
	}
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func arm(t *testing.T, p *readiness.Poller, l *link, w readiness.Waker) readiness.Mark {
	t.Helper()
	m, err := p.Arm(l.raw, w)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// One is woken once for each time that it is armed, whatever it is that comes, and
// whether it came before or after that.
func TestWake(t *testing.T) {
	for name, happens := range map[string]func(*link){
		"bytes": func(l *link) { l.theirs.Write([]byte("x")) },
		"end":   func(l *link) { l.theirs.Close() },
		"half":  func(l *link) { l.theirs.(*net.TCPConn).CloseWrite() },
		"reset": func(l *link) { l.theirs.(*net.TCPConn).SetLinger(0); l.theirs.Close() },
	} {
		for _, early := range []bool{false, true} {
			p, l, w := poller(t), connect(t, listen(t)), &counter{}
			if early {
				happens(l)
			}
			arm(t, p, l, w)
			if !early {
				quiet(t, p)
				happens(l)
			}
			if err := turn(t, p); err != nil || w.n.Load() != 1 {
				t.Errorf("%s, early %v: woken %d times, %v", name, early, w.n.Load(), err)
			}
			quiet(t, p)
			arm(t, p, l, w) // it still can be read
			if err := turn(t, p); err != nil || w.n.Load() != 2 {
				t.Errorf("%s, early %v, again: woken %d times, %v", name, early, w.n.Load(), err)
			}
			if n := p.Armed(); n != 0 {
				t.Errorf("%s, early %v: %d are armed", name, early, n)
			}
		}
	}
}

// Who was disarmed is not woken, and its mark is free for another; who comes late
// with an old mark disarms nobody else.
func TestDisarm(t *testing.T) {
	p, ln := poller(t), listen(t)
	a, b := connect(t, ln), connect(t, ln)
	w, v := &counter{}, &counter{}
	old := arm(t, p, a, w)
	p.Disarm(old, w)
	p.Disarm(old, w)
	if m := arm(t, p, b, v); m != old {
		t.Errorf("the mark %d was not free: got %d", old, m)
	}
	p.Disarm(old, w)
	write(t, b.theirs, "x")
	if err := turn(t, p); err != nil || w.n.Load() != 0 || v.n.Load() != 1 {
		t.Errorf("woken %d and %d times, %v; want 0 and 1", w.n.Load(), v.n.Load(), err)
	}
	if n := p.Armed(); n != 0 {
		t.Errorf("%d are armed", n)
	}
}

// A socket that is closed is watched no more, and cannot be armed.
func TestClosedSocket(t *testing.T) {
	p, l, w := poller(t), connect(t, listen(t)), &counter{}
	m := arm(t, p, l, w)
	l.ours.Close()
	write(t, l.theirs, "x")
	quiet(t, p)
	p.Disarm(m, w)
	if _, err := p.Arm(l.raw, w); err == nil {
		t.Error("a closed socket was armed")
	}
	if n := p.Armed(); n != 0 {
		t.Errorf("%d are armed", n)
	}
}

// Close ends a Wait that is under way; then nobody can be armed.
func TestClose(t *testing.T) {
	p, l, w := poller(t), connect(t, listen(t)), &counter{}
	m := arm(t, p, l, w)
	done := make(chan error)
	go func() { done <- p.Wait() }()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != readiness.ErrClosed {
		t.Errorf("Wait: %v", err)
	}
	if _, err := p.Arm(l.raw, w); err != readiness.ErrClosed {
		t.Errorf("Arm: %v", err)
	}
	p.Disarm(m, w)
	if err := p.Wait(); err != readiness.ErrClosed {
		t.Errorf("Wait again: %v", err)
	}
}

// A deadline can be set for a Wait that is under way, and be taken back.
func TestDeadline(t *testing.T) {
	p := poller(t)
	done := make(chan error)
	go func() { done <- p.Wait() }()
	if err := p.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Wait: %v", err)
	}
	if err := p.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	l, w := connect(t, listen(t)), &counter{}
	arm(t, p, l, w)
	write(t, l.theirs, "x")
	if err := p.Wait(); err != nil || w.n.Load() != 1 {
		t.Errorf("woken %d times, %v", w.n.Load(), err)
	}
}

// None is forgotten of many who are armed, woken and armed again from all sides.
func TestMany(t *testing.T) {
	const links, rounds = 300, 20
	p, ln := poller(t), listen(t)
	var wg sync.WaitGroup
	for range links {
		l := connect(t, ln)
		woken := make(chan struct{}, 1)
		w := &counter{on: func() { woken <- struct{}{} }}
		wg.Go(func() {
			b := make([]byte, 1)
			for range rounds {
				if _, err := p.Arm(l.raw, w); err != nil {
					t.Error(err)
					return
				}
				<-woken
				if _, err := l.ours.Read(b); err != nil {
					t.Error(err)
				}
				if _, err := l.ours.Write(b); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			b := make([]byte, 1)
			for range rounds {
				if _, err := l.theirs.Write(b); err != nil {
					t.Error(err)
				}
				if _, err := l.theirs.Read(b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	waited := make(chan error)
	go func() {
		for {
			if err := p.Wait(); err != nil {
				waited <- err
				return
			}
		}
	}()
	wg.Wait()
	if n := p.Armed(); n != 0 {
		t.Errorf("%d are armed", n)
	}
	p.Close()
	if err := <-waited; err != readiness.ErrClosed {
		t.Error(err)
	}
}

func TestUnix(t *testing.T) {
	ln, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	p, l, w := poller(t), connect(t, ln), &counter{}
	arm(t, p, l, w)
	write(t, l.theirs, "x")
	if err := turn(t, p); err != nil || w.n.Load() != 1 {
		t.Errorf("woken %d times, %v", w.n.Load(), err)
	}
}
