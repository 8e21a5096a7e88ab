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
type proc struct {
	// Set at birth, never changed.
	node   *Node
	id     uint64
	b      Behaviour // nil once dead (under mu)
	kind   string
	label  string // path element
	parent *proc  // who started it linked; nil for the root and unlinked ones
	group  *Group
	caller uintptr // pc of who started it
	grace  time.Duration
	born   time.Duration // since the node's start
	values context.Context
	limit  int
	runFn  func() // p.run, bound once
	raw    bool   // holds its goroutine and reads its own inbox
	heeds  bool   // a function that watches its ctx: its parent's word is enough

	// fenced is tested by whoever receives something from this process, under
	// the receiver's lock.
	fenced atomic.Bool
	// attention says what comes before the next message; written under mu.
	attention atomic.Uint32
	// taken counts what has been taken out of the mailbox; the process writes.
	taken atomic.Uint64

	mu        sync.Mutex
	sensitive atomic.Bool // see SetSensitive
	// Guarded by mu.
	state    state
	trap     bool
	doomed   bool         // a fatal signal arrived; reason is final
	burying  bool         // it has ended, and that is being made known
	reason   error        // of the doom, then of the death
	asked    error        // reason of the parent's exit signal while trapping
	told     bool         // asked is set
	stopping *stopRequest // the first, for one that is suspended
	system   []*systemRequest
	queue    mailbox.Queue[envelope]
	pushed   uint64 // ever put into the mailbox
	users    int    // user messages in the mailbox, counted if limit is set
	links    ordered.Set[*proc]
	watched  ordered.Set[*monitor] // monitors on this process
	callers  waiters               // who waits for an answer from it
	waits    waiters               // what it waits for itself
	name     string
	x        *extension

	// Owned by the goroutine that runs the process.
	batch   mailbox.Batch[envelope]
	inHand  any   // what is being handled, for the crash report
	inited  bool  // Init has succeeded
	outcome error // how it ends, once that is decided
	exiting bool  // process.Exit was called; outcome is set
}

// extension holds what most processes never need.
type extension struct {
	ctx       context.Context // the real cancelCtx behind Done
	cancel    context.CancelCauseFunc
	hard      chan struct{} // closed at doom; the Done of Terminate's ctx
	wake      chan struct{} // wakes a parked process
	starter   *waiter       // who waits for Init, and in which use
	startUse  uint64
	startErr  error
	monitors  ordered.Set[*monitor] // monitors that this process holds
	keepers   ordered.Set[Keeper]   // told of its end before anybody else
	called    []*Group
	notes     []Note
	graceTime *time.Timer
	spared    bool // its Grace was given a second time
	abandoned bool
	cause     error // of the cancelled ctx
	cancelled bool
}

// ext returns the extension, made when first needed. p.mu is held.
func (p *proc) ext() *extension {
	if p.x == nil {
		p.x = &extension{}
	}
	return p.x
}

func (p *proc) isRoot() bool { return p == p.node.root }

// ending reports whether the process is dead or doomed.
func (p *proc) ending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doomed || p.burying
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
