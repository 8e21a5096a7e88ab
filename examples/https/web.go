package main

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/acceptor/httpd"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/tlsconn"
)

const (
	web            = process.Name("web") // the listener
	maxConnections = 10_000
	headerTime     = 5 * time.Second  // for a client to say what it wants
	idleTime       = time.Minute      // for it to want something else
	drainTime      = 30 * time.Second // for requests in hand to be finished
)

// options are what the command line says.
type options struct {
	addr          string
	cert, key, ca string
	clientCA      string
	reload, delay time.Duration
	out           io.Writer // where to say how to talk to the service
}

// newWeb describes the application.
func newWeb(o options) *application.App {
	return &application.App{
		Name:        "https",
		Start:       supervisor.StartFunc(o.tree()),
		StartPhases: []application.Phase{{Name: "greet", Run: o.greet}},
		PrepStop: acceptor.DrainPlan{
			Listeners: []process.Target{web},
			Delay:     o.delay,
			Within:    drainTime,
		}.Run,
		PrepStopTimeout: o.delay + drainTime + 5*time.Second,
	}
}

func (o *options) tree() supervisor.Spec {
	return supervisor.Spec{Children: []supervisor.Child{
		{ID: "visits", Start: server.StartFunc(server.Spec[visits]{Name: theVisits.Name()})},
		{ID: "web", Start: acceptor.StartFunc(o.listener())},
	}}
}

func (o *options) listener() acceptor.Spec {
	return acceptor.Spec{
		Name:           string(web),
		Address:        o.addr,
		Protocol:       httpd.Serve(newServer),
		Transport:      tlsconn.NewServer(o.tls()),
		MaxConnections: maxConnections,
		Overflow:       acceptor.Refuse,
		Shutdown:       drainTime,
	}
}

func (o *options) tls() tlsconn.Spec {
	spec := tlsconn.Spec{
		Name:   string(web),
		Files:  o.files(),
		Reload: o.reload,
		ALPN:   []string{"h2", "http/1.1"},
		// HTTP says by itself where it ends, and many a client leaves without goodbye.
		SelfFraming: true,
	}
	if o.clientCA != "" {
		spec.ClientAuth = tlsconn.RequireClientCert
	}
	return spec
}

func newServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", hello)
	mux.HandleFunc("GET /slow", slow)
	mux.Handle("GET /readyz", httpd.Ready(web))
	return &http.Server{Handler: mux, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime}
}

// greet says how to talk to the service, once somebody would answer.
func (o *options) greet(ctx context.Context) error {
	addr, err := acceptor.Addr(ctx, web)
	if err != nil {
		return err
	}
	text, err := o.greeting(addr)
	if err == nil {
		_, err = io.WriteString(o.out, text)
	}
	return err
}
