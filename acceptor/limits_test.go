package acceptor_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// wantCounts wants the counters to be these, to add up, and to be what was told.
func (t *test) wantCounts(refusals map[acceptor.Refusal]uint64, ends map[string]uint64) {
	t.Helper()
	synctest.Wait()
	i := t.info()
	sum := i.Refused + uint64(i.Connections)
	for _, n := range i.Ends {
		sum += n
	}
	if i.Accepted != sum {
		t.Errorf("accepted %d; refused %d, there are %d, ended %v: that is %d", i.Accepted, i.Refused, i.Connections, i.Ends, sum)
	}
	if got, want := fmt.Sprint(i.Refusals), fmt.Sprint(refusals); got != want {
		t.Errorf("refused %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(i.Ends), fmt.Sprint(ends); got != want {
		t.Errorf("ended %s, want %s", got, want)
	}
	told := make(map[string]uint64)
	for _, e := range t.log.Events(process.Network) {
		if e.Text == "connection closed" {
			told[detail(e, "class")]++
		}
	}
	if !maps.Equal(told, i.Ends) {
		t.Errorf("told of the ends %v, counted %v", told, i.Ends)
	}
}

type (
	refusals = map[acceptor.Refusal]uint64
	ends     = map[string]uint64
)

func soft(n, most int, o acceptor.Overflow) func(*acceptor.Spec, *acceptor.Protocol[guest]) {
	return func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) {
		s.SoftConnections, s.MaxConnections, s.Overflow = n, most, o
	}
}

// Above the soft limit new connections wait for a second, all together, and no
// longer; a place that becomes free is taken at once; the hard limit holds.
func TestSoftConnections(t *testing.T) {
	bubble(t, soft(2, 6, acceptor.Wait), func(t *test) {
		var cs []*client
		for range 8 {
			cs = append(cs, t.street.dial())
		}
		t.wantOpen(2)
		time.Sleep(time.Second - ms)
		t.wantOpen(2)
		cs[0].Close()
		t.wantOpen(2) // another one has its place
		time.Sleep(time.Second)
		t.wantOpen(6)
		time.Sleep(time.Minute)
		t.wantOpen(6)
		for _, c := range cs {
			c.Close()
		}
		t.wantOpen(0)
		t.wantCounts(nil, ends{"closed": 8})
		if got := t.lines(process.LevelInfo); len(got) > 0 {
			t.Errorf("said %q, want nothing", got)
		}
	})
}

func TestSoftConnectionsRefuse(t *testing.T) {
	bubble(t, soft(1, 10, acceptor.Refuse), func(t *test) {
		var cs []*client
		synctest.Wait() // four acceptors are at the socket, so as many come without a pause
		for _, want := range []int{1, 2, 3, 4, 4, 4, 4} {
			cs = append(cs, t.street.dial())
			t.wantOpen(want)
		}
		time.Sleep(time.Second)
		t.wantOpen(7)
		for range 6 {
			cs = append(cs, t.street.dial())
		}
		time.Sleep(time.Second)
		t.wantOpen(10)
		t.wantCounts(refusals{acceptor.Full: 3}, nil)
		for _, c := range cs {
			c.Close()
		}
		t.wantOpen(0)
	})
}

// Uncount lets the guest leave the count.
type Uncount struct{}

func (Uncount) Handle(_ context.Context, g *guest) error { g.conn.Uncount(); return nil }

func TestUncount(t *testing.T) {
	bubble(t, func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) {
		limit(2, acceptor.Wait)(s, nil)
		s.Alarms = []acceptor.Alarm{{Name: "full", Threshold: 2}}
	}, func(t *test) {
		var cs []*client
		for range 5 {
			cs = append(cs, t.street.dial())
		}
		t.wantOpen(2)
		for i := range 2 {
			for range 2 { // twice is once
				if err := server.Cast(t.ctx, t.host.guest(i), Uncount{}); err != nil {
					t.Fatal(err)
				}
			}
			t.wantOpen(3 + i)
		}
		process.Kill(t.ctx, t.child("street/gate")) // the next one knows it too
		t.wantOpen(4)
		if i := t.info(); i.Uncounted != 2 || len(i.Alarms) != 1 {
			t.Errorf("%d do not count, alarms %v; want 2, and one alarm", i.Uncounted, i.Alarms)
		}
		for _, c := range cs[:2] {
			c.Close()
		}
		t.wantOpen(2)
		for _, c := range cs[2:] {
			c.Close()
		}
		t.wantOpen(0)
		if i := t.info(); i.Uncounted != 0 {
			t.Errorf("%d do not count, of none", i.Uncounted)
		}
		t.wantCounts(nil, ends{"closed": 5})
	})
}

func TestUncountInNew(t *testing.T) {
	bubble(t, func(s *acceptor.Spec, p *acceptor.Protocol[guest]) {
		limit(1, acceptor.Refuse)(s, nil)
		inner := p.New
		p.New = func(ctx context.Context, c *acceptor.Conn) (*guest, error) { c.Uncount(); return inner(ctx, c) }
	}, func(t *test) {
		for i := range 5 {
			defer t.street.dial().Close()
			t.wantOpen(i + 1)
		}
		t.wantCounts(nil, nil)
	})
}

// Over the rate connections are accepted and refused, none waits; each second
// brings its share.
func TestRate(t *testing.T) {
	bubble(t, func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) { s.Rate, s.Burst = 10, 20 }, func(t *test) {
		dial := func(n int) {
			for range n {
				t.street.dial().Close()
			}
			synctest.Wait()
		}
		dial(1000)
		t.wantCounts(refusals{acceptor.RateLimited: 980}, ends{"closed": 20})
		time.Sleep(time.Second)
		dial(1000)
		t.wantCounts(refusals{acceptor.RateLimited: 1970}, ends{"closed": 30})
		if err := acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) { o.Rate, o.Burst = 0, 0 }); err != nil {
			t.Fatal(err)
		}
		dial(100)
		t.wantCounts(refusals{acceptor.RateLimited: 1970}, ends{"closed": 130})
		t.wantTimes(map[string]int{"connection refused: too many in a short time (Rate, Burst)": 1970})
	})
}

// wantTimes wants what the listener has said, until it has ended, to tell of that
// many happenings, in no more than three lines each.
func (t *test) wantTimes(want map[string]int) {
	t.Helper()
	if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
		t.Error(err)
	}
	got, lines := map[string]int{}, map[string]int{}
	for _, e := range t.log.Events(process.Network) {
		if e.Level < process.LevelInfo {
			continue
		}
		lines[e.Text]++
		e.Detail.Each(func(key string, v any) {
			if n, ok := v.(int); ok && key == "times" {
				got[e.Text] += n
			}
		})
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("said %v, want %v", got, want)
	}
	for text, n := range lines {
		if n > 3 {
			t.Errorf("said %q in %d lines", text, n)
		}
	}
}

// Ten thousand clients that leave at once are counted, all of them, and not
// worth a line.
func TestTenThousandConnects(t *testing.T) {
	const n = 10_000
	for name, edit := range map[string]func(*acceptor.Spec, *acceptor.Protocol[guest]){
		"served":  nil,
		"waiting": limit(100, acceptor.Wait),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, edit, func(t *test) {
				for range n {
					t.street.dial().Close()
				}
				t.wantOpen(0)
				t.wantCounts(nil, ends{"closed": n})
				t.wantTimes(nil)
			})
		})
	}
	t.Run("refused", func(t *testing.T) {
		bubble(t, limit(1, acceptor.Refuse), func(t *test) {
			defer t.street.dial().Close()
			t.wantOpen(1)
			for range n {
				t.street.dial().Close()
			}
			t.wantCounts(refusals{acceptor.Full: n}, nil)
			t.wantTimes(map[string]int{"connection refused: the listener is full (MaxConnections, SetMax)": n})
		})
	})
	t.Run("crashing", func(t *testing.T) {
		bubble(t, func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
			p.New = func(context.Context, *acceptor.Conn) (*guest, error) { return nil, errBoom }
		}, func(t *test) {
			for range n {
				t.street.dial().Close()
			}
			t.wantCounts(refusals{acceptor.Failed: n}, nil)
			t.wantTimes(map[string]int{"connection refused: its process did not start": n})
		})
	})
}

// What was not said when it happened is said when the minute is over, without
// waiting for the next time.
func TestSuppressedLinesAreTold(t *testing.T) {
	bubble(t, limit(1, acceptor.Refuse), func(t *test) {
		defer t.street.dial().Close()
		t.wantOpen(1)
		for range 7 {
			t.street.dial().wantEnd(t.T)
		}
		synctest.Wait()
		time.Sleep(time.Minute - ms)
		if got := t.lines(process.LevelWarn); len(got) != 1 {
			t.Errorf("said %q within a minute, want one line", got)
		}
		process.Kill(t.ctx, t.child("street/gate")) // what is owed survives it
		time.Sleep(2 * ms)
		synctest.Wait()
		if got := t.lines(process.LevelWarn); len(got) != 2 {
			t.Errorf("said %q after a minute, want two lines", got)
		}
		time.Sleep(time.Hour)
		t.wantTimes(map[string]int{"connection refused: the listener is full (MaxConnections, SetMax)": 7})
	})
}

func TestAccess(t *testing.T) {
	bubble(t, func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) {
		s.Access = []acceptor.Rule{{Deny: true, From: netip.MustParsePrefix("10.0.0.0/8")}}
		s.Rate = 1 // who is denied uses nothing up
	}, func(t *test) {
		for range 5 {
			t.street.dialFrom("10.1.2.3:1000").wantEnd(t.T)
		}
		a := t.street.dialFrom("192.168.1.1:1000")
		a.send(t.T, "x\n")
		a.want(t.T, "echo: x")
		if err := acceptor.SetAccess(t.ctx, t.pid, acceptor.Rule{From: netip.MustParsePrefix("10.0.0.0/8")}, acceptor.Rule{Deny: true}); err != nil {
			t.Fatal(err)
		}
		t.street.dialFrom("192.168.1.1:1000").wantEnd(t.T)
		a.send(t.T, "y\n") // it was let in
		a.want(t.T, "echo: y")
		time.Sleep(time.Second)
		b := t.street.dialFrom("[::ffff:10.1.2.3]:1000")
		t.wantOpen(2)
		err := acceptor.SetAccess(t.ctx, t.pid, acceptor.Rule{From: netip.PrefixFrom(netip.IPv4Unspecified(), 77)})
		if err == nil {
			t.Error("SetAccess took a rule that is none")
		}
		a.Close()
		b.Close()
		t.wantOpen(0)
		t.wantCounts(refusals{acceptor.Denied: 6}, ends{"closed": 2})
		t.wantTimes(map[string]int{"connection refused: Access denies its address": 6})
	})
}

// Behind a proxy the rules are about whom it passes on; who comes by himself is
// known at once.
func TestAccessBehindProxy(t *testing.T) {
	bubble(t, func(s *acceptor.Spec, p *acceptor.Protocol[guest]) {
		behindProxy(false)(s, p)
		s.Access = []acceptor.Rule{{Deny: true, From: netip.MustParsePrefix("192.0.2.0/24")}}
	}, func(t *test) {
		a := t.street.dialFrom("10.1.1.1:5")
		a.send(t.T, line1)
		a.wantEnd(t.T)
		b := t.street.dialFrom("10.1.1.1:5")
		b.send(t.T, strings.Replace(line1, "192.0.2.7", "203.0.113.7", 1)+"x\n")
		b.want(t.T, "echo: x")
		t.street.dialFrom("192.0.2.8:5").wantEnd(t.T)
		b.Close()
		t.wantOpen(0)
		t.wantCounts(refusals{acceptor.Denied: 1}, ends{"denied": 1, "closed": 1})
		t.wantTimes(map[string]int{"connection refused: Access denies its address": 2})
	})
}

func TestWaitForConnections(t *testing.T) {
	bubble(t, nil, func(t *test) {
		wait := func(op acceptor.Op, n int) chan error {
			done := make(chan error, 1)
			go func() { done <- acceptor.WaitForConnections(t.ctx, process.Name("street"), op, n) }()
			synctest.Wait()
			return done
		}
		over := func(done chan error) bool { synctest.Wait(); return len(done) > 0 }
		if err := <-wait("==", 0); err != nil {
			t.Error(err)
		}
		three, none := wait(">=", 3), wait("<", 1)
		if err := <-none; err != nil {
			t.Error(err)
		}
		var cs []*client
		for i := range 3 {
			if over(three) {
				t.Errorf("waited for 3, got %d", i)
			}
			cs = append(cs, t.street.dial())
		}
		if !over(three) {
			t.Error("three are there, and it still waits")
		}
		none = wait("==", 0)
		time.Sleep(time.Hour) // it is not asked for again and again, and has no time-out of its own
		for _, c := range cs {
			if over(none) {
				t.Error("waited for 0, and one is there")
			}
			c.Close()
		}
		if !over(none) {
			t.Error("none is there, and it still waits")
		}

		ctx, cancel := context.WithTimeout(t.ctx, time.Second)
		defer cancel()
		if err := acceptor.WaitForConnections(ctx, t.pid, ">", 5); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a deadline: %v", err)
		}
		if err := acceptor.WaitForConnections(t.ctx, t.pid, "=<", 5); err == nil {
			t.Error("took =<")
		}
		never := wait(">", 5)
		if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
			t.Error(err)
		}
		if err := <-never; err == nil {
			t.Error("waited for a listener that has ended, without an error")
		}
	})
}

func TestProcsAndInfo(t *testing.T) {
	bubble(t, soft(50, 100, acceptor.Wait), func(t *test) {
		a := t.street.dial()
		t.wantOpen(1)
		p, err := acceptor.Procs(t.ctx, t.pid)
		if err != nil || len(p.Acceptors) != 4 || len(p.Connections) != 1 || p.Connections[0] != t.host.guest(0).PID() {
			t.Errorf("Procs: %+v, %v", p, err)
		}
		for _, pid := range p.Acceptors {
			if !pid.Alive() {
				t.Errorf("acceptor %v is dead", pid)
			}
		}
		if i := t.info(); i.PID != t.pid || i.Max != 100 || i.Soft != 50 || i.Acceptors != 4 || i.Waiting != 0 {
			t.Errorf("Info: %+v", i)
		}
		if err := acceptor.SetMax(t.ctx, t.pid, 51); err != nil {
			t.Fatal(err)
		}
		if err := acceptor.Suspend(t.ctx, t.pid); err != nil {
			t.Fatal(err)
		}
		if p, err := acceptor.Procs(t.ctx, t.pid); err != nil || len(p.Acceptors) != 0 || len(p.Connections) != 1 {
			t.Errorf("Procs of a suspended listener: %+v, %v", p, err)
		}
		a.Close()
	})
}

// With several sockets the limit is that of the listener, and a socket on which
// nobody comes takes nothing away from the others.
func TestLimitOfSeveralSockets(t *testing.T) {
	var streets []*street
	bubble(t, func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) {
		s.MaxConnections, s.Sockets, s.Acceptors = 2, 4, 4
		s.Bind = func(ctx context.Context, network, address string) (net.Listener, error) {
			streets = append(streets, newStreet()) // in the bubble
			return streets[len(streets)-1].bind(ctx, network, address)
		}
	}, func(t *test) {
		for _, s := range streets {
			var cs []*client
			for range 5 {
				cs = append(cs, s.dial())
			}
			t.wantOpen(2)
			for _, c := range cs {
				c.send(t.T, "x\n")
				c.want(t.T, "echo: x")
				c.Close()
			}
			t.wantOpen(0)
		}
		a, b, c := streets[0].dial(), streets[1].dial(), streets[2].dial()
		t.wantOpen(2)
		a.Close()
		b.Close()
		t.wantOpen(1)
		c.send(t.T, "x\n")
		c.want(t.T, "echo: x")
		c.Close()
		t.wantOpen(0)
		t.wantCounts(nil, ends{"closed": 23})
	})
}
