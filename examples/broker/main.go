// Command broker is an MQTT 3.1.1 broker: QoS 0 and 1, retained messages, wills,
// sessions that are kept, takeover of a session, keep-alive. It shows how a program
// of several applications starts, survives crashes, and stops without one.
//
//	go run ./examples/broker [-tcp address] [-drain prep_stop|stop]
//		[-tls address] [-cert file -key file] [-ca file] [-client-ca file]
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
// With -tls there is a second listener, mqtts. Its files are looked at before anything is
// bound, and again every ten seconds: put others in their place, and clients that come
// from then on see these.
//
// With -drain=stop the broker closes its listener after its own processes have ended,
// a mistake made by many: see newBroker.
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
	flag.StringVar(&o.tcp, "tcp", "127.0.0.1:1883", "`address` to listen on; port 0 takes a free one; \"\": not")
	flag.StringVar(&o.tls, "tls", "", "`address` to listen on with TLS, as in 127.0.0.1:8883; \"\": not")
	flag.StringVar(&o.cert, "cert", "", "`file` of the certificate for TLS, with -key; none: "+ownCert+" and "+ownKey+", made at the first start")
	flag.StringVar(&o.key, "key", "", "`file` of the certificate's key")
	flag.StringVar(&o.ca, "ca", "", "`file` of the authority that issued it, if the system does not know that")
	flag.StringVar(&o.clientCA, "client-ca", "", "`file` of the authorities whose clients are let in by TLS; none: everybody is")
	flag.StringVar(&o.drain, "drain", "prep_stop", "when to close the listeners: `prep_stop`, or stop to see what goes wrong")
	flag.Parse()
	if err := o.check(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "broker:", err)
		os.Exit(2)
	}
	// The listener would say the same and not start, and so would everything above it.
	// Who mistypes the name of a file should not have to read it from each of them.
	if err := o.preflight(time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "broker:", err)
		os.Exit(1)
	}
	application.Main(newBroker(o))
}

// check finds what the flags cannot mean.
func (o options) check(args []string) error {
	switch {
	case len(args) > 0:
		return fmt.Errorf("want no arguments, got %q", args)
	case o.drain != "prep_stop" && o.drain != "stop":
		return fmt.Errorf("want -drain=prep_stop or -drain=stop, got -drain=%s", o.drain)
	case o.tcp == "" && o.tls == "":
		return errors.New("nowhere to listen: give -tcp or -tls an address")
	case o.tls == "" && (o.cert != "" || o.key != "" || o.ca != "" || o.clientCA != ""):
		return errors.New("-cert, -key, -ca and -client-ca are for TLS: give -tls an address, as in -tls 127.0.0.1:8883")
	case (o.cert == "") != (o.key == ""):
		return errors.New("-cert and -key go together: give both, or neither")
	}
	return nil
}
