// Package event is OTP's gen_event: a process that hands each event to a list
// of handlers, which come and go while it runs.
//
// A manager has one type of events, E. A handler has a state of its own, S, and
// says what it does with an event; whoever sends events need not know who
// handles them:
//
//	// A journal keeps what happened.
//	type journal struct{ lines []string }
//
//	func (j *journal) on(_ context.Context, ev Login) error { ... }
//
//	bus, err := event.Start(ctx, event.Spec[Login]{Name: "logins"}) // event.Manager[Login], one word
//	err = event.Add(ctx, bus, event.Handler[Login, journal]{ID: "journal", On: (*journal).on})
//	err = bus.Notify(ctx, Login{User: "ann"})
//	n, err := event.Call(ctx, bus, "journal", Count{}) // a message as for a server of journal; n is an int
//
// # Guarantees
//
// Events of one sender are handled in the order sent, each by all handlers
// before the next. The handler that was added last is called first. Notify does
// not wait; SyncNotify returns when every handler has had the event.
//
// A handler that panics or returns an error is removed, with its Terminate, and
// reported; the others and the manager go on. So does what it was added for: who
// wants to hear of its end adds it with [AddSup]. Then the two processes are
// linked while the handler is there: if the owner ends the handler goes, if the
// manager is killed so is the owner, unless it traps exits, and any other end of
// the handler comes to the owner as a message of its own.
//
// A handler's Terminate runs once, whatever ends it, and [Gone] says why. If the
// manager stops, all are terminated, the last added first.
//
// # What we ask of you
//
// One process runs all handlers: a slow one delays every other, every caller of
// SyncNotify and all that is behind in the mailbox. What takes long belongs into
// a process of its own that the handler sends messages to. A handler cannot call
// its own manager (it gets process.ErrCallingSelf), but it can notify it.
//
// Return an error to fail. [process.Exit], and whatever else calls
// runtime.Goexit, ends the manager: a goroutine that unwinds cannot be called
// back.
//
// # Debugging and testing
//
// Package process/system shows the states of the handlers and what the manager
// was last given. The functions of a handler need no process to be tested.
package event
