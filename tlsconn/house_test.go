package tlsconn_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/tlsconn"
)

// A house is a node with a listener, as a program has it: TLS is the listener's
// Transport, and behind it is an echo.
type house struct {
	*testing.T
	ctx      context.Context
	rec      *processtest.Recorder
	server   *tlsconn.Server
	listener process.PID
	addr     net.Addr

	bound  int                // how often a socket was opened
	opened chan *tlsconn.Conn // connections that were established
	ended  chan error         // the reasons of connections, as Terminate is told
	pipes  chan net.Conn      // where the listener is no socket
}

// A guest is one connection behind the listener.
type guest struct{ conn *acceptor.Conn }

// build makes a house, on a node of its own, of which the listener is not started.
func build(t *testing.T, spec tlsconn.Spec) *house {
	rec := &processtest.Recorder{Kinds: reports | process.Exited | process.Spawned}
	h := buildOn(t, processtest.Node(t, process.NodeSpec{Probe: rec}), spec)
	h.rec = rec
	return h
}

func buildOn(t *testing.T, ctx context.Context, spec tlsconn.Spec) *house {
	return &house{T: t, ctx: ctx, server: tlsconn.NewServer(spec), opened: make(chan *tlsconn.Conn, 16), ended: make(chan error, 16)}
}

// open starts the listener at 127.0.0.1.
func (h *house) open() error {
	return h.start(func(_ context.Context, network, address string) (net.Listener, error) {
		return net.Listen(network, address)
	})
}

// openInBubble starts it where there are no sockets.
func (h *house) openInBubble() error {
	h.pipes = make(chan net.Conn)
	return h.start(func(context.Context, string, string) (net.Listener, error) {
		return &pipes{in: h.pipes, closed: make(chan struct{})}, nil
	})
}

func (h *house) start(bind func(context.Context, string, string) (net.Listener, error)) (err error) {
	h.listener, err = acceptor.Start(h.ctx, acceptor.Spec{
		Address: "127.0.0.1:0", Transport: h.server, Acceptors: 1,
		Bind: func(ctx context.Context, network, address string) (net.Listener, error) {
			h.bound++
			return bind(ctx, network, address)
		},
		Protocol: acceptor.Protocol[guest]{
			New:   func(_ context.Context, c *acceptor.Conn) (*guest, error) { return &guest{c}, nil },
			Open:  func(_ context.Context, g *guest) error { h.opened <- g.conn.NetConn().(*tlsconn.Conn); return nil },
			Split: bufio.ScanBytes,
			Frame: func(_ context.Context, g *guest, b []byte) error {
				_, err := g.conn.Write(b)
				return err
			},
			Terminate: func(_ context.Context, _ *guest, reason error) error { h.ended <- reason; return nil },
		},
	})
	if err != nil {
		return err
	}
	h.addr, err = acceptor.Addr(h.ctx, h.listener)
	return err
}

// dial connects a client.
func (h *house) dial() net.Conn {
	h.Helper()
	if h.pipes != nil {
		ours, theirs := net.Pipe()
		h.pipes <- theirs
		h.Cleanup(func() { ours.Close() })
		return ours
	}
	c, err := net.Dial("tcp", h.addr.String())
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { c.Close() })
	return c
}

func (h *house) node() *process.Node {
	h.Helper()
	n, err := process.NodeOf(h.ctx)
	if err != nil {
		h.Fatal(err)
	}
	return n
}

// info is what the listener counted, once its connections are gone.
func (h *house) info() acceptor.Info {
	h.Helper()
	err := acceptor.WaitForConnections(h.ctx, h.listener, "==", 0)
	info, err2 := acceptor.GetInfo(h.ctx, h.listener)
	if err := errors.Join(err, err2); err != nil {
		h.Fatal(err)
	}
	return info
}

// connection waits for the end of the one TLS connection that there was, and
// returns its process.
func (h *house) connection() (found process.PID) {
	h.Helper()
	for _, e := range h.rec.Events(process.Spawned) {
		if e.PID.Path() == "tls" && found.IsZero() {
			found = e.PID
		} else if e.PID.Path() == "tls" {
			h.Error("there were several connections")
		}
	}
	if _, err := process.Wait(h.ctx, found); err != nil {
		h.Fatal(err)
	}
	return found
}

// pipes is a listener without a socket.
type pipes struct {
	in     <-chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.in:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }
