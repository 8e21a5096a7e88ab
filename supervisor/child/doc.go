// Package child makes children for supervisors of things that were not written
// for them: HTTP servers, tickers, commands.
//
//	supervisor.Spec{
//		Children: []supervisor.Child{
//			{ID: "api", Start: child.HTTP(newAPI), Shutdown: 30 * time.Second},
//			{ID: "sweep", Start: child.Ticker(time.Minute, sweep)},
//			{ID: "proxy", Start: child.Command(newProxy)},
//		},
//	}
//
// Each of them is made anew at every start, by a function of yours: a server
// that was shut down does not serve again, and a command that has ended does
// not run again.
//
// They are told to stop in their own way, drain for as long as their Shutdown
// allows, and are cut off when that is over.
//
// What has a Serve method that takes a ctx needs none of this, see
// supervisor.Service. What has a Serve and a stop of its own, as a grpc.Server,
// is a few lines:
//
//	supervisor.Go(func(ctx context.Context) error {
//		srv := newServer()
//		stop := context.AfterFunc(ctx, srv.GracefulStop)
//		defer stop()
//		return srv.Serve(listener)
//	})
//
// On a listener of package acceptor such servers get connections that are
// processes, with limits and an orderly drain: see acceptor.Service and package
// acceptor/httpd.
//
// # Panics
//
// The function of a [Ticker] runs in its child's process: a panic there ends
// the child. The handlers of an HTTP server run in goroutines of net/http,
// which recovers their panics and writes them to the server's ErrorLog; a grpc
// server does not recover them, so there one ends the program. For a handler
// that should be able to crash alone, start a process in it with the request's
// ctx.
package child
