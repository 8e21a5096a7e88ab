// Package process gives Go programs Erlang's processes: something that has an
// address, a mailbox and a life of its own, that fails alone, and whose end,
// with its reason, reaches everybody who said they care.
//
// Most programs use the packages built on it (process/server, process/statem,
// supervisor, application) and meet this one as [PID], exit reasons, [Link],
// [Monitor] and the ctx that says who acts:
//
//	n := process.NewNode(process.NodeSpec{})
//	defer n.Stop(context.Background())
//	pid, err := process.Go(n.Context(), func(ctx context.Context) error {
//		...
//	})
//
// # Who acts
//
// Every function that does something takes a ctx, and the ctx says on whose
// behalf: a process is its own ctx, and a [Node]'s ctx acts for the node itself.
// It may be used from any goroutine, and contexts may be derived from it. It is
// done when the process ends or is told to end, and context.Cause is the exit
// reason. Its values come from the node and the supervisors above, never from
// the ctx that a starter happened to hold.
//
// # Guarantees
//
//  1. Signals from A to B (messages, exits, downs, timers) arrive in the order
//     sent. Nothing is promised across senders.
//
//  2. Sending never blocks and never loses: a mailbox has no limit unless its
//     Spec sets one, and then the sender gets [ErrMailboxFull]. A limit counts
//     messages and requests, never signals.
//
//  3. A link fires once to each side, a monitor once; a dead target gives
//     [ErrNoProc], not silence. A name is taken before Init runs and free
//     before anybody learns of the death, and so is what a [Keeper] keeps.
//
//  4. To spawn and link is one step. A start returns when Init is done, or with
//     its error, after the name is free again. An Init that calls its starter is
//     refused with [ErrCallingStarter].
//
//  5. A panic ends the process, not the program. Not so: a panic in a goroutine
//     that was started with a bare go statement (use [Go]), stack overflow,
//     concurrent map access, out of memory, os.Exit and log.Fatal, all
//     goroutines asleep. Recovering here costs nothing of what panics are for:
//     the stack is kept, and the end is told at once.
//
//  6. At every end of a process a fence falls: what still holds its ctx can no
//     longer send, call, spawn, link or register for it, and nothing of it
//     arrives after its [Down].
//
//  7. A goroutine cannot be killed. What ends a process inside a handler
//     cancels its ctx and does the rest as this table says:
//
//     what comes                      fence        Terminate     callers told  watchers told
//     Kill                            at once      no            at once       when the handler returns, or after Grace
//     exit signal, not trapping       at once      no            at once       the same
//     parent's exit, trapping         at its end   in its turn   at its end    at its end
//     exit of others, trapping        (a message; the ctx is not cancelled)
//
//     After Grace (twice that for one that is not blocked, but waits for a
//     processor) the goroutine is abandoned: watchers learn of the death, a
//     report shows its stack, and it stays listed until it returns.
//
//  8. Death drops state, mailbox and timers; a PID that is kept pins little.
//
//  9. Any number of nodes live side by side. Nothing runs until something is
//     started, and nothing is left after [Node.Stop]; an idle process has no
//     goroutine. All of it works inside a testing/synctest bubble.
//
//  10. State and the message in hand are formatted only by the process's own
//     goroutine. A [System] request jumps the queue and is served between two
//     turns; a process inside a handler gives a [*BusyError] with its stack.
//
// The rules are those of the Erlang reference manual, chapter Processes, and of
// the OTP design principles; docs/otp.md has a row for each.
//
// # What we ask of you
//
// Do not keep a handler waiting without its ctx; do not call [Exit] from a
// goroutine that is not the process's own; start helpers with [Go].
//
// # Debugging
//
// [PID.Info] shows one process, [Node.Processes] all, [PID.Stack] where one
// stands; a [Probe] sees what happens, and a crash makes a [CrashReport].
// What a process says of itself with [Annotate] shows in both; what it handles
// after [SetSensitive] shows nowhere.
// Package trace makes log lines and streams of it. Package processtest gives
// tests a node of their own.
package process
