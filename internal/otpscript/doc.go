// Package otpscript plays the scenarios that were recorded on Erlang/OTP, and
// yields the lines that OTP yielded, if coppice behaves as OTP does.
//
// A scenario is a JSON file: a tree of scripted processes and the steps that
// are done to it. Its log has one JSON object a line. The recordings, and the
// few that differ on purpose (differs.txt), are in testdata/otp.
//
//	sc, err := otpscript.Parse(data)
//	log, err := otpscript.Play(sc)
//
// # Where to find what
//
//	scenario.go check.go     JSON to typed steps                    (pure)
//	term.go termjson.go      Erlang's values, as both files write them (pure)
//	log.go canon.go          what happened, in the one order in which concurrent
//	                         events are written                     (pure)
//	player.go settle.go      one play: the step loop, and when a step is over
//	worker.go bridge.go      the scripted processes of a tree
//	sup.go spec.go           start functions, and scenario to supervisor.Spec
//	steps.go calls.go        what is done to a tree from outside
//	signals.go signal_ops.go plain processes
//	app.go app_steps.go      applications
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
//   - exit/2 with normal to oneself is played as process.Exit (signals.go).
package otpscript
