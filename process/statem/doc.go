// Package statem runs state machines as processes (OTP: gen_statem).
//
// A machine is a table from states to handlers. The states are values, usually
// of a small int type; the events are values of one interface; the handlers are
// methods of the data that the process keeps:
//
//	var door = statem.Must(statem.New(statem.Spec[state, event, lock]{
//		Init: newLock,
//		States: map[state]statem.State[state, event, lock]{
//			locked: {On: (*lock).onLocked, To: []state{open}},
//			open:   {On: (*lock).onOpen, To: []state{locked}, Timeout: 10 * time.Second, Expired: (*lock).close},
//		},
//	}))
//
//	func (l *lock) onLocked(t *statem.Turn[event], ev event) (state, error) {
//		switch ev := ev.(type) {
//		case code:
//			if ev == l.code {
//				return open, nil
//			}
//			return locked, nil
//		case push:
//			t.Postpone() // until the door is open
//			return locked, nil
//		}
//		return locked, fmt.Errorf("unexpected %T", ev) // ends the process, loudly
//	}
//
//	d, err := door.Start(ctx)               // statem.Ref[event]
//	err = d.Cast(ctx, code("42"))           // does not wait
//	n, err := statem.Call(ctx, d, visits{}) // waits; n has the type that visits is answered with
//
// [New] refuses a table with a fault in it, before any process runs it, and
// [Machine.Mermaid] draws the one that is left. A handler says what else is to
// happen through its [Turn]: postpone, insert, reply, time-outs. Nothing of
// that is done before the handler has returned, so handlers are tested as
// functions, without any process.
//
// # What you may rely on
//
//   - Start returns when Init has. After that, and before any other event,
//     comes the Enter of the first state with what Init asked for.
//   - After an event come: the answers given; Enter, if the state has changed
//     or is repeated; the events inserted; if the state has changed, the
//     postponed events, oldest first; time-outs without delay, in the order
//     they were started; what arrived by the mailbox, in that order.
//   - A handler that returns its own state has changed nothing: no Enter, no
//     retry of what was postponed, and the state time-out runs on.
//   - The event time-out ends with any event, the state time-out with a change
//     of state, named ones only when they fire, are replaced or cancelled. A
//     time-out that was replaced or cancelled never delivers its event.
//   - Answers given in the turn that ends the process reach their callers
//     before Terminate runs. Calls that nobody has answered, postponed or not,
//     fail with a [process.ExitError] at once when the process ends.
//   - There is no state for what has gone wrong: an error from a handler, or a
//     state that its row does not list, ends the process with that reason.
//
// Names, links, exit signals, Terminate and trapping are those of all
// processes; see package process.
//
// # Coming from gen_statem
//
// The types of events (call, cast, info, internal, time-out) are types of E, or
// nothing: what matters to a handler is what an event is, not how it came.
// [Turn.Insert] takes any. Every row has its function, and a function for all
// states is one that the rows call. A callback module that changes is a value
// of an interface in the data (see the example callbackModules).
// [Machine.Behaviour] is enter_loop, [SendRequest] and [Notify] are
// send_request and check_response. Package process/system is sys.
//
// # What we ask of you
//
// A handler should not wait long: nothing else is handled meanwhile, not even
// a time-out. Ask other machines by [SendRequest] and [Notify] rather than
// [Call]. What takes long belongs into a process of its own that sends an
// event when it is done. Data belongs to the handlers; let others ask for it
// by a call.
package statem
