package main

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/supervisor/task"
	"github.com/coppice-go/coppice/tlsconn"
)

const (
	rpc            = process.Name("rpc")   // the listener
	calls          = process.Name("calls") // the supervisor of calls
	maxConnections = 10_000
	drainTime      = 30 * time.Second // for calls to be finished
)

// options are what the command line says.
type options struct {
	addr          string
	cert, key, ca string
	clientCA      string
	delay         time.Duration
	out           io.Writer          // where to say how to talk to the service
	more          func(*grpc.Server) // what is served besides; nil: nothing
}

// newCounter describes the application.
func newCounter(o options) *application.App {
	health := health.NewServer()
	drain := acceptor.DrainPlan{Listeners: []process.Target{rpc}, Delay: o.delay, Within: drainTime}
	return &application.App{
		Name:        "grpc",
		Start:       supervisor.StartFunc(o.tree(&service{health: health, more: o.more})),
		StartPhases: []application.Phase{{Name: "greet", Run: o.greet}},
		PrepStop: func(ctx context.Context) error {
			health.Shutdown()
			return drain.Run(ctx)
		},
		PrepStopTimeout: o.delay + drainTime + 5*time.Second,
	}
}

func (o *options) tree(s *service) supervisor.Spec {
	return supervisor.Spec{Children: []supervisor.Child{
		{ID: "total", Start: server.StartFunc(server.Spec[total]{Name: theTotal.Name(), Init: newTotal})},
		{ID: "calls", Start: supervisor.StartFunc(task.Supervisor(string(calls)))},
		{ID: "rpc", Start: acceptor.StartFunc(o.listener(s))},
	}}
}

func (o *options) listener(s *service) acceptor.Spec {
	return acceptor.Spec{
		Name:           string(rpc),
		Address:        o.addr,
		Protocol:       acceptor.Service{Serve: s.serve, PeerFirst: true},
		Transport:      tlsconn.NewServer(o.tls()),
		MaxConnections: maxConnections,
		Overflow:       acceptor.Refuse,
		Shutdown:       drainTime,
	}
}

func (o *options) tls() tlsconn.Spec {
	spec := tlsconn.Spec{
		Name:  string(rpc),
		Files: o.files(),
		ALPN:  []string{"h2"},
		// HTTP/2 says by itself where it ends, and clients leave without goodbye.
		SelfFraming: true,
	}
	if o.clientCA != "" {
		spec.ClientAuth = tlsconn.RequireClientCert
	}
	return spec
}

// greet says how to talk to the service, once somebody would answer.
func (o *options) greet(ctx context.Context) error {
	addr, err := acceptor.Addr(ctx, rpc)
	if err != nil {
		return err
	}
	text, err := o.greeting(addr)
	if err == nil {
		_, err = io.WriteString(o.out, text)
	}
	return err
}
