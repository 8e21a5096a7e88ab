package supervisor

import (
	"context"
	"strconv"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A Spec describes a supervisor. Its zero value is a supervisor without
// children that restarts one for one, at most once in five seconds.
type Spec struct {
	// Name is the registered name, "" for none.
	Name string
	// Strategy decides who is restarted; nil means [OneForOne].
	Strategy Strategy
	// Intensity is how many restarts are allowed within Period before the
	// supervisor gives up and ends. Zero means 1; [NoRestart] is OTP's 0.
	Intensity int
	// Period is the time in which restarts are counted. Zero means 5 s.
	Period time.Duration
	// AutoShutdown says whether the supervisor ends when significant children
	// have. Zero means [Never].
	AutoShutdown AutoShutdown
	// Children are started in this order, each once the one before has returned
	// from its start, and stopped in reverse. A [Dynamic] supervisor has exactly
	// one, the template: it is not started here but by [StartOne]. A [Mixed] one
	// has none.
	Children []Child
	// Init, if it is not nil, runs first at each start, in the supervisor's own
	// process, and returns the children that are only known then (OTP: the init
	// of the callback module). They come after those in Children. An error is a
	// failed start, and process.ErrIgnore declines: then nothing is started.
	Init func(ctx context.Context) ([]Child, error)
	// MaxChildren limits a [Dynamic] or [Mixed] supervisor. Zero means no limit.
	MaxChildren int
	// Grace is how long the supervisor itself may sit in a start function after
	// it was killed. Zero means the grace it is born with: its parent's Child or
	// its node's.
	Grace time.Duration
}

// A Child describes one child. ID and Start are needed, the rest is usable as
// zero.
type Child struct {
	// ID names the child among its siblings, and is its element of the path.
	ID string
	// Start starts the child and returns when it is ready. It runs in the
	// supervisor's process, and must pass on the ctx it is given, for that is
	// what links the new process to the supervisor. [Go], [Service] and the
	// StartFunc of most packages make one. If it fails it leaves no process
	// behind.
	//
	// It may return process.ErrIgnore: the child is not needed now. Then it is
	// kept as [Down], or dropped if it is [Temporary], and its siblings start.
	Start func(ctx context.Context) (process.PID, error)
	// Restart says when the child is started again. Zero means [Permanent].
	Restart Restart
	// Significant makes the child's end count for AutoShutdown.
	Significant bool
	// Shutdown is how long the child may take to stop before it is killed. Zero
	// means 5 s, or [Infinity] if the process that Start returned is itself a
	// supervisor: killing one loses what it watches over. [BrutalKill] and
	// [AtOnce] leave no time.
	Shutdown time.Duration
	// Grace is how long the child may sit in a handler after it was killed,
	// before it is abandoned and reported. Zero means its own Spec's, else the
	// node's.
	Grace time.Duration
	// StartTimeout is how long Start may take. Zero means no limit.
	StartTimeout time.Duration
}

// NoRestart as an Intensity allows no restart: the first crash of a child that
// would need one ends the supervisor.
const NoRestart = -1

// Values of a Child's Shutdown that are not times.
const (
	// Infinity waits for ever.
	Infinity = process.Infinity
	// BrutalKill kills at once, without asking: the child's Terminate does not
	// run.
	BrutalKill time.Duration = -2
	// AtOnce asks and then kills without waiting: OTP's 0. What does not trap
	// exits ends with process.ErrShutdown, everybody else with
	// process.ErrKilled. Where children are stopped together, by a supervisor
	// that is [Dynamic] or [Mixed], they have a millisecond, as OTP's timer of 0
	// leaves it to them: a Terminate that only has to return runs.
	AtOnce time.Duration = -3
)

// A Restart is a child's restart type: when it is started again after it ended
// by itself.
type Restart uint8

const (
	// Permanent children are always restarted.
	Permanent Restart = iota
	// Transient children are restarted unless they ended cleanly: normally, or
	// with process.ErrShutdown or process.Shutdown.
	Transient
	// Temporary children are never restarted, and forgotten when they end. A
	// sibling's restart that stops one does not bring it back either.
	Temporary
)

// Wants reports whether a child of this type is restarted after an exit with
// that reason.
func (r Restart) Wants(reason error) bool {
	switch r {
	case Permanent:
		return true
	case Transient:
		return !process.Clean(reason)
	case Temporary:
	}
	return false
}

func (r Restart) String() string {
	switch r {
	case Permanent:
		return "permanent"
	case Transient:
		return "transient"
	case Temporary:
		return "temporary"
	}
	return "Restart(" + strconv.Itoa(int(r)) + ")"
}

// An AutoShutdown says when a supervisor ends because its significant children
// have. Only children count that ended by themselves and are not restarted:
// not those that the supervisor stopped.
type AutoShutdown uint8

const (
	// Never: the supervisor goes on without them.
	Never AutoShutdown = iota
	// AnySignificant: it ends with the first.
	AnySignificant
	// AllSignificant: it ends with the last. Those that are [Down] for another
	// reason do not keep it up.
	AllSignificant
)

func (a AutoShutdown) String() string {
	switch a {
	case Never:
		return "never"
	case AnySignificant:
		return "any significant"
	case AllSignificant:
		return "all significant"
	}
	return "AutoShutdown(" + strconv.Itoa(int(a)) + ")"
}

const (
	defaultIntensity = 1
	defaultPeriod    = 5 * time.Second
	defaultShutdown  = 5 * time.Second
)

// withDefaults fills in what zero means.
func (s Spec) withDefaults() Spec {
	if s.Strategy == nil {
		s.Strategy = OneForOne
	}
	switch s.Intensity {
	case 0:
		s.Intensity = defaultIntensity
	case NoRestart:
		s.Intensity = 0
	}
	if s.Period == 0 {
		s.Period = defaultPeriod
	}
	return s
}
