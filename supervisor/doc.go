// Package supervisor starts processes in order, restarts them when they crash,
// and stops them in reverse: OTP's supervision trees.
//
//	spec := supervisor.Spec{
//		Strategy:  supervisor.RestForOne,
//		Intensity: 3, Period: 5 * time.Second,
//		Children: []supervisor.Child{
//			{ID: "store", Start: server.StartFunc(server.Spec[store]{Init: openStore})},
//			{ID: "conns", Start: supervisor.StartFunc(conns)},
//			{ID: "flush", Start: supervisor.Go(flush), Restart: supervisor.Transient},
//		},
//	}
//	pid, err := supervisor.Start(ctx, spec)
//
// A child is a start function and a few rules. Every package of processes makes
// such functions; [Go] makes one of any function that takes a ctx, [Service] of
// anything with a Serve method, [Bridge] of what has a start and a stop of its
// own, and package supervisor/child of an http.Server, a ticker and a command. A
// supervisor is a child like any other, and that is how trees grow.
//
// When a child ends by itself, its restart type says whether it is started
// again, and the supervisor's [Strategy] who is restarted along with it. When
// that becomes too much, more than Intensity restarts within Period, the
// supervisor stops everybody and ends: now it is its own supervisor's turn. So
// a fault that a restart does not cure climbs the tree until it meets somebody
// who restarts enough to cure it, or ends the application.
//
// # What you may rely on
//
//   - A Spec is checked before anything is started, and every fault in it is
//     reported at once ([*SpecError]).
//   - Children start one after the other, in order, and stop one after the
//     other, in reverse order; nobody is started or stopped before the one
//     before is done. If a start fails, those before it are stopped, in reverse
//     order, before [Start] returns.
//   - A child that is told to stop has its Shutdown to do so, then it is killed;
//     if its goroutine does not come back from a handler even then, it is
//     abandoned after its Grace, and reported. So a child costs Shutdown and
//     Grace at most, and its supervisor goes on.
//   - A start function that fails, panics, returns nothing, returns a process
//     that is not linked to the supervisor, or returns a sibling, is a failed
//     start that says so. No error is dropped: it goes to whoever asked for the
//     start, or into a report.
//   - A start that fails while restarting is tried again, through the
//     supervisor's mailbox: what was asked of the supervisor in the meantime is
//     served between the attempts. Each attempt counts as a restart.
//   - A supervisor ends for three reasons only: its parent tells it to, somebody
//     calls process.Stop, or its strategy decides so. Exit signals of others are
//     ignored. Killing it ends its children by their links, in no order.
//   - The cost of a restart under [OneForOne] does not grow with the number of
//     siblings, but for a bisection.
//
// # Where it differs from OTP
//
// Restarts are counted in an exact window, not in whole seconds; a restart
// exactly one Period old still counts. A dynamic child that declines to be
// restarted is forgotten. Of a child that had died before it was stopped the
// real reason is reported, even if it had unlinked itself. An exit signal that a
// child sends to its supervisor, without ending, is ignored. A start that
// declines returns process.ErrIgnore to its caller, not success without a
// process. Waits between restarts ([Plan].Wait) and deadlines for starts are
// additions; [Mixed], MaxChildren and [Partitioned] are Elixir's. What runs below
// a killed supervisor ends with it, whether it traps exits or not, but for a raw
// process, which is told and may take its time. There is no code change, and a
// start function returns no extra information: it is a closure, and can put that
// where it likes.
//
// # What we ask of you
//
// A start function runs in the supervisor's process, and while it runs the
// supervisor does nothing else. So it should do little but start a process, and
// must not call its own supervisor; nor may a child do so in its Init or its
// Terminate, when the supervisor waits for it. It passes on the ctx it was given.
// If it fails after it has started a process, it stops that one first.
//
// A Child's Shutdown should cover what the child does in its Terminate. Leave it
// zero for supervisors: they then have as long as their children need.
//
// # Strategies of your own
//
// A [Strategy] is a pure function of what happened and what the supervisor knows
// to a [Plan]; the supervisor carries it out. Package supervisortest checks in
// one call that a strategy loses no child and cannot restart for ever, and
// examples/circuit has one that backs off and then opens a circuit.
//
// # Debugging
//
// Reports are events of kind process.Supervised, with a [*Report] that holds the
// child, the count of restarts and what was decided. [WhichChildren] and
// [CountChildren] show a supervisor as it is.
package supervisor
