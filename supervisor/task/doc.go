// Package task runs functions in processes of their own and waits for their
// results: Elixir's Task and Task.Supervisor.
//
//	t, err := task.Async(ctx, func(ctx context.Context) (Page, error) { return fetch(ctx, url) })
//	...
//	page, err := t.Await(ctx)
//
// What the function returns, its error included, is the result, and belongs to
// whoever awaits it. A crash is something else: a panic, a kill. It reaches who
// awaits as a [*process.ExitError], and those that are linked to the task as an
// exit signal.
//
// A task begun with [Async] is linked to its caller: neither outlives a crash of
// the other. One under a supervisor ([Supervisor]) ends with that at the latest;
// it is linked to its caller too ([AsyncUnder]), or not ([AsyncNoLink]), which is
// for servers and whoever else must not go down with it. [Start] is for those
// who want no result.
//
// [AsyncStream] runs one task for each item of a sequence, a bounded number at a
// time, and is a sequence of the results.
//
// # What you may rely on
//
//   - A result that was there before the task was told to stop, or was killed, is
//     not lost.
//   - What a task is told to stop for cancels the ctx that its function was
//     given. One that returns then has obeyed; one that does not is killed when
//     its time is over, and abandoned after its Grace.
//   - A stream that is over, by its end, a break or a panic in the loop, has
//     left no task behind.
//
// # Where it differs from Elixir
//
// Anybody may await a task, and any number of times. [Task.Await] has no
// time-out of its own, and when ctx is done it returns: it ends neither the
// caller nor the task. What fails a task in a stream, its time-out included, is
// an element of the sequence and not the caller's end, unless it is a crash of a
// linked one.
//
// # In a server
//
// A server that waits for a task answers nobody meanwhile. Better it monitors
// the task, and takes the result, which is there then, in the handler of the
// message that says so:
//
//	t, err := task.AsyncNoLink(ctx, tasks, fetch)
//	_, err = server.Monitor(ctx, t.PID(), func(process.Down) Fetched { return Fetched{t} })
//
//	func (m Fetched) Handle(ctx context.Context, s *Shop) error {
//		page, err := m.task.Result()
//		...
//	}
package task
