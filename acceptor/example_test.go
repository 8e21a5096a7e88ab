package acceptor_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/supervisor/child"
)

// A chatter is one connection of a chat.
type chatter struct{ conn *acceptor.Conn }

func newChatter(_ context.Context, c *acceptor.Conn) (*chatter, error) { return &chatter{c}, nil }

// Say is sent by other processes.
type Say struct{ Text string }

func (m Say) Handle(_ context.Context, c *chatter) error {
	_, err := fmt.Fprintln(c.conn, m.Text)
	return err
}

func Example() {
	node := process.NewNode(process.NodeSpec{Name: "example"})
	ctx := node.Context()
	defer node.Stop(ctx)

	_, err := acceptor.Start(ctx, acceptor.Spec{
		Name:    "chat",
		Address: "127.0.0.1:0",
		Protocol: acceptor.Protocol[chatter]{
			New:   newChatter,
			Split: bufio.ScanLines,
			Frame: func(ctx context.Context, c *chatter, line []byte) error {
				_, err := fmt.Fprintf(c.conn, "you said %s\n", line)
				return err
			},
			Drain: func(ctx context.Context, c *chatter) error {
				if _, err := fmt.Fprintln(c.conn, "closing"); err != nil {
					return err
				}
				return server.Stop(nil)
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, process.Name("chat"))
	if err != nil {
		log.Fatal(err)
	}

	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewScanner(c)
	fmt.Fprintln(c, "hello")
	in.Scan()
	fmt.Println(in.Text())

	fmt.Println(acceptor.Drain(ctx, process.Name("chat"), time.Second))
	in.Scan()
	fmt.Println(in.Text())
	// Output:
	// you said hello
	// <nil>
	// closing
}

// Anything with a Serve(net.Listener) runs on a listener, here a clock.
func ExampleService() {
	node := process.NewNode(process.NodeSpec{Name: "example"})
	ctx := node.Context()
	defer node.Stop(ctx)

	serve := func(ctx context.Context, ln net.Listener) error {
		stop := context.AfterFunc(ctx, func() { ln.Close() })
		defer stop()
		for {
			c, err := ln.Accept()
			if err != nil {
				return nil // closed: it is time
			}
			fmt.Fprintln(c, "it is late")
			c.Close()
		}
	}
	_, err := acceptor.Start(ctx, acceptor.Spec{
		Name: "clock", Address: "127.0.0.1:0",
		Protocol: acceptor.Service{Serve: serve},
	})
	if err != nil {
		log.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, process.Name("clock"))
	if err != nil {
		log.Fatal(err)
	}
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewScanner(c)
	in.Scan()
	fmt.Println(in.Text())
	fmt.Println(acceptor.Drain(ctx, process.Name("clock"), time.Second))
	// Output:
	// it is late
	// <nil>
}

// A connection with a helper of its own, which writes to it too.
func ExampleSubtree() {
	node := process.NewNode(process.NodeSpec{Name: "example"})
	ctx := node.Context()
	defer node.Stop(ctx)

	tree := func(_ context.Context, c *acceptor.Conn) (supervisor.Spec, error) {
		beat := func(context.Context) error { _, err := fmt.Fprintln(c, "still here"); return err }
		return supervisor.Spec{Children: []supervisor.Child{
			{ID: "heartbeat", Start: child.Ticker(10*time.Millisecond, beat)},
			acceptor.Speaker(c, acceptor.Protocol[chatter]{
				New:   newChatter,
				Split: bufio.ScanLines,
				Frame: func(context.Context, *chatter, []byte) error { return server.Stop(nil) }, // one word, and it ends
			}),
		}}, nil
	}
	_, err := acceptor.Start(ctx, acceptor.Spec{Name: "beats", Address: "127.0.0.1:0", Protocol: acceptor.Subtree{Tree: tree}})
	if err != nil {
		log.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, process.Name("beats"))
	if err != nil {
		log.Fatal(err)
	}
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewScanner(c)
	in.Scan()
	fmt.Println(in.Text())
	fmt.Fprintln(c, "enough")
	for in.Scan() { // to the end
	}
	fmt.Println(in.Err())
	// Output:
	// still here
	// <nil>
}

// A process for each peer that sends datagrams.
func Example_udp() {
	node := process.NewNode(process.NodeSpec{Name: "example"})
	ctx := node.Context()
	defer node.Stop(ctx)

	type counter struct {
		conn *acceptor.Conn
		n    int
	}
	_, err := acceptor.Start(ctx, acceptor.Spec{
		Name: "count", Network: "udp", Address: "127.0.0.1:0",
		Protocol: acceptor.Protocol[counter]{
			New: func(_ context.Context, c *acceptor.Conn) (*counter, error) { return &counter{conn: c}, nil },
			Frame: func(_ context.Context, c *counter, datagram []byte) error {
				c.n++
				_, err := fmt.Fprintf(c.conn, "%s is the %d. of you", datagram, c.n)
				return err
			},
		},
		MaxConnections: 1000,
	})
	if err != nil {
		log.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, process.Name("count"))
	if err != nil {
		log.Fatal(err)
	}
	c, err := net.Dial("udp", addr.String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 100)
	for _, text := range []string{"hello", "hello again"} {
		fmt.Fprint(c, text)
		n, err := c.Read(buf)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", buf[:n])
	}
	// Output:
	// hello is the 1. of you
	// hello again is the 2. of you
}
