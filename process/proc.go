package process

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/internal/mailbox"
	"github.com/coppice-go/coppice/internal/ordered"
)

// A state is what a process is doing, as far as its goroutine goes.
type state uint8

const (
	idle    state = iota // no goroutine; the next message starts one
	running              // a goroutine runs the behaviour, or is about to
	parked               // a raw process waits in its inbox, holding its goroutine
	dead                 // buried: watchers know, the name is free
)

// proc is one process. It is its own context.
//
// There may be millions, so it is kept to 256 bytes (a test says so): what few
// need is in the extension, what siblings share is in their origin. Senders look
// at the first half, the process writes to the second, while both are busy: they
// would slow each other down if they met in a cache line.
type proc struct {
	mu    sync.Mutex
	marks atomic.Uint32
	place uint32 // in the table, guarded by that
	flags
	node  *Node
	queue mailbox.Queue[envelope] // guarded by mu

	// Set at birth, never changed; only b and liveFn are nil once dead (under mu).
	b      Behaviour
	parent *proc // who started it linked; nil for the root and unlinked ones
	origin *origin
	id     uint64
	liveFn func() // p.live, bound once
	label  string // path element
	born   time.Duration

	// Guarded by mu.
	reason   error   // of the doom, then of the death; before, see told
	callers  waiters // who waits for an answer from it
	waits    waiters // what it waits for itself
	mourners waiters // who waits for its death, its starter for its Init
	x        *extension

	siblings links // its place among its parent's links, guarded by the parent's mu

	taken uint64       // how many were ever taken out of the queue; guarded by mu
	left  atomic.Int32 // of the batch; see recount
	// Owned by the goroutine that runs the process.
	batch  mailbox.Batch[envelope]
	inHand any // what is being handled, for the crash report
}

// flags are the small things, guarded by mu.
type flags struct {
	state    state
	trap     bool
	starting bool // somebody waits for its Init
	burying  bool // it has ended, and that is being made known
	told     bool // its parent has told it to stop while it traps, with reason (see asked)
	up       bool // it is linked to its parent
	inited   bool // Init has succeeded; owned by the goroutine that runs the process
	lent     bool // that goroutine goes on elsewhere after a turn; owned by it
}

// What is in marks. Those of attention say what comes before the next message.
// They are changed under mu, and looked at without.
const (
	attDoomed uint32 = 1 << iota // a fatal signal arrived; reason is final
	attSystem
	attSuspended
	// fenced is tested by whoever receives something from the process, under
	// the receiver's lock.
	markFenced
	markSensitive // see SetSensitive
	markNamed     // it has a name
	markLimited   // its mailbox has a limit
	markDead      // its state is dead
	markLends     // its goroutine runs another process; changed by that alone

	attention = attDoomed | attSystem | attSuspended
)

func (p *proc) mark(m uint32)        { p.marks.Or(m) }
func (p *proc) unmark(m uint32)      { p.marks.And(^m) }
func (p *proc) marked(m uint32) bool { return p.marks.Load()&m != 0 }
func (p *proc) doomed() bool         { return p.marked(attDoomed) }
func (p *proc) fenced() bool         { return p.marked(markFenced) }
func (p *proc) setMark(m uint32, on bool) {
	if on {
		p.mark(m)
	} else {
		p.unmark(m)
	}
}

// An origin is what a process has in common with its siblings, who share one.
type origin struct {
	shared
	at atomic.Pointer[string] // see place
}

type shared struct {
	values context.Context
	group  *Group
	kind   string
	caller uintptr // pc of who started it
	grace  time.Duration
	limit  int
	raw    bool // it holds its goroutine and reads its own inbox
	heeds  bool // it is a function that watches its ctx: its parent's word is enough
}

// extension holds what most processes never need.
type extension struct {
	name      string
	eldest    *proc                 // of the children that it is linked to
	links     ordered.Set[*proc]    // to others than its parent and its children
	watched   ordered.Set[*monitor] // monitors on this process
	monitors  ordered.Set[*monitor] // monitors that it holds
	keepers   ordered.Set[Keeper]   // told of its end before anybody else
	asked     *error                // what its parent asked for, if reason is another by now
	outcome   error                 // what Exit was given
	startErr  error                 // why Init failed
	ctx       context.Context       // the real cancelCtx behind Done
	cancel    context.CancelCauseFunc
	interrupt func()        // see Interrupt
	hard      chan struct{} // closed at doom; the Done of Terminate's ctx
	wake      chan struct{} // wakes a parked process
	stopping  *stopRequest  // the first, for one that is suspended
	system    []*systemRequest
	users     int // user messages in the mailbox, counted if there is a limit
	called    []*Group
	notes     []Note
	offspring *origin // of the child that it started last
	graceTime *time.Timer
	spared    bool // its Grace was given a second time
	abandoned bool
	exiting   bool // Exit was called
}

// ext returns the extension, made when first needed. p.mu is held.
func (p *proc) ext() *extension {
	if p.x == nil {
		p.x = &extension{}
	}
	return p.x
}

func (p *proc) isRoot() bool { return p == p.node.root }

// ending reports whether the process is dead or about to be.
func (p *proc) ending() bool { return p.fenced() }

// conclude sets the reason for good. p.mu is held.
func (p *proc) conclude(reason error) {
	if p.told && (reason != ErrShutdown || p.reason != ErrShutdown) {
		asked := p.reason
		p.ext().asked = &asked
	}
	p.reason = reason
}

// asked is the reason of the parent's exit signal, if p was told to stop. p.mu
// is held.
func (p *proc) asked() error {
	if p.x != nil && p.x.asked != nil {
		return *p.x.asked
	}
	return p.reason
}

// name is the registered name, "" if there is none. p.mu is held.
func (p *proc) name() string {
	switch {
	case !p.marked(markNamed):
		return ""
	case p.x != nil && p.x.name != "":
		return p.x.name
	}
	return p.label
}

// setName keeps a name, or, if it is "", forgets it. Most have it as their label
// too. p.mu is held.
func (p *proc) setName(name string) {
	p.setMark(markNamed, name != "")
	if name != "" && name != p.label {
		p.ext().name = name
	} else if p.x != nil {
		p.x.name = ""
	}
}

// refusal is what a fenced process is told when it tries to act.
func (p *proc) refusal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isRoot() {
		return ErrNodeStopped
	}
	if p.reason == nil {
		return &ExitError{PID: PID{p}, Name: p.path(), Reason: errEnded}
	}
	return p.reason
}

var errEnded = errors.New("normally; what still holds its ctx may not act for it")

// path is fixed at birth: only labels, kinds and numbers go into it.
func (p *proc) path() string {
	if p.parent == nil || p.parent.isRoot() {
		return p.label
	}
	label := p.label
	if label == "" {
		label = PID{p}.bare()
	}
	if up := p.parent.path(); up != "" {
		return up + "/" + label
	}
	return PID{p.parent}.bare() + "/" + label
}
