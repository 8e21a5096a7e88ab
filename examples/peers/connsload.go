package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/examples/peers/conns/control"
)

// Clients are those of a server whose connections are measured.
type clients struct {
	addr   string
	secure *tls.Config // nil: TCP
}

// workers are how many clients are at it at the same time.
const workers = 16

// patience is how long one step of one client may take.
const patience = 20 * time.Second

// dial connects, and shakes hands.
func (l clients) dial() (net.Conn, error) {
	c, err := net.DialTimeout("tcp", l.addr, patience)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if l.secure == nil {
		return c, nil
	}
	t := tls.Client(c, l.secure)
	if err := t.Handshake(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return t, nil
}

// echo has b come back.
func echo(c net.Conn, b *[control.Size]byte) error {
	want := *b
	if _, err := c.Write(b[:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return err
	}
	if *b != want {
		return fmt.Errorf("%x came back as %x", want, *b)
	}
	return nil
}

// visit connects, has something echoed, and closes.
func (l clients) visit(b *[control.Size]byte) error {
	c, err := l.dial()
	if err != nil {
		return err
	}
	return errors.Join(echo(c, b), c.Close())
}

// visits are n of these.
func (l clients) visits(n int) error {
	return crowd(n, func(left *atomic.Int64) error {
		var b [control.Size]byte
		for left.Add(-1) >= 0 {
			b[0]++
			if err := l.visit(&b); err != nil {
				return err
			}
		}
		return nil
	})
}

// echoes are n round trips, on a connection for each worker.
func (l clients) echoes(n int) error {
	return crowd(n, func(left *atomic.Int64) error {
		c, err := l.dial()
		if err != nil {
			return err
		}
		defer c.Close()
		var b [control.Size]byte
		for left.Add(-1) >= 0 {
			b[0]++
			if err := echo(c, &b); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle opens n connections, each of which has echoed once, and is silent then.
func (l clients) settle(n int) (idle []net.Conn, err error) {
	var mu sync.Mutex
	err = crowd(n, func(left *atomic.Int64) error {
		var b [control.Size]byte
		for left.Add(-1) >= 0 {
			c, err := l.dial()
			if err != nil {
				return err
			}
			mu.Lock()
			idle = append(idle, c)
			mu.Unlock()
			if err := errors.Join(echo(c, &b), c.SetDeadline(time.Time{})); err != nil {
				return err
			}
		}
		return nil
	})
	return idle, err
}

// wake has each of those echo once more.
func wake(idle []net.Conn) error {
	return crowd(len(idle), func(left *atomic.Int64) error {
		var b [control.Size]byte
		for i := left.Add(-1); i >= 0; i = left.Add(-1) {
			if err := errors.Join(idle[i].SetDeadline(time.Now().Add(patience)), echo(idle[i], &b)); err != nil {
				return err
			}
		}
		return nil
	})
}

// leave closes them all.
func leave(idle []net.Conn) {
	for _, c := range idle {
		_ = c.Close() // the server has been measured
	}
}

// crowd shares n steps among the workers.
func crowd(n int, work func(left *atomic.Int64) error) error {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for i := range errs {
		wg.Go(func() { errs[i] = work(&left) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
