package acceptor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/supervisor"
)

// rebind changes the address of the test's listener, and what else edit wants.
func (t *test) rebind(address string, edit func(*acceptor.Binding)) error {
	return acceptor.Rebind(t.ctx, t.pid, func(b *acceptor.Binding) {
		b.Address = address
		if edit != nil {
			edit(b)
		}
	})
}

// binding is how the test's listener is bound.
func (t *test) binding() acceptor.Binding {
	t.Helper()
	b, err := acceptor.GetBinding(t.ctx, t.pid)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantAt wants the listener to be bound there, and nowhere else, and to serve.
func (t *test) wantAt(address string) {
	t.Helper()
	synctest.Wait()
	t.street.mu.Lock()
	if len(t.street.open) != 1 || t.street.open[address] == 0 {
		t.Errorf("open are %v, want %s only", t.street.open, address)
	}
	t.street.mu.Unlock()
	if i := t.info(); i.Addr.String() != address || len(i.Sockets) == 0 || i.Sockets[0].String() != address || i.Suspended || i.Pending {
		t.Errorf("it says that it is at %v, sockets %v, suspended %v, pending %v; want %s", i.Addr, i.Sockets, i.Suspended, i.Pending, address)
	}
	c := t.street.dial()
	c.send(t.T, "x\n")
	c.want(t.T, "echo: x")
	c.Close()
	synctest.Wait()
}

// A listener moves to another address, with other acceptors; connections stay.
func TestRebind(t *testing.T) {
	bubble(t, nil, func(t *test) {
		a := t.street.dial()
		t.wantOpen(1)
		heard := 0
		if err := t.rebind("street:2", func(b *acceptor.Binding) {
			b.Acceptors = 9 // and there are four supervisors for theirs
			b.Listening = func(context.Context, []net.Listener) error {
				heard = len(t.street.open) // the old one is not closed yet
				return nil
			}
		}); err != nil {
			t.Fatal(err)
		}
		t.wantAt("street:2")
		if b := t.binding(); b.Address != "street:2" || b.Acceptors != 9 || t.info().Acceptors != 9 || heard != 2 {
			t.Errorf("it is bound as %+v, and Listening saw %d addresses open", b, heard)
		}
		if p, err := acceptor.Procs(t.ctx, t.pid); err != nil || len(p.Acceptors) != 9 {
			t.Errorf("%d acceptors, %v; want 9", len(p.Acceptors), err)
		}
		a.send(t.T, "y\n")
		a.want(t.T, "echo: y")
		for _, path := range []string{"street/port", "street/porter", "street/gate", "street/transports"} {
			process.Kill(t.ctx, t.child(path)) // the binding is none of theirs
			t.wantAt("street:2")
		}
		a.Close()
		t.wantOpen(0)
		t.wantCounts(nil, ends{"closed": 6})
	})
}

// What is wrong with a binding is said at once, and nothing is touched.
func TestRebindFaults(t *testing.T) {
	bubble(t, nil, func(t *test) {
		err := t.rebind("", func(b *acceptor.Binding) {
			b.Mode, b.Sockets, b.Acceptors, b.Proxy, b.Socket.ReadBuffer = 0o600, -1, -2, &acceptor.Proxy{}, -3
		})
		for _, want := range []string{"Address is missing", "Mode -rw------- is for unix", "Sockets is -1", "Acceptors is -2", "Trusted is empty", "ReadBuffer is -3", "stays as it is"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Rebind: %v, want %q in it", err, want)
			}
		}
		if err := t.rebind("street:2", func(b *acceptor.Binding) { b.Network = "udp" }); err == nil || !strings.Contains(err.Error(), "start another listener") {
			t.Errorf("Rebind to UDP: %v", err)
		}
		if b := t.binding(); b.Address != "street:0" || b.Acceptors != 0 || b.Proxy != nil {
			t.Errorf("it is bound as %+v", b)
		}
		if bound, _ := t.street.counts(); bound != 1 {
			t.Errorf("bound %d times", bound)
		}
	})
}

// wantFailed wants an error that says that all is as before, and why.
func (t *test) wantFailed(err, cause error) {
	t.Helper()
	var failed *acceptor.RebindError
	if !errors.As(err, &failed) || !errors.Is(err, cause) || failed.Back != nil || failed.Suspended || !strings.Contains(err.Error(), "bound as before") {
		t.Errorf("Rebind: %v, want %v", err, cause)
	}
}

// What cannot be opened leaves the listener as it was. Where the old sockets are in
// the way they are closed first, and opened again.
func TestRebindFails(t *testing.T) {
	refuses := func(b *acceptor.Binding) { b.Listening = refuse }
	panics := func(b *acceptor.Binding) {
		b.Listening = func(context.Context, []net.Listener) error { panic(errBoom) }
	}
	for name, c := range map[string]struct {
		to    string
		edit  func(*acceptor.Binding)
		taken string
		cause error
		ports string
	}{
		"another's address":        {to: "street:2", taken: "street:2", cause: syscall.EADDRINUSE, ports: "street:0 street:2 street:2 street:1"},
		"not pleased":              {to: "street:2", edit: refuses, cause: errBoom, ports: "street:0 street:2"},
		"not pleased, and no more": {to: "street:0", edit: refuses, cause: errBoom, ports: "street:0"},
		"panics":                   {to: "street:2", edit: panics, cause: errBoom, ports: "street:0 street:2"},
		"panics in place":          {to: "street:0", edit: panics, cause: errBoom, ports: "street:0"},
		"panics anew":              {to: "street:0", edit: func(b *acceptor.Binding) { b.Acceptors = 2; panics(b) }, cause: errBoom, ports: "street:0 street:1 street:1 street:1"},
		"not pleased anew":         {to: "street:0", edit: func(b *acceptor.Binding) { b.Acceptors = 2; refuses(b) }, cause: errBoom, ports: "street:0 street:1 street:1 street:1"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *test) {
				t.street.exclusive = true
				t.street.take(c.taken, true)
				a := t.street.dial()
				t.wantOpen(1)
				t.wantFailed(t.rebind(c.to, c.edit), c.cause)
				t.wantAt("street:1")
				if got := strings.Join(t.street.ports, " "); got != c.ports {
					t.Errorf("bound to %s, want %s", got, c.ports)
				}
				if b := t.binding(); b.Address != "street:0" || b.Listening != nil || b.Acceptors != 0 {
					t.Errorf("it is bound as %+v", b)
				}
				a.send(t.T, "y\n")
				a.want(t.T, "echo: y")
				a.Close()
				t.wantOpen(0)
				t.wantCounts(nil, ends{"closed": 2})
				if got := t.lines(process.LevelWarn); !slices.Equal(got, []string{"could not be bound anew"}) {
					t.Errorf("said %q", got)
				}
				if err := t.rebind("street:3", nil); err != nil {
					t.Error(err)
				}
				t.wantAt("street:3")
			})
		})
	}
}

// If the old binding cannot be put back either, both errors are told, and the
// listener crashes into its supervisor, which starts it with what was set last.
func TestRebindAndBackFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		street, h, log := newStreet(), &host{gate: make(chan struct{})}, &processtest.Recorder{}
		ctx := processtest.Node(t, process.NodeSpec{Probe: log})
		bind := func(ctx context.Context, network, address string) (net.Listener, error) {
			if address == "street:2" { // and now the old one has gone
				street.take("street:1", true)
				return nil, &acceptor.BindError{Network: network, Address: address, Err: syscall.EADDRINUSE}
			}
			return street.bind(ctx, network, address)
		}
		_, err := supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{{ID: "edge", Start: func(ctx context.Context) (process.PID, error) {
			street.take("street:1", false)
			return acceptor.Start(ctx, acceptor.Spec{Name: "edge", Address: ":0", Bind: bind, Protocol: h.protocol()})
		}}}})
		if err != nil {
			t.Fatal(err)
		}
		first, err := process.Name("edge").Resolve(ctx)
		if err != nil {
			t.Fatal(err)
		}
		err = acceptor.Rebind(ctx, first, func(b *acceptor.Binding) { b.Address = "street:2" })
		failed, ok := errors.AsType[*acceptor.RebindError](err)
		if !ok || failed.Back == nil || !errors.Is(failed.Err, syscall.EADDRINUSE) || !errors.Is(failed.Back, syscall.EADDRINUSE) ||
			!strings.Contains(err.Error(), "street:2") || !strings.Contains(err.Error(), "not as before either") {
			t.Errorf("Rebind: %v, want both errors", err)
		}
		synctest.Wait()
		if first.Alive() {
			t.Error("the listener has not crashed")
		}
		crash := false
		for _, e := range log.Events(process.Crashed) {
			crash = crash || errors.Is(e.Reason, failed)
		}
		if !crash {
			t.Error("nothing reports why")
		}
		if addr, err := acceptor.Addr(ctx, process.Name("edge")); err != nil || addr.String() != "street:1" {
			t.Errorf("it was started at %v, %v", addr, err)
		}
	})
}

// A hosted transport has a process, and writes its name first.
type hosted struct {
	name   string
	starts atomic.Int64
	fails  atomic.Bool
	pid    atomic.Pointer[process.PID]
}

func (h *hosted) Start(ctx context.Context) (process.PID, error) {
	if h.fails.Load() {
		return process.PID{}, errBoom
	}
	h.starts.Add(1)
	pid, err := process.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	h.pid.Store(&pid)
	return pid, err
}

func (h *hosted) Handshake(_ context.Context, raw net.Conn, _ process.PID) (net.Conn, error) {
	if _, err := io.WriteString(raw, h.name+"\n"); err != nil {
		return nil, err
	}
	return raw, nil
}

// want wants the transport to have been started so often, and to live or not.
func (h *hosted) want(t *test, starts int64, alive bool) {
	t.Helper()
	synctest.Wait()
	if h.starts.Load() != starts || starts > 0 && h.pid.Load().Alive() != alive {
		t.Errorf("transport %s was started %d times, want %d and alive: %v", h.name, h.starts.Load(), starts, alive)
	}
}

// A new Transport is for new connections. The one before stays until its last
// connection has ended, and is found again if it comes back.
func TestRebindTransport(t *testing.T) {
	one, two, up := &hosted{name: "one"}, &hosted{name: "two"}, &hosted{name: "up"}
	use := func(tr acceptor.Transport) func(b *acceptor.Binding) {
		return func(b *acceptor.Binding) { b.Transport = tr }
	}
	bubble(t, func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) { s.Transport, s.Upgrade = one, up }, func(t *test) {
		dial := func(name string) *client {
			t.Helper()
			c := t.street.dial()
			c.want(t.T, name)
			return c
		}
		ups := int64(1)
		check := func(do func(b *acceptor.Binding), starts1, starts2 int64, alive1, alive2 bool) {
			t.Helper()
			if err := t.rebind("street:0", do); err != nil {
				t.Fatal(err)
			}
			one.want(t, starts1, alive1)
			two.want(t, starts2, alive2)
			up.want(t, ups, true)
		}
		a, b := dial("one"), dial("one")
		check(use(two), 1, 1, true, true)
		c := dial("two")
		check(use(one), 1, 1, true, true) // it is the one that still runs
		d := dial("one")
		check(use(two), 1, 1, true, true)
		if bound, _ := t.street.counts(); bound != 1 {
			t.Errorf("bound %d times: the sockets should stay", bound)
		}

		// The end of one that has been replaced is no reason to open anew.
		process.Kill(t.ctx, *one.pid.Load())
		one.want(t, 2, true)
		if bound, _ := t.street.counts(); bound != 1 {
			t.Errorf("bound %d times", bound)
		}
		process.Kill(t.ctx, *two.pid.Load())
		two.want(t, 2, true)
		one.want(t, 3, true) // their supervisor was restarted
		ups++
		if bound, _ := t.street.counts(); bound != 2 {
			t.Errorf("bound %d times, want 2", bound)
		}

		a.Close()
		one.want(t, 3, true)
		process.Kill(t.ctx, t.host.guest(1).PID())
		b.wantEnd(t.T)
		one.want(t, 3, true)
		d.Close()
		one.want(t, 3, false)
		c.send(t.T, "x\n")
		c.want(t.T, "echo: x")
		check(use(nil), 3, 2, false, true)
		e := t.street.dial()
		e.send(t.T, "x\n")
		e.want(t.T, "echo: x")
		check(use(one), 4, 2, true, true)
		check(use(nil), 4, 2, false, true) // nobody has used it
		c.Close()
		two.want(t, 2, false)
		e.Close()
		t.wantOpen(0)

		one.fails.Store(true)
		t.wantFailed(t.rebind("street:2", use(one)), errBoom)
		t.wantAt("street:1")
		if bound, _ := t.street.counts(); bound != 2 {
			t.Errorf("bound %d times: one that does not start should touch nothing", bound)
		}
		one.fails.Store(false)
		if err := t.rebind("street:2", use(one)); err != nil {
			t.Error(err)
		}
		dial("one").Close()
		t.wantOpen(0)
		if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
			t.Error(err)
		}
		one.want(t, 5, false)
		up.want(t, 2, false) // with the supervisor of two
	})
}

// A suspended listener takes a change, and Resume tries it.
func TestRebindSuspended(t *testing.T) {
	tr := &hosted{name: "one"}
	bubble(t, nil, func(t *test) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		suspended := func(address string, pending bool) {
			t.Helper()
			synctest.Wait()
			if i := t.info(); !i.Suspended || i.Pending != pending || i.Addr.String() != "street:1" || len(i.Sockets) != 0 {
				t.Errorf("suspended %v, pending %v at %v %v", i.Suspended, i.Pending, i.Addr, i.Sockets)
			}
			if b := t.binding(); b.Address != address || b.Transport != nil && b.Transport != tr {
				t.Errorf("it is to be bound as %+v", b)
			}
			if err := acceptor.Ready(t.ctx, t.pid); !errors.Is(err, acceptor.ErrSuspended) {
				t.Errorf("Ready: %v", err)
			}
			if len(t.street.open) != 0 {
				t.Errorf("open are %v", t.street.open)
			}
		}
		fails := func(cause error) {
			t.Helper()
			err := acceptor.Resume(t.ctx, t.pid)
			failed, ok := errors.AsType[*acceptor.RebindError](err)
			if !ok || !failed.Suspended || failed.Back != nil || !errors.Is(err, cause) {
				t.Errorf("Resume: %v, want %v", err, cause)
			}
			suspended("street:0", false)
		}
		must(acceptor.Suspend(t.ctx, t.pid))
		t.street.take("street:2", true)
		must(t.rebind("street:2", nil))
		process.Kill(t.ctx, t.child("street/gate")) // that is no resume
		suspended("street:2", true)
		fails(syscall.EADDRINUSE)
		must(acceptor.Resume(t.ctx, t.pid))
		t.wantAt("street:1")

		must(acceptor.Suspend(t.ctx, t.pid))
		tr.fails.Store(true)
		must(t.rebind("street:3", func(b *acceptor.Binding) { b.Transport = tr }))
		fails(errBoom)
		tr.want(t, 0, false)
		tr.fails.Store(false)
		must(t.rebind("street:3", nil))
		must(t.rebind("street:3", func(b *acceptor.Binding) { b.Acceptors = 2 })) // on top of that
		tr.want(t, 0, false)
		must(acceptor.Resume(t.ctx, t.pid))
		t.wantAt("street:3")
		if b := t.binding(); b.Acceptors != 2 {
			t.Errorf("it is bound as %+v", b)
		}
	})
}

// Connections that acceptors have in hand wait for room still, at the port to come,
// and are what they were accepted as.
func TestRebindCarries(t *testing.T) {
	one, two := &hosted{name: "one"}, &hosted{name: "two"}
	for name, after := range map[string]func(*test) error{
		"and back": func(t *test) error { return t.rebind("street:1", nil) },
		"suspend":  func(t *test) error { return acceptor.Suspend(t.ctx, t.pid) },
		"stop":     func(t *test) error { return process.Stop(t.ctx, t.pid, process.ErrShutdown) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) {
				limit(1, acceptor.Refuse)(s, nil)
				s.Transport = one
			}, func(t *test) {
				a := t.street.dial()
				a.want(t.T, "one")
				if err := acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) { o.Overflow = acceptor.Wait }); err != nil {
					t.Fatal(err)
				}
				b, c := t.street.dial(), t.street.dial() // two of the acceptors take one each
				synctest.Wait()
				if i := t.info(); i.Accepted != 3 || i.Connections != 1 {
					t.Fatalf("%d were accepted, %d are there", i.Accepted, i.Connections)
				}
				for range 3 {
					if err := t.rebind("street:2", func(b *acceptor.Binding) { b.Transport, b.Acceptors = two, 2 }); err != nil {
						t.Fatal(err)
					}
				}
				one.want(t, one.starts.Load(), true)
				if err := after(t); err != nil {
					t.Fatal(err)
				}
				if name != "and back" {
					if name == "suspend" {
						t.wantOpen(1)
						t.wantCounts(refusals{acceptor.Closing: 2}, nil)
						a.Close()
						t.wantOpen(0)
					}
					b.wantEnd(t.T)
					c.wantEnd(t.T)
					return
				}
				a.Close()
				var wg sync.WaitGroup
				for _, c := range []*client{b, c} { // in any order
					wg.Go(func() {
						c.want(t.T, "one")
						c.Close()
					})
				}
				wg.Wait()
				one.want(t, one.starts.Load(), false)
				d := t.street.dial()
				d.want(t.T, "two")
				d.Close()
				t.wantOpen(0)
				t.wantCounts(nil, ends{"closed": 4})
			})
		})
	}
}

// A listener that its supervisor starts again has what was set last.
func TestSetLastStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &test{T: t, street: newStreet(), host: &host{gate: make(chan struct{})}, log: &processtest.Recorder{}}
		b.ctx = processtest.Node(t, process.NodeSpec{Probe: b.log})
		tr := &hosted{name: "one"}
		_, err := supervisor.Start(b.ctx, supervisor.Spec{Intensity: 10, Children: []supervisor.Child{{ID: "edge",
			Start: acceptor.StartFunc(acceptor.Spec{Name: "edge", Address: "street:0", Bind: b.street.bind, Protocol: b.host.protocol()})}}})
		if err != nil {
			t.Fatal(err)
		}
		edge := process.Name("edge")
		again := func() {
			t.Helper()
			pid, err := edge.Resolve(b.ctx)
			if err != nil {
				t.Fatal(err)
			}
			process.Kill(b.ctx, pid)
			synctest.Wait()
			if b.pid, err = edge.Resolve(b.ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := acceptor.SetOptions(b.ctx, edge, func(o *acceptor.Options) { o.MaxConnections, o.Overflow = 1, acceptor.Refuse }); err != nil {
			t.Fatal(err)
		}
		if err := acceptor.Rebind(b.ctx, edge, func(b *acceptor.Binding) { b.Address, b.Acceptors = "street:2", 3 }); err != nil {
			t.Fatal(err)
		}
		again()
		b.wantAt("street:2")
		a, c := b.street.dial(), b.street.dial()
		b.wantOpen(1)
		b.wantCounts(refusals{acceptor.Full: 1}, ends{"closed": 1})
		a.Close()
		c.Close()
		if err := acceptor.Suspend(b.ctx, edge); err != nil {
			t.Fatal(err)
		}
		if err := acceptor.Rebind(b.ctx, edge, func(b *acceptor.Binding) { b.Address, b.Transport = "street:3", tr }); err != nil {
			t.Fatal(err)
		}
		again()
		d := b.street.dial()
		d.want(t, "one")
		d.Close()
		if i := b.info(); i.Addr.String() != "street:3" || i.Suspended || i.Pending || i.Acceptors != 3 || i.Max != 1 {
			t.Errorf("after a restart it is %+v", i)
		}
		tr.want(b, 1, true)
	})
}

// Whoever is killed while the new sockets are opened, the listener is bound as
// before; who has given up waiting does not stop the change.
func TestKilledWhileRebinding(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*test)
		want string
	}{
		"the porter":         {func(t *test) { t.kill("street/porter$") }, "street:1"},
		"the transports":     {func(t *test) { t.kill("street/transports$") }, "street:1"},
		"the gate":           {func(t *test) { t.kill("street/gate$") }, "street:1"},
		"the port":           {func(t *test) { t.kill("street/port$") }, "street:2"},
		"nobody, but it has": {func(*test) {}, "street:2"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *test) {
				go1 := make(chan struct{})
				ctx, cancel := context.WithCancel(t.ctx)
				defer cancel()
				done := make(chan error)
				go func() {
					done <- acceptor.Rebind(ctx, t.pid, func(b *acceptor.Binding) {
						b.Address = "street:2"
						b.Listening = func(context.Context, []net.Listener) error { <-go1; return nil }
					})
				}()
				synctest.Wait()
				late := make(chan error)
				go func() { late <- acceptor.Rebind(t.ctx, t.pid, func(b *acceptor.Binding) { b.Socket.Delay = true }) }()
				synctest.Wait()
				c.do(t)
				cancel()
				time.Sleep(ms)
				close(go1)
				if err := <-done; err == nil {
					t.Error("Rebind has succeeded")
				}
				if err := <-late; (err == nil) != (c.want == "street:2") {
					t.Errorf("the one that waited: %v", err)
				}
				time.Sleep(10 * time.Second)
				t.wantAt(c.want)
				if b := t.binding(); b.Socket.Delay != (c.want == "street:2") || (b.Address == "street:2") != (c.want == "street:2") {
					t.Errorf("it is bound as %+v", b)
				}
			})
		})
	}
}

// Of changes at the same time none is lost, whoever suspends and resumes meanwhile.
func TestRebindTogether(t *testing.T) {
	bubble(t, nil, func(t *test) {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if err := acceptor.Rebind(t.ctx, t.pid, func(b *acceptor.Binding) {
					b.Acceptors++
					b.Address = fmt.Sprint("street:", 2+i%3)
				}); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if err := acceptor.Suspend(t.ctx, t.pid); err != nil {
					t.Error(err)
				}
				if err := acceptor.Resume(t.ctx, t.pid); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := acceptor.Resume(t.ctx, t.pid); err != nil {
			t.Error(err)
		}
		b := t.binding()
		t.wantAt(b.Address)
		if b.Acceptors != 20 || t.info().Acceptors != 20 {
			t.Errorf("%d acceptors, want 20", b.Acceptors)
		}
	})
}
