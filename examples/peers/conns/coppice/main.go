// Coppice echoes with package acceptor, as a program would that is run by
// somebody: below a supervisor, with a limit, and with a tracer.
package main

import (
	"context"
	"io"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/examples/peers/conns/control"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
	"github.com/coppice-go/coppice/trace"
)

func main() { control.Main(serve) }

func serve(o control.Order) (string, func() error, error) {
	node := process.NewNode(process.NodeSpec{})
	ctx := node.Context()
	spec := acceptor.Spec{Name: "echo", Address: "127.0.0.1:0", Protocol: protocol, MaxConnections: 50_000}
	if o.TLS {
		spec.Transport = tlsconn.NewServer(tlsconn.Spec{Files: identity.Files{Cert: o.Cert, Key: o.Key}})
	}
	if _, err := trace.Start(ctx, trace.Options{Output: io.Discard, Form: trace.JSON}); err != nil {
		return "", nil, err
	}
	_, err := supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{
		{ID: "echo", Start: acceptor.StartFunc(spec)},
	}})
	if err != nil {
		return "", nil, err
	}
	addr, err := acceptor.Addr(ctx, process.Name("echo"))
	if err != nil {
		return "", nil, err
	}
	return addr.String(), func() error { return node.Stop(context.Background()) }, nil
}

type client struct{ conn *acceptor.Conn }

var protocol = acceptor.Protocol[client]{
	New:   func(_ context.Context, c *acceptor.Conn) (*client, error) { return &client{c}, nil },
	Split: split,
	Frame: func(_ context.Context, c *client, frame []byte) error {
		_, err := c.conn.Write(frame)
		return err
	},
}

func split(data []byte, _ bool) (int, []byte, error) {
	if len(data) < control.Size {
		return 0, nil, nil
	}
	return control.Size, data[:control.Size], nil
}
