// Package work holds the workloads that every peer is measured with, and the
// program around them. A peer supplies a [Driver]; all that is counted and
// checked happens here, so that no peer is measured by its own rule.
package work

import "time"

// A Ref is the address of a process, in the peer's own terms.
type Ref any

// A Self is what a handler may do: the process that it runs in.
type Self interface {
	Ref() Ref
	Send(to Ref, msg any)
	Call(to Ref, req any) (any, error) // with the peer's usual deadline armed
	Monitor(to Ref)                    // a Down follows, through Handle
	After(d time.Duration, msg any)    // a message to itself
}

// A Down is what a process handles when one that it monitors has ended.
type Down struct{}

// A Next is what becomes of a process after a message.
type Next uint8

const (
	Go    Next = iota // it goes on
	Stop              // it stops, in an orderly way
	Crash             // it crashes, in the way that costs the peer's users least
)

// A Handler is what a process does. Init runs before anything else, Terminate
// exactly once, whatever ended the process.
type Handler interface {
	Init(Self)
	Handle(Self, any) Next
	Answer(req any) any
	Terminate()
}

// Base is a Handler that does nothing and answers with the question.
type Base struct{}

func (Base) Init(Self)             {}
func (Base) Handle(Self, any) Next { return Go }
func (Base) Answer(req any) any    { return req }
func (Base) Terminate()            {}

// A Driver is one peer. What else it can do it shows by the interfaces below;
// what needs one that it lacks is not run.
type Driver interface {
	Boot() error // quiet: reports are not to be written to a terminal
	Halt() error
}

// A Spawner has processes. Spawn returns when the process can be sent to; Send
// is a message from outside any process.
type Spawner interface {
	Spawn(mk func() Handler) Ref
	Send(to Ref, msg any)
}

// A ServerSpawner has something of its own for processes that are called.
type ServerSpawner interface{ SpawnServer(mk func() Handler) Ref }

// A Caller can call from inside a handler.
type Caller interface{ CanCall() }

// A Monitorer can be told of another process's end.
type Monitorer interface{ CanMonitor() }

// A Namer has a registry.
type Namer interface {
	SpawnNamed(name string, mk func() Handler) Ref
	Whereis(name string) bool
}

// A Timer can send a message to itself later.
type Timer interface{ CanTime() }

// A Supervisor restarts: n permanent children below one supervisor, with as
// many restarts as there may be and no pause between them.
type Supervisor interface {
	StartChildren(n int, mk func(i int) Handler) (stop func() error)
	Send(to Ref, msg any)
}

// A Forester has trees: a root, over a supervisors, over b each, over w workers
// each. stop returns when the tree says that it has stopped.
type Forester interface {
	StartTree(a, b, w int, mk func(i int) Handler) (stop func() error)
}

// A Boxer wants to know for how many messages there should be room.
type Boxer interface{ Box(messages int) }
