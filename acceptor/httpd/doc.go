// Package httpd runs an http.Server on a listener of package acceptor: each
// connection is a process that is listed, counted, limited and can be killed, and
// a stop loses no request.
//
//	acceptor.Spec{
//		Name:     "web",
//		Address:  ":8080",
//		Protocol: httpd.Serve(func() *http.Server {
//			mux := http.NewServeMux()
//			mux.Handle("/", pages)
//			mux.Handle("GET /readyz", httpd.Ready(process.Name("web")))
//			return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
//		}),
//		MaxConnections: 10000,
//		Shutdown:       30 * time.Second,
//	}
//
// The server lives in the listener's tree, between the connections and the port:
// it starts before the port is open and stops after it is closed, so there is no
// moment in which a client is let in and not served.
//
// # Requests
//
// The ctx of a request acts for the process of its connection: handlers call
// servers and start processes with it, reports and traces name the connection,
// and what they have started ends with it at the latest. It is done when the
// client has gone, when the connection is killed or shut down, but not because the
// listener is draining.
//
// A panic in a handler is recovered by net/http, as ever, and ends the response.
// What the server writes to its ErrorLog becomes an event, unless it has one of its
// own; a panic is one of level error, with its stack. For something that should be able to
// crash alone, and to be heard of, start a process with the request's ctx.
//
// # Draining
//
// [acceptor.Drain] closes the port, closes the connections that are idle or have
// said nothing, has the requests in hand finished and their connections closed
// after that, HTTP/2 included, and waits for it: not by looking again and again,
// but for the end of the last connection. Hijacked connections are waited for
// too. Their handlers learn that it is time from [acceptor.Leaving], or from
// http.Server.RegisterOnShutdown. Those that have not finished in time are cut off
// and named by the error.
//
// Behind load balancers there is more to it: they must first see that we are
// going. That is an [acceptor.DrainPlan], with [Ready] for their checks:
//
//	PrepStop: acceptor.DrainPlan{
//		Listeners: []process.Target{process.Name("web")},
//		Delay:     10 * time.Second, // Ready says no, and new clients are still served
//		Within:    30 * time.Second, // then: no new ones, and the others finish
//	}.Run,
//
// A listener that is stopped without a drain does the same, within its
// Spec.Shutdown.
//
// # TLS
//
// With a Transport in the Spec, as tlsconn has one, the server gets its
// *tls.Conn, so HTTP/2 works if the Transport offers it by ALPN ("h2"). Leave the
// server's TLSConfig nil then. Without a Transport, a TLSConfig has the server
// speak TLS itself.
package httpd
