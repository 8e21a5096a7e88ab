package child

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/coppice-go/coppice/process"
)

// HTTP makes a supervisor.Child's Start of an HTTP server, which newServer
// makes. It listens on the server's Addr, as ListenAndServe does: a port that is
// taken is a failed start. If the server has a TLSConfig it serves TLS, with the
// certificates of that.
//
// The ctx of each request belongs to the child's process, so handlers can call
// servers and start processes with it. When the child is told to stop, the
// server stops accepting and the requests in hand are finished, their ctx still
// alive; when the child's Shutdown is over, they are cut off. Hijacked
// connections are not waited for, see http.Server.Shutdown.
func HTTP(newServer func() *http.Server) func(context.Context) (process.PID, error) {
	pc := process.CallerPC(1)
	return func(ctx context.Context) (process.PID, error) {
		srv := newServer()
		l, err := listen(ctx, srv)
		if err != nil {
			return process.PID{}, err
		}
		return startHTTP(ctx, srv, l, pc)
	}
}

// HTTPOn is [HTTP] on a listener of your own, made at each start too. The child
// closes it.
func HTTPOn(newListener func(context.Context) (net.Listener, error), newServer func() *http.Server) func(context.Context) (process.PID, error) {
	pc := process.CallerPC(1)
	return func(ctx context.Context) (process.PID, error) {
		l, err := newListener(ctx)
		if err != nil {
			return process.PID{}, err
		}
		return startHTTP(ctx, newServer(), l, pc)
	}
}

func listen(ctx context.Context, srv *http.Server) (net.Listener, error) {
	addr := srv.Addr
	if addr == "" {
		addr = ":http"
		if srv.TLSConfig != nil {
			addr = ":https"
		}
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}

func startHTTP(ctx context.Context, srv *http.Server, l net.Listener, pc uintptr) (process.PID, error) {
	pid, err := process.GoSpec(ctx, process.Spec{Caller: pc}, func(ctx context.Context) error { return serveHTTP(ctx, srv, l) })
	if err != nil {
		return pid, errors.Join(err, l.Close())
	}
	return pid, nil
}

// serveHTTP serves until ctx is done, and then drains.
func serveHTTP(ctx context.Context, srv *http.Server, l net.Listener) error {
	// Requests live on while the server drains; only a kill cuts them off.
	last := process.Uninterrupted(ctx)
	srv.BaseContext = basedOn(last, srv.BaseContext)
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { drained <- drain(last, srv) })
	err := serve(srv, l)
	if stop() { // nobody told it to
		return errors.Join(err, srv.Close())
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if err := <-drained; err != nil {
		return err
	}
	return ctx.Err() // it was told to stop, and has
}

func serve(srv *http.Server, l net.Listener) error {
	if srv.TLSConfig != nil {
		return srv.ServeTLS(l, "", "")
	}
	return srv.Serve(l)
}

// drain lets the requests in hand finish, as long as ctx allows.
func drain(ctx context.Context, srv *http.Server) error {
	err := srv.Shutdown(ctx)
	if err != nil {
		return errors.Join(err, srv.Close())
	}
	return nil
}

// basedOn gives requests a ctx that acts for the child, whatever ctx the server
// had meant for them.
func basedOn(ctx context.Context, own func(net.Listener) context.Context) func(net.Listener) context.Context {
	return func(l net.Listener) context.Context {
		if own == nil {
			return ctx
		}
		both, err := process.Acting(own(l), ctx)
		if err != nil {
			panic(err) // ctx is a process's: it cannot be without a node
		}
		return both
	}
}
