// Package otpscript plays the scenarios that were recorded on Erlang/OTP, and
// yields the lines that OTP yielded, if coppice behaves as OTP does.
//
// A scenario is a JSON file: scripted processes, in a tree or side by side, and
// the steps that are done to them. Its log has one JSON object a line. The recordings, and the
// few that differ on purpose (differs.txt), are in testdata/otp.
//
//	sc, err := otpscript.Parse(data)
//	log, err := otpscript.Play(sc)
//
// # Where to find what
//
//	scenario.go step.go check.go  JSON to typed steps               (pure)
//	term.go termjson.go      Erlang's values, as both files write them (pure)
//	log.go canon.go          what happened, in the one order in which concurrent
//	                         events are written                     (pure)
//	player.go settle.go      one play: the step loop, and when a step is over
//	worker.go bridge.go      the scripted processes of a tree
//	sup.go spec.go           start functions, and scenario to supervisor.Spec
//	steps.go calls.go        what is done to a tree from outside
//	signals.go signal_ops.go plain processes
//	app.go app_steps.go      applications
//
//	machine.go act.go check_act.go  JSON to typed rules and steps for processes
//	                         side by side                           (pure)
//	procs.go acts.go         starting them, and what is done to them
//	script.go deeds.go       what all scripts have in common: rules, and what a
//	                         rule has a callback do with others
//	messages.go              what scripted processes send each other
//	server.go verdict.go     scripted servers, on package server
//	statem.go actions.go     scripted state machines, on package statem
//	managers.go handler.go   event managers and their handlers, on package event
//	requests.go groups.go system.go  steps on packages server, registry, system
//
//	probe.go                 what the runtime reports
//	reason.go spec_terms.go  errors here, terms there
//
// Everything is stamped by the process that it happens in: scripted functions
// write into the journal themselves, and what the runtime, the supervisors and
// the applications report comes from the node's probe. The canonical order then
// hides what no implementation promises, such as which of two pooled workers
// dies first.
//
// # When a step is over
//
// Each play runs in a testing/synctest bubble of its own. So "nothing can
// happen any more" is a fact and not a guess, and time passes only when
// somebody in the scenario waits for it. At the end all that is still alive is
// released and stopped; a goroutine left behind is an error of the play.
//
// # What is said in other words
//
// A log speaks OTP's language, so some things are translated. Where that is
// more than a word for a word, the line does not show what coppice did by
// itself:
//
//   - A crash makes one report; the log has the two of OTP, server_error and
//     crash_report. A worker that leaves its terminate by exit/1 for a clean
//     reason makes the first of them in OTP and none here (probe.go).
//   - Specifications that Go's compiler refuses are answered in its stead
//     (refusedByTypes, startChild). All other faults are found by coppice.
//   - The type of a child that never had a process, the information that a
//     start function returns besides the process, and the description of an
//     application are the scenario's own, passed around coppice.
//   - A supervisor bridge is played by a behaviour (bridge.go), and a
//     supervisor that is sent a worker's order crashes (crash): here it would
//     only say that it does not know the message.
//   - Servers and machines start trapping exits and set that themselves in
//     their Init, as OTP's do: here only what traps may have a Terminate.
//   - What a callback of OTP's can return and a handler cannot, because it has
//     a type, is answered here: bad return values and actions (verdict.go,
//     statem.go, actions.go). A gen_statem's terminate is told the bare reason
//     of error/1, and its reports do not show where exit/1 was called; both is
//     left out of what coppice says (statem.go).
//   - A server that becomes one after its start (enter_loop) is started as one.
//   - A server's timeout is a message to itself (server.After) that the next
//     callback takes back; timers run a microsecond longer (settle.go).
//   - delete_handler, which passes an argument to terminate and returns its
//     result, is a call that the handler answers with event.Remove (handler.go);
//     exit/1 in a handler is an error that it returns, for a goroutine that
//     unwinds takes the manager along.
//   - The terms in answers of get_status come from the behaviour, in its own
//     process; what system.Status makes of them is text (system.go).
//   - exit/2 with normal to oneself is played as process.Exit (signals.go).
package otpscript
