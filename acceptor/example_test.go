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
