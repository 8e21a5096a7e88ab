package tlsconn_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A server and a client on one node. The certificate signed itself, so that the
// client trusts just that one.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	files := identity.Files{Cert: filepath.Join(dir, "server.crt"), Key: filepath.Join(dir, "server.key"), Names: []string{"localhost"}}
	if _, err := identity.EnsureSelfSigned(files, 24*time.Hour, time.Now()); err != nil {
		fmt.Println(err)
		return
	}

	n := process.NewNode(process.NodeSpec{})
	ctx := n.Context()
	defer n.Stop(context.Background())
	s := tlsconn.NewServer(tlsconn.Spec{Files: files})
	if _, err := s.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	ours, theirs := net.Pipe() // a listener would have accepted it
	if _, err := process.Go(ctx, func(ctx context.Context) error {
		c, err := s.Handshake(ctx, theirs, process.Self(ctx))
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("hello"))
		return err
	}); err != nil {
		fmt.Println(err)
		return
	}

	c, err := tlsconn.Dial(ctx, tlsconn.ClientSpec{
		Address: "localhost:8883",
		Files:   identity.Files{ServerCA: files.Cert, Waive: []identity.Check{identity.NotACA}}, // that one, not an authority
		Dialer:  func(context.Context, string, string) (net.Conn, error) { return ours, nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	b := make([]byte, 5)
	_, err = c.Read(b)
	fmt.Printf("%s %v\n", b, err)
	_, err = c.Read(b)
	fmt.Println(err)
	who, _ := c.Peer()
	fmt.Println(who.Subject, c.State())
	// Output:
	// hello <nil>
	// EOF
	// CN=localhost closing
}

// A server whose files are not good does not start, and says what to do.
func ExampleServer_Start() {
	n := process.NewNode(process.NodeSpec{})
	defer n.Stop(context.Background())
	s := tlsconn.NewServer(tlsconn.Spec{Name: "mqtts", Files: identity.Files{Cert: "/nowhere/server.crt", Key: "/nowhere/server.key"}})
	_, err := s.Start(n.Context())
	bad, _ := errors.AsType[*identity.Error](err)
	for _, f := range bad.Flaws {
		fmt.Println(f.Field, f.File, f.Check)
	}
	// Output:
	// Cert /nowhere/server.crt missing
	// Key /nowhere/server.key missing
}

// What a connection failed of is an error with a class.
func ExampleFault() {
	n := process.NewNode(process.NodeSpec{Probe: &processtest.Recorder{}}) // no reports in the output
	defer n.Stop(context.Background())
	_, err := tlsconn.Dial(n.Context(), tlsconn.ClientSpec{
		Name:    "db",
		Address: "db.example.com:5432",
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { // what answers is no TLS server
				theirs.Read(make([]byte, 4096))
				theirs.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			}()
			return ours, nil
		},
	})
	f, _ := errors.AsType[*tlsconn.Fault](err)
	fmt.Println(f.Class, f.Stage, f.Blame)
	fmt.Println(err)
	// Output:
	// server_not_tls negotiating peer
	// tlsconn: server_not_tls in state negotiating, endpoint db, remote pipe, sni db.example.com: tls: first record does not look like a TLS handshake
}

// The table of a connection, as Mermaid draws it.
func ExampleMermaid() {
	fmt.Print(tlsconn.Mermaid())
	// Output:
	// stateDiagram-v2
	//     [*] --> s0
	//     [*] --> s1
	//     s0 --> s2
	//     s1 --> s0
	//     s2 --> s3
	//     s3 --> s4
	//     s4 --> [*]
	//     s0 : hello
	//     s1 : dialing
	//     s2 : negotiating
	//     s3 : established
	//     s4 : closing
}
