package acceptor_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
)

// On real sockets: what can be changed in place loses nobody, not even who waits in
// the queue; an address moves; what is in the way is told from what is another's.
func TestRebindReal(t *testing.T) {
	ctx, pid, addr := start(t, acceptor.Spec{Address: "127.0.0.1:0"})
	first := dial(t, addr)
	talk := func(c *client) {
		t.Helper()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		c.send(t, "x\n")
		c.want(t, "echo: x")
	}
	at := func() net.Addr {
		t.Helper()
		addr, err := acceptor.Addr(ctx, pid)
		if err != nil {
			t.Fatal(err)
		}
		talk(dial(t, addr))
		talk(first)
		return addr
	}
	rebind := func(edit func(*acceptor.Binding)) {
		t.Helper()
		if err := acceptor.Rebind(ctx, pid, edit); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(addr string) {
		t.Helper()
		if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial %s: %v, want %v", addr, err, syscall.ECONNREFUSED)
		}
	}
	at()
	for range 10 {
		rebind(func(b *acceptor.Binding) { b.Socket.Backlog += 10; b.Socket.Delay = true })
		rebind(func(b *acceptor.Binding) { b.Transport = hosts{} })
		if got := at(); got.String() != addr.String() {
			t.Fatalf("it is at %v, and was at %v", got, addr)
		}
	}
	rebind(func(b *acceptor.Binding) { b.Socket.Backlog, b.Transport = 0, nil })
	rebind(func(b *acceptor.Binding) { b.Acceptors = 2 }) // at the same address: closed first
	if got := at(); got.String() != addr.String() {
		t.Errorf("it is at %v, and was at %v", got, addr)
	}

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = acceptor.Rebind(ctx, pid, func(b *acceptor.Binding) { b.Address = taken.Addr().String() })
	if failed, ok := errors.AsType[*acceptor.RebindError](err); !ok || failed.Back != nil || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("to a port that is taken: %v", err)
	}
	port := addr.(*net.TCPAddr).Port
	all := (&net.TCPAddr{Port: port}).String()
	rebind(func(b *acceptor.Binding) { b.Address = all }) // the old socket is in the way
	if got := at(); got.(*net.TCPAddr).Port != port {
		t.Errorf("it is at %v, want %s", got, all)
	}
	rebind(func(b *acceptor.Binding) { b.Address = "127.0.0.1:0" })
	moved := at()
	refused(addr.String())
	rebind(func(b *acceptor.Binding) { b.Sockets, b.Acceptors = 3, 6 })
	if got := at(); got.String() != moved.String() {
		t.Errorf("it is at %v, and was at %v", got, moved)
	}
	if i, err := acceptor.GetInfo(ctx, pid); err != nil || len(i.Sockets) != 3 && len(i.Sockets) != 1 {
		t.Errorf("it has the sockets %v, %v", i.Sockets, err)
	}

	path := filepath.Join(t.TempDir(), "socket")
	rebind(func(b *acceptor.Binding) {
		*b = acceptor.Binding{Network: "unix", Address: path, Mode: 0o600}
	})
	at()
	refused(moved.String())
	mode := func(want fs.FileMode) {
		t.Helper()
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("the socket file is %v, %v; want mode %v", info, err, want)
		}
	}
	mode(0o600)
	rebind(func(b *acceptor.Binding) { b.Mode = 0o640 })
	at()
	mode(0o640)
	err = acceptor.Rebind(ctx, pid, func(b *acceptor.Binding) { b.Mode, b.Listening = 0o666, refuse })
	if !errors.Is(err, errBoom) {
		t.Errorf("Rebind: %v, want %v", err, errBoom)
	}
	at()
	mode(0o640)
	err = acceptor.Rebind(ctx, pid, func(b *acceptor.Binding) { b.Address = filepath.Join(path, "x") })
	if _, ok := errors.AsType[*acceptor.BindError](err); !ok {
		t.Errorf("Rebind: %v, want a BindError", err)
	}
	at()
	rebind(func(b *acceptor.Binding) { *b = acceptor.Binding{Address: addr.String()} })
	at()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket file is there still: %v", err)
	}
	i, err := acceptor.GetInfo(ctx, pid)
	if err != nil || i.Refused != 0 || i.Starved != 0 || i.Ends["crashed"] != 0 {
		t.Errorf("%+v, %v", i, err)
	}
}

// hosts is a Transport without a process, that can be compared.
type hosts struct{}

func (hosts) Start(context.Context) (process.PID, error) { return process.PID{}, process.ErrIgnore }

func (hosts) Handshake(_ context.Context, raw net.Conn, _ process.PID) (net.Conn, error) {
	return raw, nil
}

func refuse(context.Context, []net.Listener) error { return errBoom }

// Under load: while the binding changes all the time in place, and to other
// addresses and back, every client that has connected is served.
func TestRebindUnderLoad(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(b *acceptor.Binding, i int)
		lost bool // who waits in the queue of a socket that is closed may be
	}{
		"in place": {edit: func(b *acceptor.Binding, i int) {
			b.Socket.Backlog, b.Transport = 100+i%100, []acceptor.Transport{nil, hosts{}}[i%2]
		}},
		"anew": {edit: func(b *acceptor.Binding, i int) { b.Acceptors = 1 + i%8 }, lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, pid, addr := start(t, acceptor.Spec{Address: "127.0.0.1:0"})
			var wg sync.WaitGroup
			done := make(chan struct{})
			var mu sync.Mutex
			served, failed := 0, 0
			for range 8 {
				wg.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
						}
						err := once(addr)
						mu.Lock()
						served++
						if err != nil {
							failed++
							if !c.lost {
								t.Error(err)
							}
						}
						mu.Unlock()
					}
				})
			}
			for i := range 100 {
				if err := acceptor.Rebind(ctx, pid, func(b *acceptor.Binding) { c.edit(b, i) }); err != nil {
					t.Error(err)
				}
				time.Sleep(2 * time.Millisecond)
			}
			close(done)
			wg.Wait()
			if err := acceptor.WaitForConnections(ctx, pid, "==", 0); err != nil {
				t.Error(err)
			}
			i, err := acceptor.GetInfo(ctx, pid)
			sum := i.Refused
			for _, n := range i.Ends {
				sum += n
			}
			// Those that were accepted were served: of the others we know nothing.
			if err != nil || i.Refused != 0 || i.Accepted != sum || i.Ends["closed"] < uint64(served-failed) || served-failed < 100 {
				t.Errorf("%d clients, %d were not served; %+v, %v", served, failed, i, err)
			}
		})
	}
}

// once connects, is served, and closes so that no port is used up.
func once(addr net.Addr) error {
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		return err
	}
	defer c.Close()
	if tcp, ok := c.(*net.TCPConn); ok {
		defer tcp.CloseWrite()
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte("x\n")); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 100))
	return err
}
