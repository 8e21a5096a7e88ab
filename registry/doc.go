// Package registry finds processes: by name, by key, and by the group they are
// in.
//
// A [Key] is a typed name, and stands wherever a reference does:
//
//	var counter = registry.NewKey[server.Ref[Counter]]("counter")
//
//	c, err := server.Start(ctx, server.Spec[Counter]{Name: counter.Name()})
//	n, err := server.Call(ctx, counter, Add{By: 2})
//
// A [Unique] registry has a process for each key of any comparable type, and a
// value beside it; a [Duplicate] one any number (Elixir: Registry). A [Scope]
// has groups of processes that come and go (OTP: pg). [Locks] are held by one
// process at a time (OTP: global:trans).
//
//	var rooms = registry.NewUnique[RoomID, string]("rooms")
//
//	{ID: "rooms", Start: rooms.Start}                          // a child of a supervisor
//	err := rooms.Register(ctx, id, "kitchen")                  // the calling process, say in its Init
//	room := registry.At[server.Ref[Room]](rooms, id)           // stands wherever a server.Ref[Room] does
//
// All of them are immutable values that may be kept in package variables and
// are good for every node: what they lead to is looked up at each use, on the
// node of the ctx at hand. So after a restart they find the new process. Each
// table belongs to a process of its own, which is started as a supervisor's
// child, before those who need it; it holds no goroutine.
//
// # What you may rely on
//
//   - A name is taken before the process's Init runs. Names, keys, memberships
//     and locks are free before anybody learns of the end of their process: who
//     has seen its Down, or the answer of process.Wait, finds none of them.
//   - Reading and changing go directly to the table, under its lock, not through
//     a mailbox: a table is never behind, and no busy process holds it up.
//   - A subscriber ([MonitorGroup], [MonitorScope], [Listen]) gets a picture of
//     what is and then each change once, in the order in which they happened, as
//     messages of its own type. No mailbox limit refuses them. The change that
//     the end of a process makes comes before its Down.
//   - A key never gives a reference of the wrong type: it is an error that names
//     both types. What nobody has is an error of kind process.ErrNoProc that
//     names it.
//
// # Where it differs from OTP and Elixir
//
// To join a process that has ended is an error. The change that a list makes by
// leaving names only those who were members. Members of a scope that is not
// there are an error, as its groups are. What is no message of a scope is
// reported and ignored, and does not end it. Elixir takes the keys of the dead
// away some time after their death, and has listeners named when a registry is
// started.
//
// # What we ask of you
//
// Values are shared between processes: let them be data that nobody changes.
// Functions that make messages run in the subscriber's process; one that panics
// ends it.
package registry
