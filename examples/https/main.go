// Command https is a web service over TLS, with HTTP/1.1 and HTTP/2. It shows how an
// http.Server becomes a tree of processes, how it changes its certificate while it
// runs, and how it takes leave of its clients.
//
//	go run ./examples/https [-addr address] [-cert file -key file] [-ca file]
//		[-client-ca file] [-reload time] [-delay time]
//
// Each line below is a supervisor or a process; the arrow is a call.
//
//	https
//	├── visits: how many there were                          ◁────────────┐
//	└── web: listener                                                     │
//	    ├── connections ── a process for each client: requests act for it ┘
//	    ├── transport: TLS; looks at the certificate again and again
//	    ├── service: the http.Server
//	    └── port: accepts
//
// The certificate is judged before the port is open: one that clients would refuse
// keeps the program from starting, and the error says which file it is and what to do
// about it. While the program runs the files may be replaced. What is good is served
// from then on, to those who come; what is not raises an alarm, and what was served
// still is. Without -cert and -key the program makes a pair at its first start, and
// clients have to be told to trust that.
//
// With -client-ca clients need a certificate themselves, and are called by the name
// in it.
//
// The stop has four steps, which is what load balancers need: /readyz says no, while
// everybody is still served; after -delay the port is closed; requests in hand are
// finished; then the rest stops.
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
	flag.StringVar(&o.addr, "addr", "127.0.0.1:8443", "`address` to listen on; port 0 takes a free one")
	flag.StringVar(&o.cert, "cert", "", "`file` of the certificate, with -key; none: "+ownCert+" and "+ownKey+", made at the first start")
	flag.StringVar(&o.key, "key", "", "`file` of the certificate's key")
	flag.StringVar(&o.ca, "ca", "", "`file` of the authority that issued it, if the system does not know that")
	flag.StringVar(&o.clientCA, "client-ca", "", "`file` of the authorities whose clients are let in; none: everybody is")
	flag.DurationVar(&o.reload, "reload", 10*time.Second, "how often to look at these files")
	flag.DurationVar(&o.delay, "delay", 2*time.Second, "how long to serve on after /readyz has said no")
	flag.Parse()
	if err := o.check(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "https:", err)
		os.Exit(2)
	}
	if err := o.prepare(time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "https:", err)
		os.Exit(1)
	}
	application.Main(newWeb(o))
}

// check finds what the flags cannot mean.
func (o *options) check(args []string) error {
	switch {
	case len(args) > 0:
		return fmt.Errorf("want no arguments, got %q", args)
	case (o.cert == "") != (o.key == ""):
		return errors.New("-cert and -key go together: give both, or neither")
	case o.reload <= 0 || o.delay < 0:
		return fmt.Errorf("-reload=%v and -delay=%v are times; only the second may be 0", o.reload, o.delay)
	}
	return nil
}
