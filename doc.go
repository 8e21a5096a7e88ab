// Package coppice holds no code: it is the front door of the module, and the
// home of the tests that keep the repository in shape.
//
// Coppice brings Erlang/OTP's way of building systems that do not fall over to
// Go: processes that share nothing, links and monitors between them,
// supervisors that restart what fails, and applications that start in order
// and stop in reverse.
//
// Begin with these, in this order:
//
//   - [github.com/coppice-go/coppice/process]: what a process is, and what it
//     promises;
//   - [github.com/coppice-go/coppice/process/server]: a process that owns a
//     state and answers typed messages; nine of ten processes are servers;
//   - [github.com/coppice-go/coppice/supervisor]: who restarts whom;
//   - [github.com/coppice-go/coppice/application]: a whole program.
//
// The file docs/architecture.md shows how the packages rest on each other.
package coppice
