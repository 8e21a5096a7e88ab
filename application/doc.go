// Package application starts and stops the parts of a program in order.
//
// An application is a supervision tree with a name, a list of what it needs,
// and a few words about its beginning and end. A program is a handful of them:
//
//	var Broker = &application.App{
//		Name:     "broker",
//		Needs:    []*application.App{Storage}, // pointers: a typo does not compile
//		Env:      []application.Setting{Port},
//		Start:    func(ctx context.Context) (process.PID, error) { return supervisor.Start(ctx, tree()) },
//		PrepStop: drainListeners, // before the tree goes down
//		Stop:     closeFiles,     // after it
//	}
//
//	func main() { application.Main(Broker) }
//
// # What you may rely on
//
//   - What an application needs runs before its Start is called. A start returns
//     when Start and all start phases have; if one fails, nothing of the
//     application is left when the caller gets the error.
//   - A node stops its applications in the reverse of the order in which they
//     started, one at a time: PrepStop, then the tree, then Stop. When the top of
//     a tree ends by itself, PrepStop and Stop still run, after it.
//   - A [Permanent] application that ends, or does not start, takes its node
//     down: all others are stopped in order. [Transient] ones may end normally;
//     [Temporary] ones, however they like.
//   - Each phase has a time limit. What hangs is named, with the place where its
//     goroutine stands, and killed; the stop goes on.
//   - Nothing of an application is left when it has stopped, whether it was in
//     its tree or not.
//   - Callbacks run in processes of the application, never in the one that keeps
//     the books. So they may call anything in this package, and nobody waits for
//     them but who must.
//   - All state belongs to a node. Several nodes, each with the same Apps, live
//     side by side in one program.
//
// # What we ask of you
//
// Pass on the ctx that Start was given: it is how the tree comes to hang below
// its application. Return when it is done. Let PrepStop end whatever outside of
// the application calls it: the connections of a listener that belongs to
// another application, for one.
//
// # The order check
//
// Stopping in order is not enough when calls go against it. If connections live
// in the tree of sockets, and call the servers of broker, and broker needs
// sockets, then broker stops first, with all its clients still connected, and
// every one of them crashes. So calls between applications are watched: [Lint]
// names those that are going to fail, from the first one on; a stop reports
// whoever outside still lives after PrepStop and has called; and a call that
// does fail because its target is stopping says so, with what would have avoided
// it (*[StoppingError]).
//
// # Settings
//
// A [Var] is a typed setting. Its value comes from its Default, from JSON files,
// from environment variables, or from Set; see [Config].
//
//	var Port = &application.Var[int]{Name: "port", Default: 1883}
//	...
//	addr := fmt.Sprintf(":%d", Port.Get(ctx)) // in a process of the application
//
// # Parts that are switched off
//
// [Permit] says whether an application may run on a node. One that may not is
// started as any other, and runs nothing until it is permitted; one that runs is
// stopped when it is forbidden.
//
// # Looking inside
//
// [WhichApplications] and [Infos] tell what runs. Every step is an event of kind
// process.Application with a *[Report] as its Detail.
package application
