package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

const (
	echo      = process.Name("echo") // the listener
	drainTime = 5 * time.Second
)

// options are what the command line says.
type options struct {
	addr  string
	idle  time.Duration
	peers int
	out   io.Writer // where to say how to talk to the program
}

// newEcho describes the application.
func newEcho(o options) *application.App {
	return &application.App{
		Name: "udpecho",
		Start: supervisor.StartFunc(supervisor.Spec{Children: []supervisor.Child{
			{ID: "echo", Start: acceptor.StartFunc(o.listener())},
		}}),
		StartPhases: []application.Phase{{Name: "greet", Run: o.greet}},
		PrepStop:    acceptor.DrainPlan{Listeners: []process.Target{echo}, Within: drainTime}.Run,
	}
}

func (o *options) listener() acceptor.Spec {
	return acceptor.Spec{
		Name:    string(echo),
		Network: "udp",
		Address: o.addr,
		Protocol: acceptor.Protocol[peer]{
			New:   func(_ context.Context, c *acceptor.Conn) (*peer, error) { return &peer{conn: c}, nil },
			Frame: onDatagram,
			Drain: onDrain,
			Idle:  o.idle,
		},
		MaxConnections: o.peers,
		Overflow:       acceptor.Refuse,
	}
}

// A peer is one sender: an address, and what its process remembers of it.
type peer struct {
	conn *acceptor.Conn
	n    int // datagrams
}

func onDatagram(_ context.Context, p *peer, datagram []byte) error {
	if bytes.Equal(bytes.TrimSpace(datagram), []byte("crash")) {
		panic("a peer wants to see a crash")
	}
	p.n++
	_, err := fmt.Fprintf(p.conn, "%d %s", p.n, datagram)
	return err
}

func onDrain(_ context.Context, p *peer) error {
	if _, err := io.WriteString(p.conn, "goodbye\n"); err != nil {
		return err
	}
	return server.Stop(nil)
}

// greet says how to talk to the program, once somebody would answer.
func (o *options) greet(ctx context.Context) error {
	addr, err := acceptor.Addr(ctx, echo)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.out, `Datagrams come back from %[3]v. Try it from two other terminals, with a few lines each:

  nc -u %[1]s %[2]s

Ctrl-C stops it.
`, host, port, addr)
	return err
}
