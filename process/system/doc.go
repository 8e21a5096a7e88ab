// Package system looks into a process from outside, and takes hold of it,
// without its cooperation and without stopping it: OTP's sys.
//
//	c, err := system.State[Counter](ctx, counter)            // a copy of a server's state
//	n, err := system.Look(ctx, counter, func(c Counter) (int, error) { return len(c.byName), nil })
//	err = system.Suspend(ctx, counter)                       // takes no message until Resume
//	err = system.SetLog(ctx, counter, 100)                   // keeps its last hundred events
//	events, err := system.Log(ctx, counter)
//
// It works on everything that has a [process.PID]: servers, state machines,
// event managers, supervisors, raw processes. [Suspend], [Resume], [Status] and
// [Terminate] need nothing of them. The state and the events are shown by those
// whose behaviour is [Stateful] and [Probed]: servers, state machines and event
// managers are; another gets an error of kind [ErrUnsupported]. The state of a
// server of S is an S, that of a state machine a statem.Snapshot, that of an
// event manager event.States (event.StateOf gives that of one handler).
//
// # Guarantees
//
// What is asked here runs in the process itself, between two turns, ahead of
// its mailbox: see [process.System]. So nothing is seen half done, nothing is
// read while it is written, and idle time-outs and state time-outs run on as if
// nobody had asked. A process that is inside a handler cannot answer; after the
// call's time (5 s unless ctx or the node says otherwise) that is a
// [*process.BusyError] with its stack.
//
// A failure is in the error, a state never is: a state may be an error, or be
// called one, and is returned like any other.
//
// A panic in a function of yours is returned to you, and the state stays as it
// was. A process whose events nobody asked for pays for that with one look at a
// nil pointer per message.
//
// # What we ask of you
//
// A state is copied as an assignment copies it: what it points to still belongs
// to the process. Look at maps and slices with [Look], which runs in the
// process, and be quick about it: the process waits. These functions are for
// people and tools; a program asks by messages.
package system
