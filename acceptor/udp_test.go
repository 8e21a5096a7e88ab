package acceptor_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
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

// A lake is a UDP network of one listener, within a bubble.
type lake struct {
	mu    sync.Mutex
	bound int
	now   *boat
	ports []string
	sent  map[string]chan string // to each client
	errs  []error                // of the next calls of bind; nil: it works
}

// A boat is one socket on a lake.
type boat struct {
	*lake
	in     chan wave
	mu     sync.Mutex
	late   chan struct{} // closed when the read deadline has passed
	closed chan struct{}
	once   sync.Once
	at     string
}

// A wave is a datagram, or an error of reading one.
type wave struct {
	from net.Addr
	text string
	err  error
}

func (l *lake) bind(_ context.Context, _, address string) (net.PacketConn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bound++
	l.ports = append(l.ports, address)
	if len(l.errs) > 0 {
		err := l.errs[0]
		if l.errs = l.errs[1:]; err != nil {
			return nil, err
		}
	}
	l.now = &boat{lake: l, in: make(chan wave, 1<<10), late: make(chan struct{}), closed: make(chan struct{}), at: address}
	if address == "lake:0" {
		l.now.at = "lake:1"
	}
	return l.now, nil
}

func (l *lake) current() *boat {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// box returns what was sent to a client.
func (l *lake) box(addr string) chan string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sent == nil {
		l.sent = make(map[string]chan string)
	}
	if l.sent[addr] == nil {
		l.sent[addr] = make(chan string, 1<<10)
	}
	return l.sent[addr]
}

func (l *lake) fail(err error) { l.current().in <- wave{err: &net.OpError{Op: "read", Err: err}} }

func (b *boat) ReadFrom(p []byte) (int, net.Addr, error) {
	b.mu.Lock()
	late := b.late
	b.mu.Unlock()
	select {
	case <-b.closed:
		return 0, nil, net.ErrClosed
	case <-late:
		return 0, nil, os.ErrDeadlineExceeded
	default:
	}
	select {
	case w := <-b.in:
		return copy(p, w.text), w.from, w.err
	case <-late:
		return 0, nil, os.ErrDeadlineExceeded
	case <-b.closed:
		return 0, nil, net.ErrClosed
	}
}

func (b *boat) WriteTo(p []byte, to net.Addr) (int, error) {
	select {
	case <-b.closed:
		return 0, net.ErrClosed
	default:
	}
	b.box(to.String()) <- string(p)
	return len(p), nil
}

func (b *boat) SetReadDeadline(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.late:
		if t.IsZero() {
			b.late = make(chan struct{})
		}
	default:
		if !t.IsZero() {
			close(b.late)
		}
	}
	return nil
}

func (b *boat) Close() error                     { b.once.Do(func() { close(b.closed) }); return nil }
func (b *boat) LocalAddr() net.Addr              { return address(b.at) }
func (b *boat) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (b *boat) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// A swimmer is a client on a lake.
type swimmer struct {
	lake *lake
	addr *net.UDPAddr
}

func (l *lake) swimmer(addr string) *swimmer {
	return &swimmer{l, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr))}
}

func (s *swimmer) send(text string) { s.lake.current().in <- wave{from: s.addr, text: text} }

// want wants that to have come, and nothing else yet.
func (s *swimmer) want(t *testing.T, texts ...string) {
	t.Helper()
	synctest.Wait()
	for _, want := range texts {
		select {
		case got := <-s.lake.box(s.addr.String()):
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		default:
			t.Errorf("got nothing, want %q", want)
		}
	}
	select {
	case got := <-s.lake.box(s.addr.String()):
		t.Errorf("got %q, want nothing more", got)
	default:
	}
}

// onLake runs f with a UDP listener.
func onLake(t *testing.T, edit func(*acceptor.Spec, *acceptor.Protocol[guest]), f func(t *test, l *lake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lake{}
		b := &test{T: t, host: &host{gate: make(chan struct{})}, log: &processtest.Recorder{}}
		b.ctx = processtest.Node(t, process.NodeSpec{Probe: b.log})
		p := b.host.protocol()
		p.Split = nil
		spec := acceptor.Spec{Name: "lake", Network: "udp", Address: "lake:0", BindPacket: l.bind}
		if edit != nil {
			edit(&spec, &p)
		}
		spec.Protocol = p
		var err error
		if b.pid, err = acceptor.Start(b.ctx, spec); err != nil {
			t.Fatal(err)
		}
		f(b, l)
	})
}

func TestUDP(t *testing.T) {
	onLake(t, nil, func(t *test, l *lake) {
		a, b := l.swimmer("192.0.2.1:5"), l.swimmer("192.0.2.1:6")
		a.send("x")
		b.send("y")
		a.send("z")
		a.want(t.T, "echo: x\n", "echo: z\n")
		b.want(t.T, "echo: y\n")
		t.wantOpen(2)
		all, err := acceptor.Connections(t.ctx, t.pid)
		if err != nil || len(all) != 2 || all[0].Peer.String() == all[1].Peer.String() {
			t.Errorf("the connections are %v (%v)", all, err)
		}
		// Messages of others reach it as any connection.
		if err := server.Cast(t.ctx, t.host.guest(0), Deliver{"storm"}); err != nil {
			t.Error(err)
		}
		a.want(t.T, "news: storm\n")
		a.send("bye")
		t.wantOpen(1)
		t.wantEnds("normal")
		a.send("again") // begins anew
		a.want(t.T, "echo: again\n")
		t.wantOpen(2)

		i := t.info()
		if i.Network != "udp" || i.Addr.String() != "lake:1" || len(i.Sockets) != 1 || i.Accepted != 3 || i.Dropped != 0 || i.Acceptors != 1 {
			t.Errorf("the listener says %+v", i)
		}
		t.wantQuiet()
	})
}

// Nobody tells that a peer has gone: silence does.
func TestUDPIdle(t *testing.T) {
	for name, tt := range map[string]struct {
		idle time.Duration
		ends time.Duration // 0: not
	}{
		"by default": {0, time.Minute},
		"as set":     {5 * time.Second, 5 * time.Second},
		"never":      {process.Infinity, 0},
	} {
		t.Run(name, func(t *testing.T) {
			onLake(t, func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) { p.Idle = tt.idle }, func(t *test, l *lake) {
				a := l.swimmer("192.0.2.1:5")
				a.send("x")
				synctest.Wait()
				if tt.ends == 0 {
					time.Sleep(24 * time.Hour)
					t.wantOpen(1)
					return
				}
				time.Sleep(tt.ends - time.Second)
				a.send("y")
				synctest.Wait()
				time.Sleep(tt.ends - time.Second)
				t.wantOpen(1)
				time.Sleep(time.Second)
				t.wantOpen(0)
				t.wantEnds("idle")
			})
		})
	}
}

// A peer that is not served fast enough loses its own datagrams, and nobody else's.
func TestUDPQueue(t *testing.T) {
	edit := func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) { p.Queue, p.MaxFrame = 3, 10 }
	onLake(t, edit, func(t *test, l *lake) {
		a, b := l.swimmer("192.0.2.1:5"), l.swimmer("192.0.2.1:6")
		a.send("wait") // it is being handled, so it waits no more
		synctest.Wait()
		for i := range 5 {
			a.send(fmt.Sprint(i))
		}
		b.send("y")
		b.send("much too long")
		b.want(t.T, "echo: y\n")
		if got := t.info().Dropped; got != 3 {
			t.Errorf("%d datagrams were dropped, want 3", got)
		}
		t.host.gate <- struct{}{}
		a.want(t.T, "echo: wait\n", "echo: 0\n", "echo: 1\n", "echo: 2\n")
		a.send("last")
		a.want(t.T, "echo: last\n")

		// What waits when its peer ends is lost too.
		a.send("wait")
		synctest.Wait()
		a.send("never")
		synctest.Wait()
		if err := process.Kill(t.ctx, t.host.guest(0).PID()); err != nil {
			t.Fatal(err)
		}
		t.host.gate <- struct{}{}
		t.wantOpen(1)
		if got := t.info().Dropped; got != 4 {
			t.Errorf("%d datagrams were dropped, want 4", got)
		}
	})
}

// The mailbox limit counts other messages only.
func TestUDPLimit(t *testing.T) {
	edit := func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) { p.Queue, p.Limit = 2, 1 }
	onLake(t, edit, func(t *test, l *lake) {
		a := l.swimmer("192.0.2.1:5")
		a.send("wait")
		synctest.Wait()
		a.send("1")
		a.send("2")
		synctest.Wait()
		cast := func() error { return server.Cast(t.ctx, t.host.guest(0), Deliver{"x"}) }
		if err := cast(); err != nil {
			t.Errorf("the first message: %v", err)
		}
		if err := cast(); !errors.Is(err, process.ErrMailboxFull) {
			t.Errorf("the second message: %v, want that the mailbox is full", err)
		}
		t.host.gate <- struct{}{}
		a.want(t.T, "echo: wait\n", "echo: 1\n", "echo: 2\n", "news: x\n")
	})
}

func TestUDPOrder(t *testing.T) {
	edit := func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) { p.Queue = 1000 }
	onLake(t, edit, func(t *test, l *lake) {
		a := l.swimmer("192.0.2.1:5")
		var want []string
		for i := range 500 {
			a.send(fmt.Sprint(i))
			want = append(want, fmt.Sprintf("echo: %d\n", i))
		}
		long := strings.Repeat("x", 60_000)
		a.send(long)
		a.want(t.T, append(want, "echo: "+long+"\n")...)
	})
}

func TestUDPRefuses(t *testing.T) {
	deny := func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) {
		s.Access = []acceptor.Rule{{Deny: true, From: netip.MustParsePrefix("192.0.2.0/24")}}
	}
	full := func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) { s.MaxConnections = 1 }
	rate := func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) { s.Rate, s.Burst = 0.001, 1 }
	new := func(err error) func(*acceptor.Spec, *acceptor.Protocol[guest]) {
		return func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
			inner := p.New
			p.New = func(ctx context.Context, c *acceptor.Conn) (*guest, error) {
				if c.RemoteAddr().String() == "192.0.2.1:5" {
					return nil, err
				}
				return inner(ctx, c)
			}
		}
	}
	for name, tt := range map[string]struct {
		edit func(*acceptor.Spec, *acceptor.Protocol[guest])
		why  acceptor.Refusal
	}{
		"denied":  {deny, acceptor.Denied},
		"full":    {full, acceptor.Full},
		"rate":    {rate, acceptor.RateLimited},
		"ignored": {new(process.ErrIgnore), acceptor.Ignored},
		"failed":  {new(errBoom), acceptor.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			onLake(t, tt.edit, func(t *test, l *lake) {
				good, bad := l.swimmer("198.51.100.1:5"), l.swimmer("192.0.2.1:5")
				good.send("x")
				good.want(t.T, "echo: x\n")
				for range 3 {
					bad.send("x")
				}
				bad.want(t.T)
				t.wantOpen(1)
				i := t.info()
				if i.Refusals[tt.why] != 3 || i.Refused != 3 || i.Accepted != 4 || i.Dropped != 0 {
					t.Errorf("the listener says %+v, want 3 refused: %s", i, tt.why)
				}
				if got := len(t.lines(process.LevelWarn)); got > 1 {
					t.Errorf("it has said %d lines, want one at most", got)
				}
				good.send("y")
				good.want(t.T, "echo: y\n")
			})
		})
	}
}

// There is room again when a peer has ended, and SetMax makes some.
func TestUDPRoom(t *testing.T) {
	edit := func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) { s.MaxConnections = 1 }
	onLake(t, edit, func(t *test, l *lake) {
		a, b := l.swimmer("192.0.2.1:5"), l.swimmer("192.0.2.1:6")
		a.send("x")
		a.want(t.T, "echo: x\n")
		b.send("x")
		b.want(t.T)
		a.send("bye")
		synctest.Wait()
		b.send("y")
		b.want(t.T, "echo: y\n")
		if err := acceptor.SetMax(t.ctx, t.pid, 2); err != nil {
			t.Fatal(err)
		}
		a.send("z")
		a.want(t.T, "echo: z\n")
		t.wantOpen(2)
	})
}

func TestUDPSuspendAndDrain(t *testing.T) {
	edit := func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
		p.Drain = func(_ context.Context, g *guest) error {
			if _, err := fmt.Fprint(g.conn, "goodbye"); err != nil {
				return err
			}
			return server.Stop(nil)
		}
	}
	onLake(t, edit, func(t *test, l *lake) {
		a, b := l.swimmer("192.0.2.1:5"), l.swimmer("192.0.2.1:6")
		a.send("x")
		a.want(t.T, "echo: x\n")
		if err := acceptor.Suspend(t.ctx, t.pid); err != nil {
			t.Fatal(err)
		}
		a.send("y")
		b.send("y")
		a.want(t.T, "echo: y\n") // who is there stays
		b.want(t.T)
		if i := t.info(); !i.Suspended || i.Refusals[acceptor.Closing] != 1 || len(i.Sockets) != 1 {
			t.Errorf("the listener says %+v", i)
		}
		if err := acceptor.Resume(t.ctx, t.pid); err != nil {
			t.Fatal(err)
		}
		b.send("z")
		b.want(t.T, "echo: z\n")

		if err := acceptor.Drain(t.ctx, t.pid, time.Minute); err != nil {
			t.Errorf("the drain: %v", err)
		}
		a.want(t.T, "goodbye")
		b.want(t.T, "goodbye")
		a.send("x")
		a.want(t.T)
		t.wantOpen(0)
		if err := acceptor.Resume(t.ctx, t.pid); err != nil {
			t.Fatal(err)
		}
		a.send("x")
		a.want(t.T, "echo: x\n")
		t.wantQuiet()
	})
}

func TestUDPDrainTimeout(t *testing.T) {
	onLake(t, nil, func(t *test, l *lake) {
		a := l.swimmer("192.0.2.1:5")
		a.send("x")
		synctest.Wait()
		err := acceptor.Drain(t.ctx, t.pid, time.Second)
		if e, ok := errors.AsType[*acceptor.DrainError](err); !ok || len(e.Left) != 1 || e.Left[0].Peer.String() != "192.0.2.1:5" {
			t.Errorf("the drain: %v", err)
		}
		t.wantOpen(0)
	})
}

// When the listener stops, the socket goes last: everybody can say goodbye.
func TestUDPStop(t *testing.T) {
	edit := func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
		p.Terminate = func(_ context.Context, g *guest, _ error) error { _, err := fmt.Fprint(g.conn, "goodbye"); return err }
	}
	onLake(t, edit, func(t *test, l *lake) {
		a := l.swimmer("192.0.2.1:5")
		a.send("x")
		synctest.Wait()
		if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
			t.Fatal(err)
		}
		a.want(t.T, "echo: x\n", "goodbye")
		select {
		case <-l.current().closed:
		default:
			t.Error("the socket is still open")
		}
		t.wantQuiet()
	})
}

// Errors that are about one peer are counted. A socket that is broken is opened
// anew, on the same address, and the peers live on.
func TestUDPErrors(t *testing.T) {
	onLake(t, nil, func(t *test, l *lake) {
		a := l.swimmer("192.0.2.1:5")
		a.send("x")
		a.want(t.T, "echo: x\n")
		l.fail(syscall.ECONNREFUSED)
		l.fail(syscall.EHOSTUNREACH)
		l.fail(syscall.ENOBUFS)
		a.send("y")
		synctest.Wait()
		time.Sleep(time.Second) // ENOBUFS waits a little
		a.want(t.T, "echo: y\n")
		if i := t.info(); i.Aborted != 2 || i.Starved != 1 {
			t.Errorf("the listener says %+v", i)
		}
		l.fail(syscall.EBADF)
		synctest.Wait()
		if l.bound != 2 || l.ports[1] != "lake:1" {
			t.Errorf("it was bound %d times, to %v", l.bound, l.ports)
		}
		t.wantOpen(1)
		if err := server.Cast(t.ctx, t.host.guest(0), Deliver{"still"}); err != nil {
			t.Fatal(err)
		}
		a.want(t.T, "news: still\n")
		a.send("z")
		a.want(t.T, "echo: z\n")
		t.wantOpen(1)
	})
}

// A peer that crashes is a crash of its own.
func TestUDPCrash(t *testing.T) {
	onLake(t, nil, func(t *test, l *lake) {
		a, b := l.swimmer("192.0.2.1:5"), l.swimmer("192.0.2.1:6")
		b.send("x")
		b.want(t.T, "echo: x\n")
		a.send("panic")
		synctest.Wait()
		t.wantEnds("crashed")
		a.send("x")
		b.send("y")
		a.want(t.T, "echo: x\n")
		b.want(t.T, "echo: y\n")
	})
}

// Whatever of the tree is killed, the listener serves again after it.
func TestUDPKills(t *testing.T) {
	for _, path := range []string{"lake/socket", "lake/connections", "lake/connections/connections-1", "lake/gate", "lake/port", "lake/port/acceptor-1"} {
		t.Run(path, func(t *testing.T) {
			onLake(t, nil, func(t *test, l *lake) {
				a := l.swimmer("192.0.2.1:5")
				a.send("x")
				a.want(t.T, "echo: x\n")
				if err := process.Kill(t.ctx, t.child(path)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				b := l.swimmer("192.0.2.1:6")
				a.send("y")
				b.send("y")
				a.want(t.T, "echo: y\n")
				b.want(t.T, "echo: y\n")
				t.wantOpen(2)
			})
		})
	}
}

func TestUDPSpecFaults(t *testing.T) {
	ctx := processtest.Context(t)
	_, err := acceptor.Start(ctx, acceptor.Spec{
		Network: "udp", Address: ":0", Sockets: 2, Acceptors: 2, Bind: newStreet().bind, Proxy: &acceptor.Proxy{},
		Transport: hello{}, Upgrade: hello{}, HandshakeTimeout: 1, SoftConnections: 1,
		Listening: func(context.Context, []net.Listener) error { return nil },
		Socket:    acceptor.Socket{Backlog: 1, Multipath: true, Delay: true, NoKeepAlive: true},
		Protocol:  (&host{}).protocol(),
	})
	for _, want := range []string{"Sockets is", "Bind opens", "Proxy is", "Transport is", "Upgrade is", "HandshakeTimeout is", "SoftConnections is 1",
		"Listening is", "Backlog is", "Multipath is", "Delay is", "KeepAlive is", "Split is for streams"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
	for want, spec := range map[string]acceptor.Spec{
		"BindPacket is for UDP":          {Address: ":0", BindPacket: (&lake{}).bind},
		"Queue is 5":                     {Address: ":0", Protocol: acceptor.Protocol[guest]{Queue: 5}},
		"Queue is -1":                    {Network: "udp", Address: ":0", Protocol: acceptor.Protocol[guest]{Queue: -1}},
		"Service: it is for":             {Network: "udp", Address: ":0", Protocol: acceptor.Service{}},
		"Subtree: it is for":             {Network: "udp", Address: ":0", Protocol: acceptor.Subtree{}},
		"cannot listen on udp x.invalid": {Network: "udp", Address: "x.invalid:1", Protocol: datagramProtocol()},
	} {
		if _, err := acceptor.Start(ctx, spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
}

func datagramProtocol() acceptor.Protocol[guest] {
	p := (&host{}).protocol()
	p.Split = nil
	return p
}

// On real sockets: both families on one of them, a port that is taken, and one
// that comes back.
func TestUDPReal(t *testing.T) {
	ctx := processtest.Context(t)
	spec := acceptor.Spec{Name: "real", Network: "udp", Address: "127.0.0.1:0", Protocol: datagramProtocol(),
		Socket: acceptor.Socket{ReadBuffer: 1 << 16, WriteBuffer: 1 << 16}}
	top, err := supervisor.Start(ctx, supervisor.Spec{Intensity: 5, Children: []supervisor.Child{{ID: "real", Start: acceptor.StartFunc(spec)}}})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, process.Name("real"))
	if err != nil {
		t.Fatal(err)
	}
	talk := func(network, to string) {
		t.Helper()
		c, err := net.Dial(network, to)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		for i := range 3 {
			fmt.Fprintf(c, "%d", i)
			buf := make([]byte, 100)
			n, err := c.Read(buf)
			if want := fmt.Sprintf("echo: %d\n", i); err != nil || string(buf[:n]) != want {
				t.Fatalf("%s %s: got %q (%v), want %q", network, to, buf[:n], err, want)
			}
		}
		all, err := acceptor.Connections(ctx, process.Name("real"))
		found := false
		for _, p := range all {
			found = found || p.Peer.String() == c.LocalAddr().String()
		}
		if err != nil || !found {
			t.Errorf("%v (%v) has no %v", all, err, c.LocalAddr())
		}
	}
	talk("udp4", addr.String())

	other := spec
	other.Name, other.Address = "", addr.String()
	_, err = acceptor.Start(ctx, other)
	if e, ok := errors.AsType[*acceptor.BindError](err); !ok || e.Cure == "" {
		t.Errorf("a port that is taken: %v", err)
	}

	pid, err := process.Name("real").Resolve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(ctx, pid); err != nil {
		t.Fatal(err)
	}
	if _, err := process.Wait(ctx, pid); err != nil {
		t.Fatal(err)
	}
	if _, err := supervisor.CountChildren(ctx, top); err != nil { // it has restarted it by then
		t.Fatal(err)
	}
	if again, err := acceptor.Addr(ctx, process.Name("real")); err != nil || again.String() != addr.String() {
		t.Fatalf("it came back on %v (%v), want %v", again, err, addr)
	}
	talk("udp4", addr.String())

	both := spec
	both.Name, both.Address = "both", "[::]:0"
	hosts := map[string]string{"udp4": "127.0.0.1", "udp6": "::1"}
	if probe, err := net.ListenPacket("udp6", "[::1]:0"); err != nil { // a machine without IPv6
		delete(hosts, "udp6")
		both.Address = ":0"
	} else {
		probe.Close()
	}
	if _, err := acceptor.Start(ctx, both); err != nil {
		t.Fatal(err)
	}
	addr, err = acceptor.Addr(ctx, process.Name("both"))
	if err != nil {
		t.Fatal(err)
	}
	for network, host := range hosts {
		c, err := net.Dial(network, net.JoinHostPort(host, fmt.Sprint(addr.(*net.UDPAddr).Port)))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(c, "x")
		buf := make([]byte, 100)
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "echo: x\n" {
			t.Errorf("%s: got %q (%v)", network, buf[:n], err)
		}
		c.Close()
	}
}
