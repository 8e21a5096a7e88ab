package main

import (
	"cmp"
	"context"
	"io"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

const (
	listener       = "mqtt"           // names of the broker's listeners: TCP,
	tlsListener    = "mqtts"          // and TLS
	connectTimeout = 10 * time.Second // for a client to introduce itself
	drainTime      = 10 * time.Second // for connections to finish what is under way
	maxBehind      = 1000             // messages that may wait to be written to a client
)

// options are what the command line says.
type options struct {
	tcp, tls  string    // addresses to listen on; "": not
	cert, key string    // files for TLS; "": a pair that is made at the first start
	ca        string    // file of those who issued cert; "": the system knows them, or cert has them
	clientCA  string    // file of those whose clients are let in by TLS; "": everybody is
	drain     string    // when to close the listeners: prep_stop or stop
	out       io.Writer // where to say how to talk to the broker
}

// newBroker describes the application broker. It needs Sockets, so it starts after
// it, and is stopped before it.
//
// That is the right order, and yet a trap. The connections live in Sockets, and they
// call the processes of the broker, which are gone first. So the broker takes leave
// of its clients while its own tree is still up, in PrepStop. In Stop it would be too
// late: every connection that has something to do meets a dead process, and crashes.
func newBroker(o options) *application.App {
	app := &application.App{
		Name:        "broker",
		Needs:       []*application.App{Sockets},
		Start:       supervisor.StartFunc(tree()),
		StartPhases: []application.Phase{{Name: "listen", Run: o.listen}},
	}
	if o.drain == "stop" {
		app.Stop = leave
	} else {
		app.PrepStop = leave
	}
	return app
}

// tree is in the order in which the processes need each other: the router cannot do
// without those before it. Should one of them crash, whatever comes after it is
// started anew, and asks it for what it has to know.
//
//	broker (rest for one)
//	├── sessions (dynamic) ── one process for each client: its subscriptions, its messages
//	├── retained: the last message of each topic
//	└── router: who gets what; an index of what the sessions know
func tree() supervisor.Spec {
	return supervisor.Spec{
		Strategy:  supervisor.RestForOne,
		Intensity: 10,
		Period:    time.Second,
		Children: []supervisor.Child{
			{ID: "sessions", Start: supervisor.StartFunc(sessionsTree())},
			{ID: "retained", Start: server.StartFunc(server.Spec[retained]{Name: theRetained.Name(), Init: newRetained})},
			{ID: "router", Start: server.StartFunc(server.Spec[router]{Name: theRouter.Name(), Init: newRouter})},
		},
	}
}

// listen lets clients in, once everything that they may ask for is there. TLS comes
// first: if its files are bad, nothing is ever bound.
func (o options) listen(ctx context.Context) error {
	var at addresses
	if o.tls != "" {
		files, err := o.ensureFiles(time.Now())
		if err != nil {
			return err
		}
		if at.tls, err = openListener(ctx, o.overTLS(files)); err != nil {
			return err
		}
		at.trust = cmp.Or(files.Roots, files.Cert)
	}
	if o.tcp != "" {
		var err error
		if at.tcp, err = openListener(ctx, overTCP(listener, o.tcp)); err != nil {
			return err
		}
	}
	return at.greet(o.out, o.clientCA != "")
}

func overTCP(name, address string) acceptor.Spec {
	return acceptor.Spec{
		Name:    name,
		Address: address,
		Protocol: acceptor.Protocol[conn]{
			New:      newConn,
			Split:    splitPacket,
			MaxFrame: maxPacket,
			Frame:    onPacket,
			Idle:     connectTimeout,
			Drain:    func(context.Context, *conn) error { return server.Stop(process.ErrShutdown) },
			// That of a session which has lost patience with a slow client.
			Exit:    func(_ context.Context, _ *conn, x process.ExitSignal) error { return x.Reason },
			Limit:   maxBehind,
			Inspect: func(c *conn) any { return c.client },
		},
	}
}

func leave(ctx context.Context) error { return closeListeners(ctx, drainTime, listener, tlsListener) }
