// Package alarm keeps what an operator should know about until it is over: a
// disk that is nearly full, a certificate that could not be renewed (OTP:
// alarm_handler).
//
//	alarm.Set(ctx, alarm.Alarm{ID: "disk /var", Text: "95 % full"})
//	...
//	alarm.Clear(ctx, "disk /var")
//
// An alarm is a state, not an event: it is set, listed, and cleared. The
// manager of a node is an event manager of [Change] with the name [Name]; a
// supervisor starts it with [StartFunc]. Its first handler, [Keeper], keeps the
// alarms that are set and reports each change. Others can be added beside it, to
// page somebody, say; or one can take its place, and its alarms:
//
//	m, err := alarm.Manager(ctx)
//	err = event.Swap(ctx, m, alarm.KeeperID, func(old *alarm.Book) event.Handler[alarm.Change, Pager] {
//		return pager(old.Alarms())
//	})
//
// [List] asks the keeper, so after that it gives an event.ErrNoHandler.
package alarm
