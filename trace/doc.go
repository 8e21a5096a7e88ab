// Package trace shows what the processes of a node do: it writes the node's
// reports to a log, and streams of events to whoever asks.
//
//	node := process.NewNode(process.NodeSpec{})
//	_, err := trace.Start(node.Context(), trace.Options{})
//
// From then on every crash, every decision of a supervisor, every abandoned
// goroutine and every step of an application is one record of zerolog's: for
// people on a terminal, as JSON elsewhere.
//
// # What a crash report says
//
// Who: the process, by number and by path in the tree. Why: the reason, and
// each error that it wraps on a line of its own. On what: the message in hand,
// and the state as far as it is shown. Where: the innermost frame of the user's
// own code, then the stack without the runtime's frames and ours. Whence: who
// started it, with file and line. The report of the supervisor, which follows,
// says what it does about it.
//
// # What it promises
//
//   - The tree does not wait for the log. What a probe sees is captured in the
//     process that it is about and put into a queue; a process of its own
//     writes it. If the queue is full then the report is dropped, counted, and
//     the count is written when there is room again.
//   - Everything that is in the queue when the node stops is written before
//     Node.Stop returns. For that, trace is started first: what is started
//     first stops last. A writer that blocks is named by the error of Node.Stop.
//   - If its process is killed, the next report starts another, which says so.
//   - Levels mean something. An error is what somebody should look at; what was
//     told to stop and stopped is none. What OTP calls progress is at debug
//     level, and only on request.
//   - Secrets stay where they are. A value is shown as its LogValue method says
//     ([log/slog.LogValuer]); struct tags trace:"redact" and trace:"-" hide
//     fields, names such as Password do too; of bytes only the number is shown.
//   - Off costs one atomic load. No global of zerolog's is touched.
//
// # Streams
//
// [Stream] writes one JSON line for each event that a filter lets through: see
// [Record] for what a line holds. A stream always ends: after so many events,
// when there are too many in a second, or after some time, and its last line
// says which. Times count from its beginning, so under testing/synctest the same
// program gives the same bytes, as far as it settles itself what comes first:
// the events of one process are in order, and a sending is before its receiving;
// what two processes do at the same instant may stand either way round.
//
// What a stream is about is said by the fields of its [StreamSpec], and by a
// [Pattern] if it is what messages hold that matters; a pattern may add a note to
// a line. [Streams] lists those that are open. What was written is read back with
// a [Reader], while it is still being written with [Follow]; [Files] keep the last
// part of a long stream.
package trace
