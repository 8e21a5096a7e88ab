package httpd

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
)

// Serve makes the Protocol of an acceptor.Spec of an http.Server, which newServer
// makes: anew at each start, and after a drain, for one that was shut down does
// not serve again. Its Addr is not used. BaseContext, ConnContext and ConnState
// are called as ever, with a ctx that acts for the connection where there is one.
func Serve(newServer func() *http.Server) acceptor.Service {
	if newServer == nil {
		return acceptor.Service{} // refused when the listener starts
	}
	return acceptor.Service{
		PeerFirst: true,
		Serve: func(ctx context.Context, ln net.Listener) error {
			srv := newServer()
			if srv == nil {
				return errors.New("httpd: the function that makes the server returned none")
			}
			return serve(ctx, ln, srv)
		},
	}
}

// serve serves until ctx is done, and then until the last request is.
func serve(ctx context.Context, ln net.Listener, srv *http.Server) error {
	// Requests end with their connections, not with us: so they live on while
	// we drain, and hijacked ones even after that.
	base := context.WithoutCancel(process.Uninterrupted(ctx))
	srv.BaseContext = basedOn(base, srv.BaseContext)
	srv.ConnContext = connected(srv.ConnContext)
	if srv.ErrorLog == nil {
		srv.ErrorLog = errorLog(base)
	}
	open := watch(srv)
	begun := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(begun)
		beginShutdown(srv)
	})
	err := run(srv, ln)
	if stop() { // nobody told it to
		return errors.Join(err, srv.Close())
	}
	<-begun
	if !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, srv.Close())
	}
	defer time.AfterFunc(headerTime, open.closeNew).Stop()
	select {
	case <-open.none():
		return nil
	case <-process.Uninterrupted(ctx).Done(): // its time is over
		return errors.Join(process.ErrKilled, srv.Close())
	}
}

func run(srv *http.Server, ln net.Listener) error {
	if srv.TLSConfig != nil {
		return srv.ServeTLS(ln, "", "")
	}
	return srv.Serve(ln)
}

// headerTime is how long a client has for the rest of its first request's header
// once the server drains; net/http gives it as much.
const headerTime = 5 * time.Second

// beginShutdown has the server close its idle connections, and the others as soon
// as their requests are done. http.Server.Shutdown would also wait for them, by
// looking every half a second; with a ctx that is done it does not.
func beginShutdown(srv *http.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	// It says that ctx is done, or that nothing is left; the listener's Close,
	// which is ours, does not fail.
	_ = srv.Shutdown(ctx)
}

// basedOn gives requests base, with the values of whatever the server had meant
// for them.
func basedOn(base context.Context, own func(net.Listener) context.Context) func(net.Listener) context.Context {
	if own == nil {
		return func(net.Listener) context.Context { return base }
	}
	return func(ln net.Listener) context.Context {
		ctx, err := process.Acting(&both{own(ln), base}, base)
		if err != nil {
			panic(err) // base is a process's: it cannot be without a node
		}
		return ctx
	}
}

// both is a ctx with the values of another one besides.
type both struct {
	context.Context
	more context.Context
}

func (c *both) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.more.Value(key)
}

// connected has the ctx of requests act for their connection.
func connected(own func(context.Context, net.Conn) context.Context) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, c net.Conn) context.Context {
		ctx = acceptor.ConnContext(ctx, c)
		if own != nil {
			ctx = own(ctx, c)
		}
		return ctx
	}
}
