package process

import (
	"context"
	"reflect"
	"strconv"
)

// A PID is the address of one process: one word, comparable, good for ever.
// The zero PID is nobody's. A PID of a dead process costs a quarter of a kilobyte
// while it is kept.
type PID struct{ p *proc }

// A Target is whatever can be asked for a process: a [PID], a [Name], a
// [Ref], or the typed references and keys of the packages above.
type Target interface {
	Resolve(ctx context.Context) (PID, error)
}

// Resolve returns pid itself.
func (pid PID) Resolve(context.Context) (PID, error) {
	if pid.p == nil {
		return pid, &ExitError{Reason: ErrNoProc}
	}
	return pid, nil
}

// IsZero reports whether pid is nobody's.
func (pid PID) IsZero() bool { return pid.p == nil }

// ID is the process's number on its node, counted from 1 in order of birth.
func (pid PID) ID() uint64 {
	if pid.p == nil {
		return 0
	}
	return pid.p.id
}

// String returns "<7>", or "<7 broker/edge>" for a process that has a path.
func (pid PID) String() string {
	if pid.p == nil {
		return "<nobody>"
	}
	id := strconv.FormatUint(pid.p.id, 10)
	if path := pid.p.path(); path != "" {
		return "<" + id + " " + path + ">"
	}
	return "<" + id + ">"
}

// Name returns the registered name, "" if it has none.
func (pid PID) Name() string {
	if pid.p == nil {
		return ""
	}
	pid.p.mu.Lock()
	defer pid.p.mu.Unlock()
	return pid.p.name()
}

// Path returns the ids of the process and of those above it in its tree,
// joined by slashes: "broker/edge/conn". Who was born without an id counts by
// name, kind or number.
func (pid PID) Path() string {
	if pid.p == nil {
		return ""
	}
	return pid.p.path()
}

// Alive reports whether the process has neither ended nor begun to: it is
// false from the moment a fatal signal arrived.
func (pid PID) Alive() bool { return pid.p != nil && !pid.p.ending() }

// Parent returns the process that started this one linked, the zero PID if
// that was the node's root.
func (pid PID) Parent() PID {
	if pid.p == nil || pid.p.parent == nil || pid.p.parent.isRoot() {
		return PID{}
	}
	return PID{pid.p.parent}
}

// Node returns the node that the process runs on.
func (pid PID) Node() *Node {
	if pid.p == nil {
		return nil
	}
	return pid.p.node
}

// Is reports whether the process was started with that kind in its Spec, say
// "supervisor".
func (pid PID) Is(kind string) bool { return pid.p != nil && pid.p.origin.kind == kind }

// Kind returns the kind given in the Spec, "" if none was.
func (pid PID) Kind() string {
	if pid.p == nil {
		return ""
	}
	return pid.p.origin.kind
}

// Group returns the group the process was born into, nil if none.
func (pid PID) Group() *Group {
	if pid.p == nil {
		return nil
	}
	return pid.p.origin.group
}

// Spawner returns "file:line" of the code that started the process.
func (pid PID) Spawner() string {
	if pid.p == nil {
		return ""
	}
	return pid.p.origin.place()
}

// Linked reports whether the two processes are linked.
func (pid PID) Linked(to PID) bool {
	if pid.p == nil || to.p == nil {
		return false
	}
	pid.p.mu.Lock()
	defer pid.p.mu.Unlock()
	return pid.p.hasLink(to.p)
}

// Behaviour returns what the process runs, nil once it is dead. It is for
// typed references, which look at its type; its fields belong to the process.
func (pid PID) Behaviour() Behaviour {
	if pid.p == nil {
		return nil
	}
	pid.p.mu.Lock()
	defer pid.p.mu.Unlock()
	if pid.p.state == dead {
		return nil
	}
	return pid.p.b
}

// Gone is the error of kind [ErrNoProc] for those who were about to use a process,
// under that name, and find that it has ended. Its [Group] may explain it.
func (pid PID) Gone(name string) error {
	err := error(&ExitError{PID: pid, Name: name, Reason: ErrNoProc})
	if g := pid.Group(); g != nil && g.Explain != nil {
		return g.Explain(err)
	}
	return err
}

// A Typed behaviour has a typed reference for its processes, which a registry
// gives to those who ask for it by name.
type Typed interface {
	TypedRef(PID) any
}

// A Taker is a behaviour that says which messages are its own, so that whoever
// would make messages of another type for it is told at once.
type Taker interface {
	Takes(message reflect.Type) bool
}

// A Name is a registered name as a [Target]. It is looked up at each use.
type Name string

// Resolve returns the process that has the name, or an error that names it.
func (n Name) Resolve(ctx context.Context) (PID, error) {
	if pid, ok := Whereis(ctx, string(n)); ok {
		return pid, nil
	}
	node, err := NodeOf(ctx)
	if err != nil {
		return PID{}, err
	}
	return PID{}, node.names.missing(string(n))
}

// bare is the PID's number alone.
func (pid PID) bare() string { return "<" + strconv.FormatUint(pid.p.id, 10) + ">" }
