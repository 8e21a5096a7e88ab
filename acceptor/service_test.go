package acceptor_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// A shouter is a server that knows nothing of processes: it answers lines, and
// stops as a grpc.Server does.
type shouter struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
	wg    sync.WaitGroup
	calls atomic.Int64 // of Serve
	fail  chan error   // what Serve shall return
}

func newShouter() *shouter { return &shouter{conns: make(map[net.Conn]bool)} }

// Serve serves until ctx is done, then lets every client have the answer to the
// line that it is in the middle of.
func (s *shouter) Serve(ctx context.Context, ln net.Listener) error {
	s.calls.Add(1)
	failed := make(chan error, 1)
	go func() {
		select {
		case err := <-s.fail:
			failed <- err
			ln.Close()
		case <-ctx.Done():
			ln.Close()
			s.mu.Lock()
			for c := range s.conns {
				c.SetReadDeadline(time.Unix(1, 0))
			}
			s.mu.Unlock()
		}
	}()
	for {
		c, err := ln.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("unexpected: %w", err)
			}
			break
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Add(1)
		go s.talk(acceptor.ConnContext(ctx, c), c)
	}
	select {
	case err := <-failed:
		return err
	default:
	}
	s.wg.Wait()
	return nil
}

func (s *shouter) talk(ctx context.Context, c net.Conn) {
	defer s.wg.Done()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.Close()
	}()
	in := bufio.NewScanner(c)
	for in.Scan() {
		switch in.Text() {
		case "who":
			fmt.Fprintln(c, process.Self(ctx))
		case "addr":
			fmt.Fprintln(c, c.RemoteAddr())
		case "sleep":
			time.Sleep(10 * time.Second)
			fmt.Fprintln(c, "awake")
		case "bye":
			return
		default:
			fmt.Fprintln(c, strings.ToUpper(in.Text()))
		}
	}
}

// serve starts a listener with that service, in a bubble.
func serve(t *testing.T, edit func(*acceptor.Spec), s *shouter, f func(t *test)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &test{T: t, street: newStreet(), log: &processtest.Recorder{}}
		b.ctx = processtest.Node(t, process.NodeSpec{Probe: b.log})
		if s != nil {
			s.fail = make(chan error) // of this bubble
		}
		spec := acceptor.Spec{Name: "street", Address: "street:0", Bind: b.street.bind}
		if s != nil {
			spec.Protocol = acceptor.Service{Serve: s.Serve}
		}
		if edit != nil {
			edit(&spec)
		}
		var err error
		if b.pid, err = acceptor.Start(b.ctx, spec); err != nil {
			t.Fatal(err)
		}
		f(b)
	})
}

// quiet wants no report of a crash or of a child that did not stop.
func (t *test) wantQuiet() {
	t.Helper()
	for _, e := range t.log.Events(0) {
		if e.Level >= process.LevelWarn {
			t.Errorf("unexpected event: %s: %v", e.Text, e.Reason)
		}
	}
}

func TestService(t *testing.T) {
	serve(t, nil, newShouter(), func(t *test) {
		a, b := t.street.dial(), t.street.dial()
		a.send(t.T, "hello\n")
		a.want(t.T, "HELLO")
		b.send(t.T, "who\n")
		t.wantOpen(2)
		all, err := acceptor.Connections(t.ctx, t.pid)
		if err != nil {
			t.Fatal(err)
		}
		line, err := b.in.ReadString('\n')
		if err != nil || !slices.ContainsFunc(all, func(c acceptor.Connection) bool { return c.PID.String()+"\n" == line }) {
			t.Errorf("it acts for %q (%v), want one of %v", line, err, all)
		}
		b.send(t.T, "bye\n") // the service ends it
		b.wantEnd(t.T)
		t.wantOpen(1)
		a.Close() // the peer does
		synctest.Wait()
		t.wantEnds("normal", "closed")
		t.wantQuiet()
	})
}

// A connection that is killed or shut down is closed, and no other one is touched.
func TestServiceConnectionEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end   func(ctx context.Context, pid process.PID) error
		class string
	}{
		"killed": {func(ctx context.Context, pid process.PID) error { return process.Kill(ctx, pid) }, "killed"},
		"stopped": {func(ctx context.Context, pid process.PID) error {
			return process.Stop(ctx, pid, process.ErrShutdown)
		}, "stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, nil, newShouter(), func(t *test) {
				a := t.street.dial()
				t.wantOpen(1)
				all, err := acceptor.Connections(t.ctx, t.pid)
				if err != nil {
					t.Fatal(err)
				}
				b := t.street.dial()
				if err := tt.end(t.ctx, all[0].PID); err != nil {
					t.Fatal(err)
				}
				a.wantEnd(t.T)
				b.send(t.T, "still\n")
				b.want(t.T, "STILL")
				t.wantOpen(1)
				synctest.Wait()
				t.wantEnds(tt.class)
				for _, e := range t.log.Events(process.Crashed) {
					t.Errorf("a crash: %v", e.Reason)
				}
				b.Close()
			})
		})
	}
}

func TestServiceLimit(t *testing.T) {
	edit := func(s *acceptor.Spec) { s.MaxConnections, s.Overflow = 1, acceptor.Refuse }
	serve(t, edit, newShouter(), func(t *test) {
		a := t.street.dial()
		t.wantOpen(1)
		t.street.dial().wantEnd(t.T)
		a.Close()
		t.wantOpen(0)
		b := t.street.dial()
		b.send(t.T, "x\n")
		b.want(t.T, "X")
		b.Close()
	})
}

func TestServiceDrainAndResume(t *testing.T) {
	s := newShouter()
	serve(t, nil, s, func(t *test) {
		idle, busy := t.street.dial(), t.street.dial()
		busy.send(t.T, "sleep\n")
		t.wantOpen(2)
		begin := time.Now()
		drained := make(chan error)
		go func() { drained <- acceptor.Drain(t.ctx, t.pid, time.Minute) }()
		idle.wantEnd(t.T)
		t.wantOpen(1) // it can be asked meanwhile

		resumed := make(chan error) // waits until the old Serve has returned
		go func() { resumed <- acceptor.Resume(process.WithCallTimeout(t.ctx, time.Minute), t.pid) }()
		busy.want(t.T, "awake")
		if err := <-drained; err != nil {
			t.Errorf("the drain: %v", err)
		}
		if err := <-resumed; err != nil {
			t.Errorf("the resumption: %v", err)
		}
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("it took %v, want what the busy one needed", took)
		}
		c := t.street.dial()
		c.send(t.T, "x\n")
		c.want(t.T, "X")
		c.Close()
		if n := s.calls.Load(); n != 2 {
			t.Errorf("Serve was called %d times, want 2", n)
		}
		t.wantQuiet()
	})
}

// A Serve that returns though nobody told it to leaves connections behind that
// nobody serves. They end, and it is called again.
func TestServeCrashes(t *testing.T) {
	for name, err := range map[string]error{"error": errBoom, "nothing": nil} {
		t.Run(name, func(t *testing.T) {
			s := newShouter()
			serve(t, nil, s, func(t *test) {
				a := t.street.dial()
				a.send(t.T, "x\n")
				a.want(t.T, "X")
				s.fail <- err
				a.wantEnd(t.T)
				b := t.street.dial()
				b.send(t.T, "y\n")
				b.want(t.T, "Y")
				b.Close()
				t.wantOpen(0)
				if n := s.calls.Load(); n != 2 {
					t.Errorf("Serve was called %d times, want 2", n)
				}
				why := "Serve returned by itself"
				if err != nil {
					why = err.Error()
				}
				told := 0
				for _, e := range t.log.Events(process.Supervised) {
					if e.Level >= process.LevelError && e.Reason != nil && strings.Contains(e.Reason.Error(), why) {
						told++
					}
				}
				if told != 1 {
					t.Errorf("the supervisor reported it %d times, want once", told)
				}
			})
		})
	}
}

// What waits to be accepted when Serve ends is refused, as by any listening socket.
func TestServiceThatDoesNotAccept(t *testing.T) {
	edit := func(s *acceptor.Spec) {
		s.Protocol = acceptor.Service{Serve: func(ctx context.Context, ln net.Listener) error { <-ctx.Done(); return nil }}
	}
	serve(t, edit, newShouter(), func(t *test) {
		a := t.street.dial()
		t.wantOpen(1)
		if err := acceptor.Drain(t.ctx, t.pid, time.Minute); err != nil {
			t.Errorf("the drain: %v", err)
		}
		a.wantEnd(t.T)
		t.wantQuiet()
	})
}

// The service goes through every kind of crash in its tree.
func TestServiceSurvivesKills(t *testing.T) {
	for _, path := range []string{"street/service", "street/service/serve", "street/gate", "street/port", "street/connections"} {
		t.Run(path, func(t *testing.T) {
			serve(t, nil, newShouter(), func(t *test) {
				a := t.street.dial()
				a.send(t.T, "x\n")
				a.want(t.T, "X")
				if err := process.Kill(t.ctx, t.child(path)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				b := t.street.dial()
				b.send(t.T, "y\n")
				b.want(t.T, "Y")
				a.Close()
				b.Close()
				t.wantOpen(0)
			})
		})
	}
}

func TestServiceTransport(t *testing.T) {
	edit := func(s *acceptor.Spec) { s.Transport = hello{} }
	serve(t, edit, newShouter(), func(t *test) {
		a := t.street.dial()
		a.send(t.T, "hello\nwho\n")
		t.wantOpen(1)
		all, err := acceptor.Connections(t.ctx, t.pid)
		if err != nil {
			t.Fatal(err)
		}
		a.want(t.T, strings.ToUpper(all[0].PID.String()))
		b := t.street.dial() // says nothing
		time.Sleep(7 * time.Second)
		b.wantEnd(t.T)
		a.Close()
		synctest.Wait()
		t.wantEnds("closed", "handshake_timeout")
		t.wantQuiet()
	})
}

// A Service sees the client's address, and nothing of the header.
func TestServiceProxy(t *testing.T) {
	for name, tr := range map[string]acceptor.Transport{"alone": nil, "then a transport": hello{}} {
		t.Run(name, func(t *testing.T) {
			edit := func(s *acceptor.Spec) {
				behindProxy(true)(s, nil)
				s.Transport = tr
			}
			serve(t, edit, newShouter(), func(t *test) {
				greeting := ""
				if tr != nil {
					greeting = "hello\n"
				}
				a := t.street.dialFrom("10.1.1.1:5")
				a.send(t.T, line1+greeting+"addr\n")
				a.want(t.T, "192.0.2.7:4711")
				a.send(t.T, "who\n")
				all, err := acceptor.Connections(t.ctx, t.pid)
				if err != nil || len(all) != 1 || all[0].Peer.String() != "192.0.2.7:4711" {
					t.Fatalf("the connections are %v (%v)", all, err)
				}
				if line, err := a.in.ReadString('\n'); err != nil || !strings.EqualFold(line, all[0].PID.String()+"\n") {
					t.Errorf("it acts for %q (%v), want %v", line, err, all[0].PID)
				}
				b := t.street.dialFrom("10.1.1.1:6")
				b.send(t.T, "GET / HTTP/1.0\n")
				b.wantEnd(t.T)
				a.Close()
				synctest.Wait()
				t.wantEnds("closed", "proxy_missing")
			})
		})
	}
}

// The address is that of the port, also before there is one.
func TestServiceAddr(t *testing.T) {
	addrs := make(chan net.Addr, 2)
	serveOne := func(ctx context.Context, ln net.Listener) error {
		addrs <- ln.Addr()
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		addrs <- ln.Addr()
		c.Close()
		<-ctx.Done()
		return nil
	}
	serve(t, func(s *acceptor.Spec) { s.Protocol = acceptor.Service{Serve: serveOne} }, nil, func(t *test) {
		if a := <-addrs; a.String() != "street:0" && a.String() != "street:1" { // which is a race
			t.Errorf("perhaps before the port is open: %v", a)
		}
		t.street.dial().wantEnd(t.T)
		if a := <-addrs; a.String() != "street:1" {
			t.Errorf("when it is open: %v", a)
		}
	})
}

func TestServiceFaults(t *testing.T) {
	_, err := acceptor.Start(processtest.Context(t), acceptor.Spec{Address: ":0", Protocol: acceptor.Service{}})
	if err == nil || !strings.Contains(err.Error(), "Serve is missing") {
		t.Errorf("without Serve: %v", err)
	}
}

// A new Service is called after a drain; a Protocol does not become one.
func TestServiceReplaced(t *testing.T) {
	s, next := newShouter(), newShouter()
	serve(t, nil, s, func(t *test) {
		next.fail = make(chan error)
		set := func(h acceptor.Handler) error {
			return acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) { o.Protocol = h })
		}
		if err := set(t.host.protocol()); err == nil || !strings.Contains(err.Error(), "a Service is a part") {
			t.Errorf("a Protocol in its place: %v", err)
		}
		if err := set(acceptor.Service{Serve: next.Serve}); err != nil {
			t.Fatal(err)
		}
		if err := acceptor.Drain(t.ctx, t.pid, time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := acceptor.Resume(t.ctx, t.pid); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s.calls.Load() != 1 || next.calls.Load() != 1 {
			t.Errorf("Serve was called %d times, the new one %d times; want 1 and 1", s.calls.Load(), next.calls.Load())
		}
	})
	bubble(t, nil, func(t *test) {
		if err := acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) { o.Protocol = acceptor.Service{Serve: s.Serve} }); err == nil {
			t.Error("a Protocol has become a Service")
		}
	})
}

// What is no connection of a Service is left as it is.
func TestConnContextOfOthers(t *testing.T) {
	ctx := context.Background()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if got := acceptor.ConnContext(ctx, a); got != ctx {
		t.Errorf("it made %v of it", got)
	}
	if got := acceptor.Leaving(ctx); got != nil {
		t.Errorf("it is told to leave by %v", got)
	}
}

func TestReadyAndPlan(t *testing.T) {
	serve(t, nil, newShouter(), func(t *test) {
		street := process.Name("street")
		ready := func(want error) {
			t.Helper()
			if err := acceptor.Ready(t.ctx, street); !errors.Is(err, want) {
				t.Errorf("ready: %v, want %v", err, want)
			}
		}
		ready(nil)
		plan := acceptor.DrainPlan{Listeners: []process.Target{street, process.Name("nobody")}, Delay: 10 * time.Second, Within: time.Minute}
		busy := t.street.dial()
		busy.send(t.T, "sleep\n")
		begin := time.Now()
		done := make(chan error)
		go func() { done <- plan.Run(t.ctx) }()
		time.Sleep(9 * time.Second)
		ready(acceptor.ErrWithdrawn)
		late := t.street.dial() // one that the load balancer has still sent us
		late.send(t.T, "sleep\n")
		synctest.Wait()
		busy.want(t.T, "awake")
		time.Sleep(time.Second)
		ready(acceptor.ErrSuspended)
		late.want(t.T, "awake")
		err := <-done
		if took := time.Since(begin); took != 19*time.Second {
			t.Errorf("it took %v, want 19s", took)
		}
		if err == nil || !errors.Is(err, process.ErrNoProc) || strings.Contains(err.Error(), "street") || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("the plan: %v, want only that there is no %q", err, "nobody")
		}
		if err := acceptor.Resume(t.ctx, street); err != nil {
			t.Fatal(err)
		}
		ready(nil)
		if err := acceptor.Withdraw(t.ctx, street); err != nil {
			t.Fatal(err)
		}
		ready(acceptor.ErrWithdrawn)
		if err := acceptor.Resume(t.ctx, street); err != nil {
			t.Fatal(err)
		}
		ready(nil)
		if err := acceptor.Ready(t.ctx, process.Name("nobody")); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("nobody: %v", err)
		}

		ctx, cancel := context.WithTimeout(t.ctx, time.Second)
		defer cancel()
		if err := plan.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("interrupted: %v", err)
		}
		ready(acceptor.ErrWithdrawn)
	})
}
