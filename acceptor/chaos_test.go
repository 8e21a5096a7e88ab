package acceptor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// Half a minute of clients who come and go, while processes are killed at random and
// the listener is suspended, resumed, drained, limited in every way and bound anew,
// which does not always succeed. There are never more connections than the limit. After it nothing is left, every
// connection that was accepted has been counted once, and the listener serves.
func TestChaos(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			bubble(t, limit(20, acceptor.Wait), func(t *test) {
				t.street.exclusive = true
				t.street.take("street:4", true)
				stop, guard := t.crowd(40), t.guard(20)
				for range 80 {
					time.Sleep(500 * ms)
					t.disturb(r)
				}
				stop()
				guard()
				if err := acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) {
					*o = acceptor.Options{MaxConnections: 20, Protocol: o.Protocol}
				}); err != nil {
					t.Fatal(err)
				}
				if err := t.resume(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute) // those who waited have given up
				t.wantOpen(0)
				t.wantSum()
				var cs []*client
				for range 25 {
					cs = append(cs, t.street.dial())
				}
				t.wantOpen(20)
				for _, c := range cs {
					c.Close()
				}
				t.wantOpen(0)
				t.wantSum()
				for _, pid := range t.pid.Node().Processes() {
					if path := pid.Path(); pid.Is("reader") || strings.HasSuffix(path, "/connection") {
						t.Errorf("%v is left", pid)
					}
					if up, ok := strings.CutPrefix(pid.Path(), "street/transports/"); ok && t.binding().Transport == nil {
						t.Errorf("the transport %s is left", up)
					}
				}
				t.street.mu.Lock()
				defer t.street.mu.Unlock()
				if len(t.street.open) != 1 {
					t.Errorf("open are %v", t.street.open)
				}
			})
		})
	}
}

// disturb does one thing that happens.
func (t *test) disturb(r *rand.Rand) {
	var err error
	switch r.IntN(13) {
	case 10, 11, 12:
		to := fmt.Sprint("street:", 1+r.IntN(4))
		err = t.rebind(to, func(b *acceptor.Binding) {
			b.Acceptors = 1 + r.IntN(8)
			b.Transport = []acceptor.Transport{nil, &hosted{name: "one"}, &hosted{name: "two"}, b.Transport}[r.IntN(4)]
			b.Listening = nil
			if r.IntN(4) == 0 {
				b.Listening = refuse
			}
		})
		if _, failed := errors.AsType[*acceptor.RebindError](err); failed {
			err = nil
		}
	case 0:
		err = acceptor.Suspend(t.ctx, t.pid)
	case 1, 2:
		err = t.resume()
	case 3:
		err = acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) {
			o.MaxConnections = 2 + r.IntN(19)
			o.SoftConnections = r.IntN(o.MaxConnections)
			o.SoftWait = time.Duration(1+r.IntN(500)) * ms
		})
	case 4:
		// It may be late, and says so: that is not what is tested here.
		_ = acceptor.Drain(t.ctx, t.pid, 100*ms)
	case 5:
		err = acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) {
			o.Overflow = acceptor.Overflow(r.IntN(2))
			o.Rate = float64(r.IntN(2) * 100)
			o.Access = []acceptor.Rule{{Deny: r.IntN(4) == 0}}
			o.Alarms = []acceptor.Alarm{{Name: "many", Threshold: 1 + r.IntN(20), Cooldown: 300 * ms, Callback: (&rings{}).ring}}
		})
	case 6:
		if ref, ok := t.host.any(r); ok {
			err = server.Cast(t.ctx, ref, Uncount{})
		}
	default:
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

// resume resumes the listener: as it was before, if as it should be is not possible.
func (t *test) resume() error {
	err := acceptor.Resume(t.ctx, t.pid)
	if failed, ok := errors.AsType[*acceptor.RebindError](err); ok && failed.Suspended {
		err = acceptor.Resume(t.ctx, t.pid)
	}
	return err
}

// any returns one of the guests that there were.
func (h *host) any(r *rand.Rand) (ref server.Ref[guest], ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.guests) == 0 {
		return ref, false
	}
	return h.guests[len(h.guests)-1-r.IntN(min(20, len(h.guests)))], true
}

// guard looks all the time whether there are too many.
func (t *test) guard(most int) (stop func()) {
	ctx, cancel := context.WithCancel(t.ctx)
	done := make(chan int)
	go func() {
		looks := 0
		for ; ctx.Err() == nil; time.Sleep(3 * ms) {
			i, err := acceptor.GetInfo(t.ctx, t.pid)
			if err != nil {
				continue // its gate was just killed
			}
			looks++
			if n := i.Connections - i.Uncounted; n > most || i.Uncounted < 0 || n < 0 {
				t.Errorf("%d connections count, %d do not; want at most %d", n, i.Uncounted, most)
				break
			}
		}
		done <- looks
	}()
	return func() {
		cancel()
		if looks := <-done; looks < 1000 {
			t.Errorf("looked %d times only", looks)
		}
	}
}

// wantSum wants every connection that was accepted to have been counted once.
func (t *test) wantSum() {
	t.Helper()
	i := t.info()
	sum := i.Refused + uint64(i.Connections)
	for _, n := range i.Ends {
		sum += n
	}
	t.street.mu.Lock()
	defer t.street.mu.Unlock()
	if i.Accepted != sum || i.Accepted != t.street.given {
		t.Errorf("%d were given, %d accepted, %d refused %v, %d ended %v: the sum is %d",
			t.street.given, i.Accepted, i.Refused, i.Refusals, i.Connections, i.Ends, sum)
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
