// Command udpecho sends back every datagram, with its number in front. It shows a
// process for each peer where the protocol has no connections.
//
//	go run ./examples/udpecho [-addr address] [-idle time] [-peers number]
//
// Each line below is a supervisor or a process.
//
//	udpecho
//	└── echo: listener
//	    ├── socket: UDP, one for all
//	    ├── connections ── a process for each peer: counts what it has sent
//	    └── port: reads, and brings each datagram to its peer's process
//
// The first datagram from an address starts its process; a while of silence ends it,
// and who comes back begins at 1. So does one whose process has crashed, which is what
// the datagram "crash" brings about: the log says where that was, and nobody else
// notices. Above -peers nobody new is served.
//
// When the program is stopped, everybody who is known gets a goodbye.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/coppice-go/coppice/application"
)

func main() {
	o := options{out: os.Stdout}
	flag.StringVar(&o.addr, "addr", "127.0.0.1:7007", "`address` to listen on; port 0 takes a free one")
	flag.DurationVar(&o.idle, "idle", time.Minute, "how long a peer may be silent before it is forgotten")
	flag.IntVar(&o.peers, "peers", 10_000, "how many peers there may be; 0: any number")
	flag.Parse()
	if flag.NArg() > 0 || o.idle <= 0 || o.peers < 0 {
		fmt.Fprintf(os.Stderr, "udpecho: want -idle above 0, -peers of 0 or more, and no arguments; got -idle=%v -peers=%d %q\n", o.idle, o.peers, flag.Args())
		os.Exit(2)
	}
	application.Main(newEcho(o))
}
