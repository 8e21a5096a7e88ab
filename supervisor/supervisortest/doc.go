// Package supervisortest checks a supervisor.Strategy against the laws that
// everybody relies on who puts a child below a supervisor.
//
//	func TestPatience(t *testing.T) {
//		supervisortest.Check(t, patience{pause: time.Second})
//	}
//
// # The laws
//
//   - Pure. Asked the same, it answers the same. A strategy that counts in a
//     field of its own, reads the clock or draws a number breaks this.
//   - Sound. A plan speaks of children that there are, and of no negative time.
//   - Typed. A child's restart type is kept: the end of a temporary child, or a
//     clean one of a transient child, restarts nobody; a temporary child is
//     dropped and never comes back; a permanent one is not dropped.
//   - Obedient. When auto-shutdown says that the supervisor ends, it ends.
//   - Bounded. A child that crashes over and over, or never starts, is not
//     restarted for ever while no time passes: sooner or later the plan waits,
//     or ends the supervisor. And a child that waits is tried again some time.
//   - Nothing is lost. When all is quiet again after a crash, and the supervisor
//     has not ended, every child that a plan stopped, or that should have been
//     restarted, is running.
//   - Ordered and awaited. Children are stopped the youngest first and started
//     the oldest first, one at a time, and no child ever has two processes.
//   - Nothing is orphaned. When the supervisor has ended, so have they all.
//
// The last two the supervisor sees to, whatever the plan; they are checked
// nevertheless.
//
// # How it is checked
//
// Supervisors with the strategy are started for real, in synctest bubbles, so
// that waits take no time: with children of every kind that crash, finish, fail
// to start and are stopped by hand, at random but the same at each run; then
// with one that crashes always, and with one that never starts again. A strategy
// that breaks a law is reported with the history that led there.
package supervisortest
