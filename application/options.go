package application

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/trace"
)

// Options say how Run runs applications. The zero value is usable.
type Options struct {
	// Type of all applications. The zero Type is Permanent: a program without
	// one of its parts is better started again.
	Type Type

	// Concurrent starts applications that do not need each other at once.
	Concurrent bool

	Config Config // where settings get their values; zero: their defaults

	// Node describes the node that Run makes. With a Probe of its own, reports
	// are that one's business.
	Node process.NodeSpec

	// Reports says how reports are written; zero: to standard error.
	Reports trace.Options

	// Signals asks for the stop: the first orderly, the second at once. nil:
	// only the end of Run's ctx asks, and nothing forces.
	Signals <-chan os.Signal

	// StopTimeout is how long the whole stop may take before it is forced.
	// Zero means no limit but those of the applications.
	StopTimeout time.Duration

	// Ready is called when all have started; nil: nothing is.
	Ready func(context.Context)

	// Stopping is called when the node begins to go down, before the first
	// application is stopped. cause is why: an *EndedError, or nil if it was
	// asked to. The stop waits for it, for DefaultTimeout. nil: nothing is.
	Stopping func(ctx context.Context, cause error)

	// Output is where a forced stop shows what hangs; nil: standard error.
	Output io.Writer
}
