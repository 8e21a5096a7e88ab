// Command grpc is a gRPC service over TLS: a number that many add to, and watch (see
// counter/counter.proto). It shows what supervision gives to a server that brings
// goroutines of its own.
//
//	go run ./examples/grpc [-addr address] [-cert file -key file] [-ca file]
//		[-client-ca file] [-delay time]
//
// Each line below is a supervisor or a process; arrows are calls.
//
//	grpc
//	├── total: the number, and who waits for the next one      ◁───────┐
//	├── calls (dynamic) ── a process for each call that is under way ──┘
//	└── rpc: listener                                              △
//	    ├── connections ── a process for each client ──────────────┘
//	    ├── transport: TLS; looks at the certificate again and again
//	    ├── service: the grpc.Server
//	    └── port: accepts
//
// A panic in a handler would end a program that uses gRPC alone. Here it ends the
// process of that call: the client is told, the log says where it was, and the other
// calls on the same connection go on. Killing the process of a connection closes it.
//
// At the stop the health service says that we are not serving, while we still are;
// after -delay the port is closed, clients are told to go elsewhere, watchers are sent
// away, and calls under way are finished.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/coppice-go/coppice/application"
)

func main() {
	o := options{out: os.Stdout}
	flag.StringVar(&o.addr, "addr", "127.0.0.1:9443", "`address` to listen on; port 0 takes a free one")
	flag.StringVar(&o.cert, "cert", "", "`file` of the certificate, with -key; none: "+ownCert+" and "+ownKey+", made at the first start")
	flag.StringVar(&o.key, "key", "", "`file` of the certificate's key")
	flag.StringVar(&o.ca, "ca", "", "`file` of the authority that issued it, if the system does not know that")
	flag.StringVar(&o.clientCA, "client-ca", "", "`file` of the authorities whose clients are let in; none: everybody is")
	flag.DurationVar(&o.delay, "delay", 2*time.Second, "how long to serve on after the health service has said no")
	flag.Parse()
	if err := o.check(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "grpc:", err)
		os.Exit(2)
	}
	if err := o.prepare(time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "grpc:", err)
		os.Exit(1)
	}
	application.Main(newCounter(o))
}

// check finds what the flags cannot mean.
func (o *options) check(args []string) error {
	switch {
	case len(args) > 0:
		return fmt.Errorf("want no arguments, got %q", args)
	case (o.cert == "") != (o.key == ""):
		return errors.New("-cert and -key go together: give both, or neither")
	case o.delay < 0:
		return fmt.Errorf("-delay is %v: want 0 or more", o.delay)
	}
	return nil
}
