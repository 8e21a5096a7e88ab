// Package registry gives processes typed names.
//
//	var counter = registry.NewKey[server.Ref[Counter]]("counter")
//
//	c, err := server.Start(ctx, server.Spec[Counter]{Name: counter.Name()})
//	n, err := server.Call(ctx, counter, Add{By: 2})
//
// A [Key] stands wherever a reference does. It is looked up at each use, on the
// node of the ctx at hand, so it finds the process that has the name now: the
// one after a restart, too.
//
// # Guarantees
//
// A name is taken before the process's Init runs, and free before anybody
// learns of its end. A key never gives a reference of the wrong type: it is an
// error that names both types. A name that nobody has is [process.ErrNoProc].
package registry
