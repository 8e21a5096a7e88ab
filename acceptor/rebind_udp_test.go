package acceptor_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
)

// wantTalk wants the peer's process to be reached, and to reach it, from a socket.
func (t *test) wantTalk(a *swimmer, l *lake, at string) {
	t.Helper()
	synctest.Wait()
	if err := server.Cast(t.ctx, t.host.guest(0), Deliver{"x"}); err != nil {
		t.Fatal(err)
	}
	a.want(t.T, "news: x\n")
	a.send("y")
	a.want(t.T, "echo: y\n")
	t.wantOpen(1)
	i := t.info()
	if got := l.current().at; got != at || i.Addr.String() != at || len(i.Sockets) != 1 || i.Sockets[0].String() != at {
		t.Errorf("it is at %s, and says %v %v; want %s", got, i.Addr, i.Sockets, at)
	}
	select {
	case <-l.current().closed:
		t.Error("the socket is closed")
	default:
	}
}

// The peers of a UDP listener move with it; if it cannot, they stay.
func TestUDPRebind(t *testing.T) {
	onLake(t, nil, func(t *test, l *lake) {
		a := l.swimmer("192.0.2.1:5")
		a.send("x")
		a.want(t.T, "echo: x\n")
		old := l.current()
		if err := t.rebind("lake:2", func(b *acceptor.Binding) { b.Acceptors = 3 }); err != nil {
			t.Fatal(err)
		}
		t.wantTalk(a, l, "lake:2")
		<-old.closed
		if p, err := acceptor.Procs(t.ctx, t.pid); err != nil || len(p.Acceptors) != 3 {
			t.Errorf("%d acceptors, %v; want 3", len(p.Acceptors), err)
		}

		l.errs = []error{errBoom}
		t.wantFailed(t.rebind("lake:3", nil), errBoom)
		t.wantTalk(a, l, "lake:2")
		if l.bound != 3 {
			t.Errorf("bound %d times: the old socket should not be touched", l.bound)
		}
		l.errs = []error{syscall.EADDRINUSE, syscall.EADDRINUSE}
		t.wantFailed(t.rebind("lake:3", nil), syscall.EADDRINUSE)
		t.wantTalk(a, l, "lake:2")
		if l.bound != 6 {
			t.Errorf("bound %d times, want 3 more", l.bound)
		}

		if err := acceptor.Suspend(t.ctx, t.pid); err != nil {
			t.Fatal(err)
		}
		if err := t.rebind("lake:4", nil); err != nil {
			t.Fatal(err)
		}
		t.wantTalk(a, l, "lake:2")
		l.errs = []error{errBoom}
		err := acceptor.Resume(t.ctx, t.pid)
		if failed, ok := errors.AsType[*acceptor.RebindError](err); !ok || !failed.Suspended || !errors.Is(err, errBoom) {
			t.Errorf("Resume: %v, want %v", err, errBoom)
		}
		t.wantTalk(a, l, "lake:2")
		if i := t.info(); !i.Suspended || i.Pending {
			t.Errorf("suspended %v, pending %v", i.Suspended, i.Pending)
		}
		if err := t.rebind("lake:4", nil); err != nil {
			t.Fatal(err)
		}
		if err := acceptor.Resume(t.ctx, t.pid); err != nil {
			t.Fatal(err)
		}
		t.wantTalk(a, l, "lake:4")
		if i := t.info(); i.Suspended || i.Pending {
			t.Errorf("suspended %v, pending %v", i.Suspended, i.Pending)
		}
		process.Kill(t.ctx, t.child("lake/port"))
		t.wantTalk(a, l, "lake:4")

		boom := errors.New("worse")
		l.errs = []error{syscall.EADDRINUSE, errBoom, boom}
		err = t.rebind("lake:5", nil)
		if failed, ok := errors.AsType[*acceptor.RebindError](err); !ok || failed.Err != errBoom || failed.Back != boom {
			t.Errorf("Rebind: %v, want both errors", err)
		}
		t.wantTalk(a, l, "lake:4") // its own restart has brought it back
	})
}

// On real sockets: to another port, and to the same one with other buffers.
func TestUDPRebindReal(t *testing.T) {
	ctx := processtest.Context(t)
	pid, err := acceptor.Start(ctx, acceptor.Spec{Network: "udp", Address: "127.0.0.1:0", Protocol: datagramProtocol()})
	if err != nil {
		t.Fatal(err)
	}
	talk := func() net.Addr {
		t.Helper()
		addr, err := acceptor.Addr(ctx, pid)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("udp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(c, "x")
		buf := make([]byte, 100)
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "echo: x\n" {
			t.Fatalf("got %q (%v)", buf[:n], err)
		}
		return addr
	}
	first := talk()
	if err := acceptor.Rebind(ctx, pid, func(b *acceptor.Binding) { b.Socket.ReadBuffer = 1 << 16 }); err != nil {
		t.Fatal(err)
	}
	if again := talk(); again.String() != first.String() {
		t.Errorf("it is at %v now, and was at %v", again, first)
	}
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	move := func(to net.Addr) error {
		return acceptor.Rebind(ctx, pid, func(b *acceptor.Binding) { b.Address = to.String() })
	}
	if err := move(taken.LocalAddr()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("to a port that is taken: %v", err)
	}
	if again := talk(); again.String() != first.String() {
		t.Errorf("it is at %v now, and was at %v", again, first)
	}
	port := first.(*net.UDPAddr).Port
	if err := move(&net.UDPAddr{Port: port}); err != nil { // where the old socket is in the way
		t.Errorf("to all interfaces: %v", err)
	}
	if again := talk(); again.(*net.UDPAddr).Port != port {
		t.Errorf("it is at %v now, and was at %v", again, first)
	}
	if err := acceptor.Rebind(ctx, pid, func(b *acceptor.Binding) { b.Listening = func(context.Context, []net.Listener) error { return nil } }); err == nil {
		t.Error("Listening was taken on UDP")
	}
}
