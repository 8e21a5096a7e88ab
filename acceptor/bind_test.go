package acceptor_test

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/supervisor"
)

// start starts a listener on the real network.
func start(t *testing.T, spec acceptor.Spec) (context.Context, process.PID, net.Addr) {
	t.Helper()
	ctx := processtest.Context(t)
	spec.Protocol = (&host{}).protocol()
	pid, err := acceptor.Start(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, pid)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, pid, addr
}

func dial(t *testing.T, addr net.Addr) *client {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{Conn: conn, in: bufio.NewReader(conn)}
}

func TestTCP(t *testing.T) {
	ctx, pid, addr := start(t, acceptor.Spec{Address: "127.0.0.1:0"})
	var cs []*client
	for range 50 {
		cs = append(cs, dial(t, addr))
	}
	for _, c := range cs {
		c.send(t, "x\n")
		c.want(t, "echo: x")
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
	c := dial(t, addr)
	c.send(t, "bye\n")
	c.wantEnd(t)
	cs[0].send(t, "y\n")
	cs[0].want(t, "echo: y")
}

// A listener that was killed is back on its port when its supervisor has started
// it again, though nobody has chosen the port.
func TestKilledKeepsItsPort(t *testing.T) {
	ctx := processtest.Context(t)
	sup, err := supervisor.Start(ctx, supervisor.Spec{Intensity: 100, Children: []supervisor.Child{{
		ID:    "tcp",
		Start: acceptor.StartFunc(acceptor.Spec{Name: "edge", Address: "127.0.0.1:0", Protocol: (&host{}).protocol()}),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := acceptor.Addr(ctx, process.Name("edge"))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		children, err := supervisor.WhichChildren(ctx, sup)
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Kill(ctx, children[0].PID); err != nil {
			t.Fatal(err)
		}
		if _, err := process.Wait(ctx, children[0].PID); err != nil {
			t.Fatal(err)
		}
		if _, err := supervisor.WhichChildren(ctx, sup); err != nil { // answered when it is up again
			t.Fatal(err)
		}
		if addr, err := acceptor.Addr(ctx, process.Name("edge")); err != nil || addr.String() != first.String() {
			t.Fatalf("it is on %v now (%v), and was on %v", addr, err, first)
		}
		c := dial(t, first)
		c.send(t, "x\n")
		c.want(t, "echo: x")
	}
}

func TestUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	ctx, pid, addr := start(t, acceptor.Spec{Network: "unix", Address: path, Mode: 0o600})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket file is %v, %v; want mode 0600", info, err)
	}
	c := dial(t, addr)
	c.send(t, "x\n")
	c.want(t, "echo: x")
	if err := acceptor.Suspend(ctx, pid); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Suspend the socket file is there: %v", err)
	}
	if err := acceptor.Resume(ctx, pid); err != nil {
		t.Fatal(err)
	}
	dial(t, addr).send(t, "x\n")
}

// The file that a dead program has left behind is no obstacle.
func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	_, _, addr := start(t, acceptor.Spec{Network: "unix", Address: path})
	c := dial(t, addr)
	c.send(t, "x\n")
	c.want(t, "echo: x")
}

// A listener that cannot be bound says where, why, and what to do.
func TestBindErrors(t *testing.T) {
	dir := t.TempDir()
	file, sock := filepath.Join(dir, "file"), filepath.Join(dir, "sock")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	unix, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	for name, c := range map[string]struct {
		network, address string
		want             error
		text             string
	}{
		"port in use":       {"tcp", tcp.Addr().String(), syscall.EADDRINUSE, "choose another port"},
		"not our address":   {"tcp", "192.0.2.1:0", syscall.EADDRNOTAVAIL, "ip addr"},
		"no port":           {"tcp", "127.0.0.1", nil, "host:port"},
		"socket in use":     {"unix", sock, syscall.EADDRINUSE, "stop the program"},
		"a file in the way": {"unix", file, nil, "no socket"},
		"no folder":         {"unix", filepath.Join(dir, "none", "s"), fs.ErrNotExist, "folder"},
		"path too long":     {"unix", filepath.Join(dir, strings.Repeat("x", 200)), syscall.EINVAL, "100 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := processtest.Context(t)
			_, err := acceptor.Start(ctx, acceptor.Spec{Network: c.network, Address: c.address, Protocol: (&host{}).protocol()})
			if _, ok := errors.AsType[*acceptor.BindError](err); !ok {
				t.Fatalf("Start: %v, want a BindError", err)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("Start: %v, want %v", err, c.want)
			}
			for _, text := range []string{c.address, c.text} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
		})
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file in the way is now %q, %v", b, err)
	}
}

func TestSpecFaults(t *testing.T) {
	ctx := processtest.Context(t)
	for name, c := range map[string]struct {
		spec acceptor.Spec
		want []string
	}{
		"nothing at all": {acceptor.Spec{}, []string{"Address is missing", "Protocol is missing"}},
		"network":        {acceptor.Spec{Network: "sctp", Address: ":0"}, []string{`Network is "sctp"`}},
		"descriptor":     {acceptor.Spec{Network: "fd", Address: "web"}, []string{`Address is "web"`}},
		"no descriptor":  {acceptor.Spec{Network: "fd"}, []string{"Address is missing: give the FileDescriptorName"}},
		"mode":           {acceptor.Spec{Mode: 0o600, Address: ":0"}, []string{"unix sockets"}},
		"odd mode":       {acceptor.Spec{Network: "unix", Mode: fs.ModeDir | 0o600, Address: "s"}, []string{"permissions only"}},
		"mode of a name": {acceptor.Spec{Network: "unix", Mode: 0o600, Address: "@s"}, []string{"use a path"}},
		"sockets":        {acceptor.Spec{Sockets: 3, Acceptors: 2}, []string{"Sockets is 3, but Acceptors is 2"}},
		"no sockets":     {acceptor.Spec{Sockets: -1}, []string{"Sockets is -1"}},
		"unix sockets":   {acceptor.Spec{Network: "unix", Sockets: 3}, []string{"do not share an address"}},
		"options": {acceptor.Spec{Socket: acceptor.Socket{Backlog: -1, ReadBuffer: -2, WriteBuffer: -3, KeepAlive: net.KeepAliveConfig{Count: 1}}},
			[]string{"Backlog is -1", "ReadBuffer is -2", "WriteBuffer is -3", "Enable is false"}},
		"more options": {acceptor.Spec{Network: "unix", Bind: newStreet().bind,
			Socket: acceptor.Socket{Backlog: 1, NoKeepAlive: true, KeepAlive: net.KeepAliveConfig{Enable: true}}},
			[]string{"both set", "are for TCP", "Bind does"}},
		"options of others": {acceptor.Spec{Network: "systemd", Socket: acceptor.Socket{Backlog: 1}}, []string{"Backlog= in the socket unit"}},
		"numbers": {acceptor.Spec{Acceptors: -1, MaxConnections: -1, Overflow: 7, HandshakeTimeout: -5},
			[]string{"Acceptors is -1", "MaxConnections is -1", "Overflow is 7", "HandshakeTimeout is"}},
		"protocol": {acceptor.Spec{Address: ":0", Protocol: acceptor.Protocol[guest]{MaxFrame: -1, Idle: -2, Limit: -1}},
			[]string{"New is missing", "Split is missing", "Frame is missing", "MaxFrame is -1", "Idle is", "Limit is -1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := acceptor.Start(ctx, c.spec)
			if err == nil {
				t.Fatal("it was started")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
		})
	}
}
