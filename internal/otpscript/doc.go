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
// # How a scenario becomes a log
//
//	scenario.go  JSON to typed steps          (pure)
//	term.go      Erlang's values, as both files write them (pure)
//	player.go    one play: names, log, the step loop
//	sup.go, worker.go, bridge.go, signals.go, app.go   the scripted processes
//	reason.go    exit reasons: errors here, terms there
//	canon.go     the one order in which concurrent events are written (pure)
//
// Everything is stamped by the process that it happens in: scripted functions
// write into the log themselves, and what the runtime and the supervisors
// report comes from the node's probe. The canonical order then hides what no
// implementation promises, such as which of two pooled workers dies first.
//
// # When a step is over
//
// Each play runs in a testing/synctest bubble of its own. So "nothing can
// happen any more" is a fact and not a guess, and time passes only when
// somebody in the scenario waits for it. At the end all that is still alive is
// released and stopped; a goroutine left behind is an error of the play.
package otpscript
