// Command broker is an MQTT 3.1.1 broker: QoS 0 and 1, retained messages, wills,
// sessions that are kept, takeover of a session, keep-alive. It shows how a program
// of several applications starts, survives crashes, and stops without one.
//
//	go run ./examples/broker [-tcp address] [-drain prep_stop|stop]
//
// Two applications share the work. Each line below is a supervisor or a process;
// arrows are calls, everything else is sent without waiting.
//
//	sockets                                broker, which needs sockets
//	└── mqtt: listener                     ├── sessions ── a session for each client
//	    └── a conn for each client ──────▷ ├── retained
//	                                       └── router ───▷ the two above
//
// A PUBLISH goes from its conn to the router, which sends it to the sessions that
// subscribed; these send it to their conns. What a session must not forget, it keeps
// until its client has acknowledged it.
//
// All is in memory, each thing with one process. So what a crash costs is this:
//
//   - a conn: its client's connection. The session publishes the will.
//   - a session: what it had for its client, and the client's connection. The client
//     comes back to a new session, and is told that it is new.
//   - the router: nothing that was acknowledged, and the connections of those who ask
//     for it at that moment. The next one asks the sessions what they subscribed to.
//   - retained: the retained messages. The router is started anew with it.
//   - a listener: its connections. It is back on its port at once.
//
// With -drain=stop the broker closes its listener after its own processes have ended,
// a mistake made by many: see newBroker.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/coppice-go/coppice/application"
)

func main() {
	o := options{out: os.Stdout}
	flag.StringVar(&o.tcp, "tcp", "127.0.0.1:1883", "`address` to listen on; port 0 takes a free one")
	flag.StringVar(&o.drain, "drain", "prep_stop", "when to close the listener: `prep_stop`, or stop to see what goes wrong")
	flag.Parse()
	if flag.NArg() > 0 || o.drain != "prep_stop" && o.drain != "stop" {
		fmt.Fprintf(os.Stderr, "broker: want -drain=prep_stop or -drain=stop, and no arguments; got -drain=%s %q\n", o.drain, flag.Args())
		os.Exit(2)
	}
	application.Main(newBroker(o))
}
