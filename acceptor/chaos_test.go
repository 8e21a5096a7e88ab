package acceptor_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
)

// Half a minute of clients who come and go, while processes are killed at random and
// the listener is suspended, resumed, drained and limited. After it nothing is
// left, and the listener serves.
func TestChaos(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			bubble(t, limit(20, acceptor.Wait), func(t *test) {
				stop := t.crowd(15)
				for range 30 {
					time.Sleep(time.Second)
					t.disturb(r)
				}
				stop()
				if err := acceptor.SetMax(t.ctx, t.pid, 20); err != nil {
					t.Fatal(err)
				}
				if err := acceptor.Resume(t.ctx, t.pid); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute) // those who waited have given up
				t.wantOpen(0)
				var cs []*client
				for range 25 {
					cs = append(cs, t.street.dial())
				}
				t.wantOpen(20)
				for _, c := range cs {
					c.Close()
				}
				t.wantOpen(0)
				for _, pid := range t.pid.Node().Processes() {
					if path := pid.Path(); pid.Is("reader") || strings.HasSuffix(path, "/connection") {
						t.Errorf("%v is left", pid)
					}
				}
			})
		})
	}
}

// disturb does one thing that happens.
func (t *test) disturb(r *rand.Rand) {
	var err error
	switch r.IntN(6) {
	case 0:
		err = acceptor.Suspend(t.ctx, t.pid)
	case 1, 2:
		err = acceptor.Resume(t.ctx, t.pid)
	case 3:
		err = acceptor.SetMax(t.ctx, t.pid, 1+r.IntN(30))
	case 4:
		// It may be late, and says so: that is not what is tested here.
		_ = acceptor.Drain(t.ctx, t.pid, 100*ms)
	case 5:
		all := t.pid.Node().Processes()
		if pid := all[r.IntN(len(all))]; pid != t.pid {
			err = process.Kill(t.ctx, pid)
			synctest.Wait() // the supervisors have done their work
		}
	}
	if err != nil {
		t.Error(err)
	}
}

const ms = time.Millisecond

// crowd has clients connect, talk a little and leave, until it is told to stop.
func (t *test) crowd(n int) (stop func()) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			for j := 0; ; j++ {
				select {
				case <-done:
					return
				default:
				}
				c := t.street.dial()
				// A listener that is suspended does not answer.
				c.SetDeadline(time.Now().Add(200 * ms))
				for range (i + j) % 4 {
					if _, err := fmt.Fprintln(c, "x"); err != nil {
						break
					}
					if _, err := c.in.ReadString('\n'); err != nil {
						break
					}
					time.Sleep(10 * ms)
				}
				c.Close()
				time.Sleep(time.Duration(50+i) * ms)
			}
		})
	}
	return func() { close(done); wg.Wait() }
}
