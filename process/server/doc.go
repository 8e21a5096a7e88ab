// Package server is OTP's gen_server: a process that owns a state S and handles
// one message at a time.
//
// A message is a small struct that carries its own handler. If the handler
// returns (R, error) it is a request and is called; if it returns error it is a
// notice and is cast. To send it to the wrong server, to call a notice, to cast
// a request or to expect another answer does not compile.
//
//	// A Counter counts. Only its own process touches n.
//	type Counter struct{ n int }
//
//	// Add asks a Counter to add By; the answer is the new total.
//	type Add struct{ By int }
//
//	func (m Add) Handle(ctx context.Context, c *Counter) (int, error) { c.n += m.By; return c.n, nil }
//
//	c, err := server.Start(ctx, server.Spec[Counter]{Name: "counter"})
//	n, err := server.Call(ctx, c, Add{By: 2}) // n is an int
//
// # Guarantees
//
// Start returns when Init is done, or with its error. Messages of one sender are
// handled in the order sent. A call ends: with the answer, with the error of the
// handler, with an [*process.ExitError] as soon as the server ends, with
// [process.ErrTimeout], or when ctx is done. A late answer reaches nobody.
//
// An error that a request returns goes to the caller, and the server lives on.
// An error of a notice, of Init, of a trapped exit, and a panic anywhere is the
// server's exit reason: nobody else would hear of it. [Stop] does both.
//
// Terminate runs when the server ends by itself or its parent tells it to; for
// that its Spec must trap exits, and says so. See [process.Behaviour].
//
// # Without waiting
//
// [SendRequest] sends a request and gives a [Pending] answer: to wait for later,
// to collect with others in [Requests], or to have as a message of one's own,
// with [Notify]. So a server can ask another and go on serving meanwhile.
// [CallAll] asks many at once, under one time limit.
//
// [Defer] puts an answer off. [Continue] comes before anything in the mailbox,
// [Idle] when nothing comes for a while; a look at the server by package
// process/system does not count as something.
//
// # Testing
//
// A handler is a method: call it with a context and a state of your own. With
// process/processtest and testing/synctest a whole server is tested without
// waiting.
package server
