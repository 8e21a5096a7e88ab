package acceptor_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"golang.org/x/sys/unix"
)

// Several sockets at one address, which all serve, and a second listener there is
// refused all the same.
func TestSockets(t *testing.T) {
	var sockets atomic.Pointer[[]net.Listener]
	spec := acceptor.Spec{Address: "127.0.0.1:0", Sockets: 6, Listening: func(_ context.Context, s []net.Listener) error {
		sockets.Store(&s)
		return nil
	}}
	ctx, pid, addr := start(t, spec)
	if got := *sockets.Load(); len(got) != 6 || got[5].Addr().String() != addr.String() {
		t.Fatalf("there are %d sockets, want 6 at %v", len(got), addr)
	}
	for range 60 { // no socket is left out, or some of these would hang
		c := dial(t, addr)
		c.SetDeadline(time.Now().Add(10 * time.Second))
		c.send(t, "x\n")
		c.want(t, "echo: x")
	}

	second := spec
	second.Address, second.Protocol, second.Listening = addr.String(), (&host{}).protocol(), nil
	if _, err := acceptor.Start(ctx, second); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second listener with Sockets there: %v, want %v", err, syscall.EADDRINUSE)
	}

	if err := acceptor.Suspend(ctx, pid); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", addr.String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial a suspended listener: %v, want %v", err, syscall.ECONNREFUSED)
	}
	if err := acceptor.Resume(ctx, pid); err != nil {
		t.Fatal(err)
	}
	if got := *sockets.Load(); len(got) != 6 || got[5].Addr().String() != addr.String() {
		t.Errorf("after Resume there are %d sockets at %v, want 6 at %v", len(got), got[5].Addr(), addr)
	}
}

// With a Bind of one's own, each socket is one call of it, and all are served.
func TestSocketsByBind(t *testing.T) {
	var streets []*street
	n := 0
	bubble(t, func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) {
		streets = []*street{newStreet(), newStreet(), newStreet()}
		s.Sockets = 3
		s.Bind = func(ctx context.Context, network, address string) (net.Listener, error) {
			n++
			return streets[n-1].bind(ctx, network, address)
		}
	}, func(t *test) {
		for i, want := range []string{"street:0", "street:1", "street:1"} {
			if got := strings.Join(streets[i].ports, " "); got != want {
				t.Errorf("socket %d is bound to %q, want %q", i, got, want)
			}
		}
		for _, s := range streets {
			c := s.dial()
			c.send(t.T, "x\n")
			c.want(t.T, "echo: x")
			c.Close()
		}
	})
}

// One socket that cannot be bound leaves none behind.
func TestSocketsOneFails(t *testing.T) {
	street := newStreet()
	n := 0
	_, err := acceptor.Start(processtest.Context(t), acceptor.Spec{Address: ":0", Sockets: 3, Protocol: (&host{}).protocol(),
		Bind: func(ctx context.Context, network, address string) (net.Listener, error) {
			if n++; n == 3 {
				return nil, errBoom
			}
			return street.bind(ctx, network, address)
		}})
	if !errors.Is(err, errBoom) {
		t.Errorf("Start: %v, want %v", err, errBoom)
	}
	select {
	case <-street.closed:
	default:
		t.Error("a socket is still open")
	}
}

// Listening sees the sockets before anybody is accepted, and what it refuses does
// not start.
func TestListening(t *testing.T) {
	for name, c := range map[string]struct {
		hook func() error
		want string
	}{
		"an error": {func() error { return errBoom }, "Listening refused: boom"},
		"a panic":  {func() error { panic(errBoom) }, "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			var addr net.Addr
			_, err := acceptor.Start(processtest.Context(t), acceptor.Spec{
				Name: "edge", Address: "127.0.0.1:0", Protocol: (&host{}).protocol(),
				Listening: func(_ context.Context, s []net.Listener) error {
					addr = s[0].Addr()
					return c.hook()
				},
			})
			if !errors.Is(err, errBoom) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Start: %v, want %v", err, c.want)
			}
			if _, err := net.Dial("tcp", addr.String()); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial: %v, want %v", err, syscall.ECONNREFUSED)
			}
		})
	}
}

// The file of a unix socket has its mode whatever umask says, and is gone after a
// stop.
func TestUnixMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	defer syscall.Umask(syscall.Umask(0o077))
	var listening fs.FileMode
	ctx, pid, addr := start(t, acceptor.Spec{Network: "unix", Address: path, Mode: 0o666,
		Listening: func(context.Context, []net.Listener) error {
			info, err := os.Stat(path)
			listening = info.Mode().Perm()
			return err
		}})
	if listening != 0o666 {
		t.Errorf("the socket's file has mode %v, want 0666", listening)
	}
	c := dial(t, addr)
	c.send(t, "x\n")
	c.want(t, "echo: x")
	if err := process.Stop(ctx, pid, process.ErrShutdown); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the stop the socket's file: %v, want %v", err, fs.ErrNotExist)
	}
}

// With a mode the same obstacles as without are told apart.
func TestUnixModeObstacles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "socket")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	spec := acceptor.Spec{Network: "unix", Address: path, Mode: 0o600, Protocol: (&host{}).protocol()}
	ctx := processtest.Context(t)
	if _, err := acceptor.Start(ctx, spec); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Start where another listens: %v, want %v", err, syscall.EADDRINUSE)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	if _, err := acceptor.Start(ctx, spec); err != nil {
		t.Errorf("Start on a stale file: %v", err)
	}
	spec.Address = filepath.Join(dir, strings.Repeat("x", 200))
	if _, err := acceptor.Start(ctx, spec); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "100 bytes") {
		t.Errorf("Start with a path too long: %v, want %v", err, syscall.EINVAL)
	}
}

// A name without a file is in use when somebody listens on it, and nothing is
// removed for it.
func TestAbstractInUse(t *testing.T) {
	name := fmt.Sprintf("@coppice-test-%d", os.Getpid())
	ctx, _, addr := start(t, acceptor.Spec{Network: "unix", Address: name})
	dial(t, addr).send(t, "x\n")
	_, err := acceptor.Start(ctx, acceptor.Spec{Network: "unix", Address: name, Protocol: (&host{}).protocol()})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "another name") {
		t.Errorf("a second Start: %v, want %v", err, syscall.EADDRINUSE)
	}
}

// Option asks for an option of a guest's socket.
type Option struct{ level, opt int }

func (m Option) Handle(_ context.Context, g *guest) (int, error) {
	return option(g.conn.NetConn(), m.level, m.opt)
}

func option(of any, level, opt int) (n int, err error) {
	raw, err := of.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	if outer := raw.Control(func(fd uintptr) { n, err = unix.GetsockoptInt(int(fd), level, opt) }); outer != nil {
		return 0, outer
	}
	return n, err
}

func TestSocketOptions(t *testing.T) {
	h := &host{}
	var backlog uint32
	var controlled []string
	ctx := processtest.Context(t)
	pid, err := acceptor.Start(ctx, acceptor.Spec{
		Address: "127.0.0.1:0", Protocol: h.protocol(),
		Socket: acceptor.Socket{
			Backlog:   7,
			KeepAlive: net.KeepAliveConfig{Enable: true, Idle: 33 * time.Second, Interval: 4 * time.Second, Count: 5},
			Delay:     true, ReadBuffer: 20 << 10, WriteBuffer: 30 << 10,
			Control: func(network, address string, _ syscall.RawConn) error {
				controlled = append(controlled, network+" "+address)
				return nil
			},
		},
		Listening: func(_ context.Context, s []net.Listener) error {
			raw, err := s[0].(*net.TCPListener).SyscallConn()
			if err != nil {
				return err
			}
			return raw.Control(func(fd uintptr) {
				// Of a listening socket, this is the length of its queue.
				info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
				if err != nil {
					t.Error(err)
					return
				}
				backlog = info.Sacked
			})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if backlog != 7 {
		t.Errorf("the backlog is %d, want 7", backlog)
	}
	if got := strings.Join(controlled, ", "); got != "tcp4 127.0.0.1:0" {
		t.Errorf("Control was called for %q", got)
	}
	addr, err := acceptor.Addr(ctx, pid)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	c.send(t, "x\n")
	c.want(t, "echo: x")
	for name, o := range map[string]struct{ level, opt, want int }{
		"SO_KEEPALIVE":  {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		"TCP_KEEPIDLE":  {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 33},
		"TCP_KEEPINTVL": {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 4},
		"TCP_KEEPCNT":   {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 5},
		"TCP_NODELAY":   {unix.IPPROTO_TCP, unix.TCP_NODELAY, 0},
		"SO_RCVBUF":     {unix.SOL_SOCKET, unix.SO_RCVBUF, 40 << 10}, // the kernel doubles them
		"SO_SNDBUF":     {unix.SOL_SOCKET, unix.SO_SNDBUF, 60 << 10},
	} {
		if got, err := server.Call(ctx, h.guest(0), Option{o.level, o.opt}); err != nil || got != o.want {
			t.Errorf("%s is %d, %v; want %d", name, got, err, o.want)
		}
	}
}

func TestNoKeepAlive(t *testing.T) {
	h := &host{}
	ctx := processtest.Context(t)
	pid, err := acceptor.Start(ctx, acceptor.Spec{Address: "127.0.0.1:0", Protocol: h.protocol(), Socket: acceptor.Socket{NoKeepAlive: true}})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, pid)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	c.send(t, "x\n")
	c.want(t, "echo: x")
	if got, err := server.Call(ctx, h.guest(0), Option{unix.SOL_SOCKET, unix.SO_KEEPALIVE}); err != nil || got != 0 {
		t.Errorf("SO_KEEPALIVE is %d, %v; want 0", got, err)
	}
}

// What Control refuses is not bound.
func TestControlRefuses(t *testing.T) {
	for _, spec := range []acceptor.Spec{
		{Network: "tcp", Address: "127.0.0.1:0"},
		{Network: "tcp", Address: "127.0.0.1:0", Sockets: 2},
		{Network: "unix", Address: filepath.Join(t.TempDir(), "s"), Mode: 0o600},
	} {
		spec.Protocol = (&host{}).protocol()
		spec.Socket.Control = func(string, string, syscall.RawConn) error { return errBoom }
		_, err := acceptor.Start(processtest.Context(t), spec)
		if _, ok := errors.AsType[*acceptor.BindError](err); !ok || !errors.Is(err, errBoom) {
			t.Errorf("Start on %s: %v, want a BindError of %v", spec.Network, err, errBoom)
		}
	}
}

// Multipath is served like any other, whether the system has it or not.
func TestMultipath(t *testing.T) {
	_, _, addr := start(t, acceptor.Spec{Address: "127.0.0.1:0", Socket: acceptor.Socket{Multipath: true}})
	c := dial(t, addr)
	c.send(t, "x\n")
	c.want(t, "echo: x")
}
