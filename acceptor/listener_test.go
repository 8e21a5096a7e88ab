package acceptor_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

func limit(n int, o acceptor.Overflow) func(*acceptor.Spec, *acceptor.Protocol[guest]) {
	return func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) { s.MaxConnections, s.Overflow = n, o }
}

// Above the limit connections wait, and are served when others have ended.
func TestMaxConnectionsWait(t *testing.T) {
	bubble(t, limit(2, acceptor.Wait), func(t *test) {
		a, b, c := t.street.dial(), t.street.dial(), t.street.dial()
		defer b.Close()
		t.wantOpen(2)
		a.Close()
		t.wantOpen(2) // c has moved up
		b.Close()
		t.wantOpen(1)
		c.send(t.T, "x\n")
		c.want(t.T, "echo: x")
		c.Close()
		t.wantOpen(0)
	})
}

func TestMaxConnectionsRefuse(t *testing.T) {
	bubble(t, limit(2, acceptor.Refuse), func(t *test) {
		a, b := t.street.dial(), t.street.dial()
		t.wantOpen(2)
		for range 100 {
			t.street.dial().wantEnd(t.T)
		}
		t.wantOpen(2)
		if got := t.lines(process.LevelWarn); len(got) != 1 {
			t.Errorf("said %q, want one line for a hundred refusals", got)
		}
		if i := t.info(); i.Refused != 100 || i.Accepted != 102 {
			t.Errorf("counted %d refused of %d, want 100 of 102", i.Refused, i.Accepted)
		}
		a.Close()
		t.wantOpen(1)
		d := t.street.dial()
		t.wantOpen(2)
		b.Close()
		d.Close()
	})
}

func TestSetMax(t *testing.T) {
	bubble(t, limit(1, acceptor.Wait), func(t *test) {
		var cs []*client
		for range 5 {
			cs = append(cs, t.street.dial())
		}
		for _, c := range []struct{ max, open int }{{1, 1}, {3, 3}, {2, 3}, {0, 5}} {
			if err := acceptor.SetMax(t.ctx, t.pid, c.max); err != nil {
				t.Fatal(err)
			}
			t.wantOpen(c.open)
		}
		if err := acceptor.SetMax(t.ctx, t.pid, -1); err == nil {
			t.Error("SetMax took a limit below 0")
		}
		for _, c := range cs {
			c.Close()
		}
	})
}

// An acceptor that dies gives its permission back.
func TestAcceptorKilled(t *testing.T) {
	bubble(t, limit(1, acceptor.Wait), func(t *test) {
		for _, n := range []string{"1", "2", "3", "4"} { // one of them has it
			process.Kill(t.ctx, t.child("port/acceptor-"+n))
			time.Sleep(10 * time.Second) // not too many restarts at once
		}
		c := t.street.dial()
		t.wantOpen(1)
		c.Close()
	})
}

// Suspended, the socket is closed and the connections live on; resumed, it is
// the same port.
func TestSuspendResume(t *testing.T) {
	bubble(t, nil, func(t *test) {
		a := t.street.dial()
		t.wantOpen(1)
		for range 2 {
			if err := acceptor.Suspend(t.ctx, process.Name("street")); err != nil {
				t.Fatal(err)
			}
		}
		if !t.info().Suspended {
			t.Error("it does not say that it is suspended")
		}
		late := t.street.dial()
		a.send(t.T, "x\n")
		a.want(t.T, "echo: x")
		t.wantOpen(1)

		process.Kill(t.ctx, t.child("street/gate")) // its restart must not open the port
		t.wantOpen(1)
		if bound, _ := t.street.counts(); bound != 1 {
			t.Errorf("bound %d times while suspended, want 1", bound)
		}

		for range 2 {
			if err := acceptor.Resume(t.ctx, t.pid); err != nil {
				t.Fatal(err)
			}
		}
		t.wantOpen(2)
		if got := strings.Join(t.street.ports, " "); got != "street:0 street:1" {
			t.Errorf("bound to %s, want the same port again", got)
		}
		a.Close()
		late.Close()
	})
}

func TestResumeFails(t *testing.T) {
	var taken bool
	bubble(t, func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) {
		inner := s.Bind
		s.Bind = func(ctx context.Context, network, address string) (net.Listener, error) {
			if taken {
				return nil, &acceptor.BindError{Network: network, Address: address, Err: syscall.EADDRINUSE}
			}
			return inner(ctx, network, address)
		}
	}, func(t *test) {
		acceptor.Suspend(t.ctx, t.pid)
		taken = true
		if err := acceptor.Resume(t.ctx, t.pid); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("Resume: %v, want %v", err, syscall.EADDRINUSE)
		}
		taken = false
		if err := acceptor.Resume(t.ctx, t.pid); err != nil {
			t.Errorf("Resume when the port is free again: %v", err)
		}
	})
}

func TestDrain(t *testing.T) {
	bubble(t, func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
		p.Drain = func(_ context.Context, g *guest) error {
			if _, err := g.conn.Write([]byte("closing\n")); err != nil {
				return err
			}
			return server.Stop(nil)
		}
	}, func(t *test) {
		var cs []*client
		for range 20 {
			cs = append(cs, t.street.dial())
		}
		t.wantOpen(20)
		done := make(chan error)
		go func() { done <- acceptor.Drain(t.ctx, t.pid, time.Minute) }()
		for _, c := range cs {
			c.want(t.T, "closing")
			c.wantEnd(t.T)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if i := t.info(); !i.Suspended || i.Connections != 0 {
			t.Errorf("after Drain: suspended %v, %d connections", i.Suspended, i.Connections)
		}
		if err := acceptor.Drain(t.ctx, t.pid, time.Minute); err != nil {
			t.Errorf("a second Drain: %v", err)
		}
	})
}

// Who has not finished in time is stopped, and named.
func TestDrainLate(t *testing.T) {
	bubble(t, nil, func(t *test) {
		quick, slow, busy := t.street.dial(), t.street.dial(), t.street.dial()
		t.wantOpen(3)
		busy.send(t.T, "wait\n")
		time.AfterFunc(time.Second, func() { quick.Close() })
		begin := time.Now()
		err := acceptor.Drain(t.ctx, t.pid, 10*time.Second)
		late, ok := errors.AsType[*acceptor.DrainError](err)
		if !ok || len(late.Left) != 2 {
			t.Fatalf("Drain: %v, want two that are late", err)
		}
		for _, l := range late.Left {
			if l.PID.Alive() || l.Peer == nil {
				t.Errorf("%v from %v was named, but lives", l.PID, l.Peer)
			}
			if !strings.Contains(err.Error(), l.PID.String()) {
				t.Errorf("%q does not name %v", err, l.PID)
			}
		}
		if d := time.Since(begin); d < 10*time.Second || d > 16*time.Second {
			t.Errorf("Drain took %v, want 10 s, and at most 5 s for the stop", d)
		}
		slow.wantEnd(t.T)
		close(t.host.gate)
		t.wantOpen(0)
		if err := acceptor.Resume(t.ctx, t.pid); err != nil {
			t.Fatal(err)
		}
		c := t.street.dial()
		t.wantOpen(1)
		c.Close()
	})
}

// The connections of a listener that stops have their Terminate.
func TestStop(t *testing.T) {
	bubble(t, nil, func(t *test) {
		a, b := t.street.dial(), t.street.dial()
		t.wantOpen(2)
		if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
			t.Error(err)
		}
		a.wantEnd(t.T)
		b.wantEnd(t.T)
		if ends := t.host.reasons(); len(ends) != 2 || ends[0] != process.ErrShutdown {
			t.Errorf("Terminate was told %v, want twice %v", ends, process.ErrShutdown)
		}
		if got := t.log.Events(process.Crashed | process.Abandoned); len(got) > 0 {
			t.Errorf("a stop reported %v", got)
		}
	})
}

// A peer that does not read holds its connection up, but turns neither a stop
// nor a drain into a kill.
func TestStopWithoutReader(t *testing.T) {
	for name, stop := range map[string]func(t *test) error{
		"stop": func(t *test) error { return process.Stop(t.ctx, t.pid, process.ErrShutdown) },
		"drain": func(t *test) error {
			_, late := errors.AsType[*acceptor.DrainError](acceptor.Drain(t.ctx, t.pid, time.Second))
			if !late {
				t.Error("Drain did not say that the connection was late")
			}
			return acceptor.Resume(t.ctx, t.pid)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *test) {
				c := t.street.dial()
				t.wantOpen(1)
				server.Cast(t.ctx, t.host.guest(0), Deliver{"never read"})
				synctest.Wait()
				begin := time.Now()
				if err := stop(t); err != nil {
					t.Error(err)
				}
				if took := time.Since(begin); took > 3*time.Second {
					t.Errorf("it took %v", took)
				}
				if got := t.log.Events(process.Crashed | process.Abandoned); len(got) > 0 {
					t.Errorf("reported %v, want nothing", got)
				}
				for _, e := range t.log.Events(process.Supervised) {
					if e.Level >= process.LevelError {
						t.Errorf("reported %s: %v", e.Text, e.Reason)
					}
				}
				c.wantEnd(t.T)
			})
		})
	}
}

// An error about one connection is counted, and the next one is served.
func TestAcceptErrorOfOneConnection(t *testing.T) {
	bubble(t, nil, func(t *test) {
		t.street.fail(syscall.ECONNABORTED, syscall.EPROTO, syscall.ECONNABORTED)
		c := t.street.dial()
		time.Sleep(time.Minute)
		t.wantOpen(1)
		if i := t.info(); i.Aborted != 3 {
			t.Errorf("counted %d aborted, want 3", i.Aborted)
		}
		if got := t.lines(process.LevelInfo); len(got) != 0 {
			t.Errorf("said %q, want nothing", got)
		}
		c.Close()
	})
}

// Out of descriptors it waits, longer each time, says so once, and goes on by
// itself.
func TestOutOfDescriptors(t *testing.T) {
	var dry atomic.Bool
	var calls atomic.Int64
	bubble(t, func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) {
		s.Acceptors = 1
		inner := s.Bind
		s.Bind = func(ctx context.Context, network, address string) (net.Listener, error) {
			ln, err := inner(ctx, network, address)
			return starving{ln, &dry, &calls}, err
		}
	}, func(t *test) {
		synctest.Wait()
		dry.Store(true)
		a := t.street.dial() // after it the acceptor comes back to a dry well
		t.wantOpen(1)
		calls.Store(0)
		time.Sleep(30 * time.Second)
		if n := calls.Load(); n < 30 || n > 40 {
			t.Errorf("in 30 s it tried %d times, want about once a second", n)
		}
		if got := t.lines(process.LevelInfo); len(got) != 1 || !strings.Contains(got[0], "ulimit") {
			t.Errorf("said %q, want one line with the cure", got)
		}
		dry.Store(false)
		time.Sleep(2 * time.Second)
		b := t.street.dial()
		t.wantOpen(2)
		if got := t.lines(process.LevelInfo); len(got) != 2 {
			t.Errorf("said %q, want that it goes on", got)
		}
		if i := t.info(); i.Starved == 0 {
			t.Error("counted nothing")
		}
		a.Close()
		b.Close()
	})
}

// starving fails every Accept while it is dry.
type starving struct {
	net.Listener
	dry   *atomic.Bool
	calls *atomic.Int64
}

func (s starving) Accept() (net.Conn, error) {
	s.calls.Add(1)
	if s.dry.Load() {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

func TestGateKilled(t *testing.T) {
	bubble(t, limit(3, acceptor.Wait), func(t *test) {
		a, b := t.street.dial(), t.street.dial()
		t.wantOpen(2)
		process.Kill(t.ctx, t.child("street/gate"))
		t.wantOpen(2)
		c, d := t.street.dial(), t.street.dial()
		t.wantOpen(3) // the limit still holds
		a.Close()
		b.Close()
		t.wantOpen(2)
		c.Close()
		d.Close()
	})
}

// A broken socket is opened again; the connections live on.
func TestBrokenSocket(t *testing.T) {
	bubble(t, nil, func(t *test) {
		a := t.street.dial()
		t.wantOpen(1)
		t.street.fail(syscall.EBADF)
		synctest.Wait()
		b := t.street.dial()
		t.wantOpen(2)
		a.send(t.T, "x\n")
		a.want(t.T, "echo: x")
		if bound, _ := t.street.counts(); bound != 2 {
			t.Errorf("bound %d times, want 2", bound)
		}
		crashed := false
		for _, e := range t.log.Events(process.Crashed | process.Supervised) {
			crashed = crashed || e.Reason != nil && errors.Is(e.Reason, syscall.EBADF)
		}
		if !crashed {
			t.Errorf("nothing reports the cause %v", syscall.EBADF)
		}
		a.Close()
		b.Close()
	})
}

// Whatever is killed, the listener serves again.
func TestKillEach(t *testing.T) {
	bubble(t, nil, func(t *test) {
		for _, path := range []string{"street/gate", "street/port", "street/port/acceptor-1", "street/connections",
			"street/connections/connections-1", "street/connections/connections-4"} {
			process.Kill(t.ctx, t.child(path))
			time.Sleep(10 * time.Second)
			for range 8 { // every acceptor has its turn
				c := t.street.dial()
				c.send(t.T, "x\n")
				c.want(t.T, "echo: x")
				c.Close()
			}
			t.wantOpen(0)
		}
	})
}

func TestConnections(t *testing.T) {
	bubble(t, nil, func(t *test) {
		c := t.street.dial()
		t.wantOpen(1)
		got, err := acceptor.Connections(t.ctx, t.pid)
		if err != nil || len(got) != 1 || got[0].PID != t.host.guest(0).PID() || got[0].Peer == nil || got[0].Since.IsZero() {
			t.Errorf("Connections = %+v, %v", got, err)
		}
		c.Close()
	})
}

// As a child: found by name, and refused for what is no listener.
func TestAsChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		h := &host{}
		sup, err := supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{{
			ID:    "tcp",
			Start: acceptor.StartFunc(acceptor.Spec{Name: "edge", Address: ":0", Bind: newStreet().bind, Protocol: h.protocol()}),
		}}})
		if err != nil {
			t.Fatal(err)
		}
		addr, err := acceptor.Addr(ctx, process.Name("edge"))
		if err != nil || addr.String() != "street:1" {
			t.Errorf("Addr = %v, %v", addr, err)
		}
		if _, err := acceptor.Addr(ctx, sup); err == nil {
			t.Error("Addr of something else than a listener was not refused")
		}
		if _, err := acceptor.Addr(ctx, process.Name("nobody")); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("Addr of nobody: %v, want %v", err, process.ErrNoProc)
		}
	})
}
